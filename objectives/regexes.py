"""Regular expressions from rubrics, which may come from other people: limited before they are compiled.

The package `regex` writes out the copies that a repeat needs at least: `a{1000000000}` takes 8 GB, and nothing can
interrupt it. Searches have time limits (`regex` supports them). An engine without backtracking would need none, but
knows no lookahead and no backreference, which rubrics may use.
"""

from __future__ import annotations

from typing import Final

import regex

MAX_LENGTH: Final = 10_000
"""Characters that a pattern may have."""

MAX_COPIES: Final = 100_000
"""Places that a pattern may have after its repeats are written out; a place takes up to 300 bytes."""

_SPACE = r"(?:\s|\#[^\n]*\n)*+"  # what patterns with the flag x may have anywhere
_LEAST = regex.compile(rf"(?P<group>[)}}?+*\]]{_SPACE})?\{{(?P<count>(?:[0-9\s]|\#[^\n]*\n)++),?")


def compile_pattern(pattern: str, flags: int = 0) -> regex.Pattern[str]:
    """Compile a regular expression whose size is limited.

    Args:
        pattern: The expression, in the syntax of the package `regex`.
        flags: Flags of that package.

    Raises:
        ValueError: It is no regular expression, or too large; the message says which and why.
    """
    if len(pattern) > MAX_LENGTH:
        raise ValueError(f"it has {len(pattern)} characters, more than {MAX_LENGTH}")
    copies = copies_in(pattern)
    if copies > MAX_COPIES:
        raise ValueError(f"its repeats such as {{1000}} make about {copies:.3g} copies, more than {MAX_COPIES}")
    try:
        return regex.compile(pattern, flags)
    except RecursionError:
        raise ValueError("its groups are nested too deeply") from None
    except (regex.error, OverflowError) as error:
        raise ValueError(str(error)) from None


def copies_in(pattern: str) -> int:
    """Return an upper bound of a pattern's length with its repeats written out.

    Repeats of single characters add up. Repeats after a bracket or another repeat may contain others, so they
    multiply. Braces that are no repeats count as well.
    """
    total, product = len(pattern), 1
    for found in _LEAST.finditer(pattern):
        digits = "".join(regex.findall("[0-9]+", regex.sub(r"\#[^\n]*\n", "", found["count"])))
        count = min(int(digits[:12] or 1), 10**12)
        if found["group"]:
            product *= max(count, 1)
        else:
            total += count
    return total * product
