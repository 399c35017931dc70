"""The sets of options that vendors of models recommend, by family; a search tries them first."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from sweeps.config.space import Value


@dataclass(frozen=True)
class Recommendation:
    """A vendor's set for a family of models.

    Attributes:
        names: Pattern of the family's names, at the beginning of a model's name without its path.
        family: The architecture in the model's file, where that belongs to this family alone; "" where it does not.
        values: The options, by Ollama's names.
        source: The place of the recommendation.
        thinking: The options where the model thinks; None where the vendor names no others.
    """

    names: str
    family: str
    values: Mapping[str, Value]
    source: str
    thinking: Mapping[str, Value] | None = None


def _set(temperature: float, top_p: float | None = None, top_k: int | None = None, **more: float) -> dict[str, Value]:
    named = {"temperature": temperature, "top_p": top_p, "top_k": top_k, **more}
    return {name: value for name, value in named.items() if value is not None}


RECOMMENDATIONS: tuple[Recommendation, ...] = (
    Recommendation(r"deepseek-?r1", "", _set(0.6, 0.95), "model card of DeepSeek-R1"),
    Recommendation(r"qwq", "", _set(0.6, 0.95, 40, min_p=0.0), "model card of QwQ-32B"),
    Recommendation(
        r"qwen-?3(?!\.)", "qwen3", _set(0.7, 0.8, 20, min_p=0.0), "model card of Qwen3", _set(0.6, 0.95, 20, min_p=0.0)
    ),
    Recommendation(
        r"qwen-?2(\.5)?",
        "",
        _set(0.7, 0.8, 20, repeat_penalty=1.05),
        "generation_config.json of Qwen2.5-7B-Instruct",
    ),
    Recommendation(r"llama-?3", "", _set(0.6, 0.9), "generation_config.json of Llama 3.1, 3.2 and 3.3"),
    Recommendation(r"gemma-?3", "gemma3", _set(1.0, 0.95, 64), "generation_config.json of Gemma 3"),
    Recommendation(r"mistral-nemo", "", _set(0.3), "model card of Mistral-Nemo-Instruct-2407"),
    Recommendation(r"mistral-small", "mistral3", _set(0.15), "model card of Mistral-Small-24B-Instruct"),
    Recommendation(r"devstral", "", _set(0.15), "model card of Devstral Small"),
    Recommendation(r"magistral", "", _set(0.7, 0.95), "model card of Magistral Small"),
    Recommendation(r"phi-?4-?reasoning", "", _set(0.8, 0.95, 50), "model card of Phi-4-reasoning"),
    Recommendation(r"gpt-?oss", "gptoss", _set(1.0, 1.0), "README of gpt-oss"),
    Recommendation(r"lfm2(?!\.)", "lfm2", _set(0.3, min_p=0.15, repeat_penalty=1.05), "model card of LFM2"),
    Recommendation(r"smollm-?2", "", _set(0.2, 0.9), "model card of SmolLM2-Instruct"),
    Recommendation(r"smollm-?3", "smollm3", _set(0.6, 0.95), "model card of SmolLM3-3B"),
)
"""In the order of the lookup. Vendors change their advice, so a set is a trial like others, never a default."""


def recommendation_for(model: str, family: str = "", *, thinks: bool = False) -> tuple[Mapping[str, Value], str] | None:
    """Find what a model's vendor recommends.

    Args:
        model: The model's name, such as `qwen3:8b`, `hf.co/someone/Qwen3-8B-GGUF:Q4_K_M` or the path of a GGUF file.
        family: Its architecture, which counts where the name says nothing.
        thinks: Whether it thinks before it answers.

    Returns:
        The options and the place of the recommendation; None for a model that the table does not know.
    """
    name = re.split(r"[/\\]", model)[-1].lower().replace("_", "-")
    # A vendor's name before the family's, as in "Meta-Llama-3.1-8B-Instruct.gguf".
    name = re.sub(r"^(meta|google|microsoft|mistralai|ibm|liquidai|huggingfacetb)-", "", name)
    found = next((each for each in RECOMMENDATIONS if re.match(each.names, name)), None)
    found = found or next((each for each in RECOMMENDATIONS if family and each.family == family), None)
    if found is None:
        return None
    return (found.thinking if thinks and found.thinking else found.values), found.source
