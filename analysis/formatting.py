"""Numbers and names as text, for sentences, reports and panels."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping

_MOST_P_DIGITS = 9


def level_text(level: float) -> str:
    """Write a probability near 1 in percent, with three digits; with more where three would round it to 100%."""
    rest = 100 * (1 - level)
    if rest >= 0.1 or rest <= 0:
        return f"{100 * level:.3g}%"
    return f"{100 * level:.{1 - math.floor(math.log10(rest))}f}".rstrip("0") + "%"


def decimals(*values: float) -> int:
    """Return the decimals for scores shown together: 3, or as many as give the largest of them two digits.

    Numbers above 1 are on another scale than [0, 1]: they take a decimal less for each digit before the point.

    Args:
        values: The numbers, such as an effect and the ends of its interval; NaN and infinity do not count.

    Returns:
        A number from 0 to 12.
    """
    largest = max((abs(value) for value in values if math.isfinite(value)), default=0.0)
    if largest == 0:
        return 3
    digits = math.floor(math.log10(largest))
    return max(2 - digits, 0) if largest > 1 else min(max(3, 1 - digits), 12)


def gain_text(gain: float) -> str:
    """Write a gain, a margin or a standard deviation shown on its own; a dash where it is not finite."""
    return f"{gain:.{decimals(gain)}f}" if math.isfinite(gain) else "–"


def option_text(value: object) -> str:
    """Write an option's value on one line: `0.8`, `true`, `low`, or texts as JSON, `["END"]`."""
    if isinstance(value, bool):
        return str(value).lower()
    if not isinstance(value, (list, tuple)):
        return str(value)
    return "".join(c if c.isprintable() else json.dumps(c)[1:-1] for c in json.dumps(value, ensure_ascii=False))


def source_text(source: str) -> str:
    """Say where a value of the baseline comes from: as it is stored, with `set by sweeps` for `ours`."""
    word, space, rest = source.partition(" ")
    return f"set by sweeps{space}{rest}" if word == "ours" else source


def count_text(count: float, noun: str) -> str:
    """Write a number of things, such as `1 seed` or `2.5 seeds`."""
    number = str(count) if isinstance(count, int) else f"{count:.3g}"
    return f"{number} {noun}" if number == "1" else f"{number} {noun}s"


def cases_text(cases: int) -> str:
    """Write a number of cases."""
    return count_text(cases, "case")


def p_text(p_value: float, alpha: float = 0.05) -> str:
    """Write a p value with two digits, never as zero; with more where rounding would move it across alpha."""
    if p_value < 0.0005 and (p_value <= alpha or alpha >= 0.001):
        return "p < 0.001"
    digits = 2 if p_value >= 0.095 else 3
    while digits < _MOST_P_DIGITS and (float(f"{p_value:.{digits}f}") <= alpha) != (p_value <= alpha):
        digits += 1
    return f"p = {p_value:.{digits}f}"


def arms_text(n_per_arm: int, n_finalist: int, n_baseline: int, *, kind: str = "generations") -> str:
    """Say how many generations a verdict is based on: one number where both arms have as many, else both.

    Args:
        n_per_arm: Generations of the smaller arm.
        n_finalist: Generations of the configuration.
        n_baseline: Generations of the baseline.
        kind: The noun for them, in the plural.
    """
    if n_finalist == n_baseline:
        return f"{count_text(n_per_arm, kind.removesuffix('s'))} each"
    return f"{n_finalist} {kind} against {n_baseline} of the baseline"


def in_words(text: str, names: Mapping[str, str]) -> str:
    """Return a text in which keys of configurations, quoted or not, are replaced by readable names."""
    for key, name in names.items():
        text = re.sub(rf"(?<!\w)('?){re.escape(key)}\1(?!\w)", name, text)
    return text


def as_sentence(text: str, names: Mapping[str, str]) -> str:
    """Return the same with a capital at its beginning, unless that is a name which a person gave."""
    text = in_words(text, names)
    given = [name for name in names.values() if not name.startswith(("the ", "trial "))]
    if any(re.match(rf"{re.escape(name)}(?!\w)", text) for name in given):
        return text
    return text[:1].upper() + text[1:]


_CONTROLS = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]")
"""Control codes but tab and line break, and marks that reverse the order of letters."""


def terminal_text(text: str) -> str:
    """Return a text whose control codes are shown as escapes (as in JSON), so that it cannot steer a terminal.

    JSON stays the same value. Line ends of Windows become those of Unix.
    """
    return _CONTROLS.sub(lambda found: f"\\u{ord(found[0]):04x}", text.replace("\r\n", "\n"))
