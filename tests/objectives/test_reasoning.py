"""The thought of a text told apart from its answer."""

from __future__ import annotations

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from objectives.reasoning import split
from tests.thinking import ANSWER, CHINESE, FAMILIES, JAPANESE, THOUGHT


@pytest.mark.parametrize("name", FAMILIES)
def test_each_familys_thought_is_cut_off_and_its_answer_stays(name: str) -> None:
    family = FAMILIES[name]
    assert split(family.text) == (family.thought, family.answer)


@pytest.mark.parametrize(
    ("text", "thought", "answer"),
    [
        (f"<thinking>{THOUGHT}</thinking>{ANSWER}", THOUGHT, ANSWER),
        (f"<THINK>{THOUGHT}</THINK>\n{ANSWER}", THOUGHT, ANSWER),
        (f"<thought>\n{THOUGHT}\n</thought>\n{ANSWER}", THOUGHT, ANSWER),
        (f"<seed:think>{THOUGHT}</seed:think>{ANSWER}", THOUGHT, ANSWER),
        (f"◁think▷{THOUGHT}◁/think▷{ANSWER}", THOUGHT, ANSWER),
        (f"<|begin_of_thought|>{THOUGHT}<|end_of_thought|>\n<|begin_of_solution|>{ANSWER}<|end_of_solution|>", THOUGHT,
         ANSWER),
        (f"<think>{THOUGHT}</think><response>{ANSWER}</response>", THOUGHT, ANSWER),
        (f"<think>{THOUGHT}</think><answer>{ANSWER}", THOUGHT, ANSWER),
        ("<think>\n\n</think>\n\n" + ANSWER, "", ANSWER),
        (f"<think>one</think>\n<think>two</think>\n{ANSWER}", "one\ntwo", ANSWER),
        (f"Sure.\n<think>{THOUGHT}</think>\n{ANSWER}", THOUGHT, f"Sure.\n\n{ANSWER}"),
        (f"{ANSWER}\n<think>{THOUGHT}", THOUGHT, ANSWER),
        (f"<think>A tag </thinking> inside. {THOUGHT}</think>{ANSWER}", f"A tag </thinking> inside. {THOUGHT}", ANSWER),
        (f"{CHINESE}</think>{ANSWER}", CHINESE, ANSWER),
        (f"<think>{JAPANESE}", JAPANESE, ""),
        (f"[THINK]{THOUGHT}", THOUGHT, ""),
        (f"<|START_THINKING|>{THOUGHT}", THOUGHT, ""),
        (f"Here is my thought process:\n{THOUGHT}", THOUGHT, ""),
        (f"<|channel|>analysis<|message|>{THOUGHT}", THOUGHT, ""),
        (f"<|channel|>final<|message|>{ANSWER}<|return|>", "", ANSWER),
        ("<|channel|>analysis<|message|>one<|end|><|start|>assistant<|channel|>commentary<|message|>two<|end|>"
         f"<|start|>assistant<|channel|>final<|message|>{ANSWER}<|return|>", "one\ntwo", ANSWER),
        (f"analysis{THOUGHT}assistantfinal{ANSWER}", THOUGHT, ANSWER),
        (f"<think>\n{THOUGHT}\n</think>\n</think>\n\n{ANSWER}", THOUGHT, ANSWER),
        (f"<think>\n{THOUGHT}\n</think>\n\n{ANSWER}\n</think>", THOUGHT, ANSWER),
        (f"one\n</think>\n\ntwo</think>\n{ANSWER}", "one\ntwo", ANSWER),
        (f"<think>I must not write </think> yet.\n</think>\n\n{ANSWER}", "I must not write\nyet.", ANSWER),
        (f"<think>{THOUGHT}</thinking>\n{ANSWER}", THOUGHT, ANSWER),
        (f"<think>{THOUGHT}[/THINK]\n{ANSWER}", THOUGHT, ANSWER),
        (f'<think lang="en">{THOUGHT}</think >{ANSWER}', THOUGHT, ANSWER),
        (f"<|think|>{THOUGHT}<|/think|>{ANSWER}", THOUGHT, ANSWER),
        (f"&lt;think&gt;{THOUGHT}&lt;/think&gt;{ANSWER}", THOUGHT, ANSWER),
        (f"＜think＞{THOUGHT}＜/think＞{ANSWER}", THOUGHT, ANSWER),
        (f"<scratchpad>{THOUGHT}</scratchpad>{ANSWER}", THOUGHT, ANSWER),
        (f"<analysis>{THOUGHT}</analysis>\n<answer>{ANSWER}</answer>", THOUGHT, ANSWER),
        (f"<|channel>thought\n{THOUGHT}<channel|>{ANSWER}", THOUGHT, ANSWER),
        (f"<|channel>thought\n<channel|>{ANSWER}", "", ANSWER),
        (f"<|inner_prefix|>{THOUGHT}<|inner_suffix|>{ANSWER}", THOUGHT, ANSWER),
        (f"analysis\n{THOUGHT}\nassistantfinal\n{ANSWER}", THOUGHT, ANSWER),
        (f"assistantanalysis{THOUGHT}assistantfinal{ANSWER}", THOUGHT, ANSWER),
        ("analysisWe need a summary. So: pump", "We need a summary. So: pump", ""),
        (f"Thinking...\n{THOUGHT}\n...done thinking.\n\n{ANSWER}", THOUGHT, ANSWER),
        (f"Thinking Process:\n\n1. **Analyze:** {THOUGHT}\n</think>\n\n{ANSWER}",
         f"Thinking Process:\n\n1. **Analyze:** {THOUGHT}", ANSWER),
        (f"Thinking Process:\n\n{THOUGHT}", THOUGHT, ""),
        (f"Thinking Process:\n{THOUGHT}\n**Final Answer:**\n{ANSWER}", THOUGHT, ANSWER),
        (f"Reasoning: {THOUGHT}\n\nFinal answer: {ANSWER}", THOUGHT, ANSWER),
        (f"### Thinking\n{THOUGHT}\n\n### Summary\n{ANSWER}", THOUGHT, ANSWER),
        (f"**Thought:** {THOUGHT}\n\n**Answer:** {ANSWER}", THOUGHT, ANSWER),
        (f'{{"thought": "{THOUGHT}", "summary": "{ANSWER}"}}', THOUGHT, f'{{"summary": "{ANSWER}"}}'),
        (f'```json\n{{"reasoning": "{THOUGHT}', THOUGHT, ""),
    ],
)  # fmt: skip
def test_other_forms_are_known_as_well(text: str, thought: str, answer: str) -> None:
    assert split(text) == (thought, answer)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "  kept as it is \n",
        "The parser drops `<think>` and all up to `</think>` from now on.",
        "We agreed to drop the <think> tag.",
        'Ann asked what "</think>" means.',
        "analysis of the pump: failed",
        "Here is my response: the pump failed.",
        "Let me think. The pump failed.",
        "The model printed </think> at the end. The pump failed.",
        "Changes:\n<think> is now cut off.\nThe pump failed.",
        "<analysis>The pump failed.</analysis>\nIt is replaced.",
        "<summary>The pump failed.</summary><rationale>It was old.</rationale>",
        "analysis\nThe pump failed.",
        "analysisResult: the pump failed.",
        "Reasoning behind it: the pump is old.\nAnswer: none.",
        "Summary: the pump failed.\nReasoning: it was old.",
        "Reasoning: the pump is old.",
        '{"summary": "The pump failed.", "reasoning": "It was old."}',
        '{"reasoning": "The pump is old.", "severity": "high"}',
    ],
)
def test_texts_without_reasoning_stay_as_they_are(text: str) -> None:
    assert split(text) == ("", text)


