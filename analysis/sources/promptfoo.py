"""Results of promptfoo (`promptfoo eval -o results.json`)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from analysis.files.records import parse_json
from analysis.sources.answer import Answer

ENDINGS = (".json",)


def answers(path: Path) -> Iterator[Answer]:
    """Yield the results: configuration is provider and prompt, case the description or the variables of the test.

    `--repeat` writes each test several times under numbers of their own, so tests are told apart by what they say.

    Raises:
        ValueError: The file has no results of promptfoo.
    """
    whole = parse_json(path.read_bytes(), str(path))
    results = whole.get("results") if isinstance(whole, Mapping) else None
    rows = results.get("results") if isinstance(results, Mapping) else None
    if not isinstance(rows, list) or not all(isinstance(row, Mapping) and "success" in row for row in rows):
        raise ValueError("it has no results of promptfoo (`results.results` is missing); write them with -o NAME.json")
    run = str(whole.get("evalId") or path.name)
    prompts = results.get("prompts") if isinstance(results, Mapping) else None
    known = _labels(whole)
    for row in rows:
        provider = row.get("provider") or {}
        prompt = row.get("prompt") or {}
        facts = {
            "provider": str(provider.get("label") or provider.get("id") or ""),
            "prompt": _prompt(prompt, row.get("promptIdx", 0), prompts, known),
        }
        scores = {"score": row.get("score"), "pass": row.get("success"), **(row.get("namedScores") or {})}
        failed = row.get("failureReason") == 2 or (bool(row.get("error")) and not row.get("response"))
        yield Answer(run, facts, _case(row), scores, failed=failed)


def _case(row: Mapping[str, Any]) -> str:
    """Return the name of a test: its description, otherwise its variables."""
    test = row.get("testCase") or {}
    variables = row.get("vars") or test.get("vars") or {}
    shown = ", ".join(str(value) for value in variables.values())
    return str(test.get("description") or shown or f"test {row.get('testIdx', 0)}")


def _prompt(prompt: Mapping[str, Any], number: int, prompts: Any, known: Sequence[str]) -> str:
    """Return the name of a prompt: its label in the configuration, or as promptfoo extends it, or its number."""
    label = str(prompt.get("label") or "")
    if own := [each for each in known if label == each or label.startswith(f"{each}: ")]:
        return max(own, key=len)
    template = prompts[number].get("raw", "") if isinstance(prompts, list) and number < len(prompts) else ""
    label = label.removesuffix(template).rstrip(": ") if template else label
    return label or f"prompt {number + 1}"


def _labels(whole: Mapping[str, Any]) -> list[str]:
    """Return the labels of the prompts in the configuration, which the results extend by file and text."""
    prompts = (whole.get("config") or {}).get("prompts")
    return [str(each["label"]) for each in prompts or [] if isinstance(each, Mapping) and each.get("label")]
