"""Ten families of models, each with its way of thinking: the text as a server gives it, its thought and its answer."""

from __future__ import annotations

from dataclasses import dataclass

THOUGHT = "The log says that the pump failed. So: pump, valve, Monday."
ANSWER = "The pump failed on Monday; the valve is replaced."
CHINESE = "用户想要一个摘要。泵坏了，阀门星期一更换。"
JAPANESE = "ユーザーは要約を求めている。ポンプが故障し、月曜日にバルブを交換する。"


@dataclass(frozen=True)
class Family:
    """A way of thinking.

    Attributes:
        text: The content of the answer, as a server without a parser for the family gives it.
        thought: The thought in it.
        answer: The answer in it.
        apart: The thought in a field of its own.
    """

    text: str
    thought: str = ""
    answer: str = ANSWER
    apart: str = ""


FAMILIES = {
    "separate field": Family(ANSWER, apart=THOUGHT),
    "tags (DeepSeek, Qwen)": Family(f"<think>\n{THOUGHT}\n</think>\n\n{ANSWER}", THOUGHT),
    "tags, opening in the template": Family(f"{THOUGHT}\n</think>\n\n{ANSWER}", THOUGHT),
    "channels (gpt-oss)": Family(
        f"<|channel|>analysis<|message|>{THOUGHT}<|end|><|start|>assistant<|channel|>final<|message|>{ANSWER}", THOUGHT
    ),
    "brackets (Mistral)": Family(f"[THINK]{THOUGHT}[/THINK]{ANSWER}", THOUGHT),
    "sentences (Granite)": Family(f"Here is my thought process:\n{THOUGHT}\n\nHere is my response:\n{ANSWER}", THOUGHT),
    "special tokens (Cohere)": Family(
        f"<|START_THINKING|>{THOUGHT}<|END_THINKING|><|START_RESPONSE|>{ANSWER}<|END_RESPONSE|>", THOUGHT
    ),
    "Chinese and Japanese thought": Family(
        f"<think>\n{CHINESE}\n{JAPANESE}\n</think>\n\n{ANSWER}", f"{CHINESE}\n{JAPANESE}"
    ),
    "cut by num_predict": Family(f"<think>\n{THOUGHT}", THOUGHT, ""),
    "none": Family(ANSWER),
}
"""The text of each family, by name."""
