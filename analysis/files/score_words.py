"""Scores that are written as words: correct and incorrect, pass and fail, yes and no."""

from __future__ import annotations

from collections.abc import Iterable

_WORDS: tuple[dict[str, float], ...] = (
    {"true": 1, "false": 0},
    {"pass": 1, "fail": 0},
    {"passed": 1, "failed": 0},
    {"yes": 1, "no": 0},
    {"y": 1, "n": 0},
    {"correct": 1, "incorrect": 0},
    {"c": 1, "i": 0, "p": 0.5, "n": 0},  # Inspect: correct, incorrect, partial, no answer
)


def score_words(words: Iterable[str]) -> dict[str, float] | None:
    """Return the numbers of words for scores.

    Args:
        words: All different scores of a table, as they are written; upper and lower case are the same.

    Returns:
        Each word with its number in [0, 1]; None if they are no such words, or from two vocabularies.
    """
    seen = {word: word.strip().casefold() for word in words}
    for vocabulary in _WORDS:
        if seen and set(seen.values()) <= set(vocabulary):
            return {word: vocabulary[plain] for word, plain in seen.items()}
    return None


def score_words_note(numbers: dict[str, float]) -> str:
    """Return the sentence that says how words were read."""
    shown = ", ".join(f"{word!r} counts as {number:g}" for word, number in sorted(numbers.items(), key=lambda i: -i[1]))
    return f"scores are words: {shown}"