PARTS = ["<think>", "</think>", "[THINK]", "[/THINK]", "<|channel|>final<|message|>", "<|channel|>analysis<|message|>",
         "<|end|>", "Here is my thought process:", "Here is my response:", "a\n", " b", "`"]  # fmt: skip


@given(st.lists(st.one_of(st.sampled_from(PARTS), st.text(max_size=5)), max_size=12).map("".join))
def test_any_text_is_split_into_parts_of_itself(text: str) -> None:
    thought, answer = split(text)
    assert len(thought) + len(answer) <= len(text)
    assert set(thought + answer) <= {*text, "\n"}
    assert thought or answer == text or len(answer) < len(text)


QUOTES = ("`", '"', "'", "「", "」", "『", "』", "“", "”", "‘", "’")


@given(st.text(), st.text().filter(str.strip))
def test_a_thought_in_tags_never_changes_the_answer(thought: str, answer: str) -> None:
    assume(split(thought + answer) == ("", thought + answer))
    assume(not (thought[-1:] in QUOTES and answer[0] in QUOTES))
    assert split(f"<think>{thought}</think>{answer}") == (thought.strip(), answer.strip())


@pytest.mark.parametrize(
    "part", [" ", "\n", "# ", "<think></think>", "<think>\n", "</think>\n", "Thinking Process:\n#"]
)
def test_a_loop_of_markers_or_spaces_ends(part: str) -> None:
    """Such a text took minutes where the work grew with the square of its length."""
    assert len(split(part * 60_000).answer) <= len(part) * 60_000
