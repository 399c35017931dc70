"""The configurations that a page shows one by one: all of a usual study, and a choice from a very long search."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

MOST = 300
"""Configurations that have a row, points and texts of their own; more make a page slow and tell a reader nothing."""

BEST = 200
"""The best of them where not all are shown; the others stand evenly for the rest, so that figures keep their form."""


MANY_DOTS = 5000
"""Fresh texts that each have a dot of their own in one figure: 23,000 of them would make 5 MB."""

DRAWN_DOTS = 2400
"""Dots of that figure where there are more."""


def dots_of(count: int, total: int, groups: int) -> list[int]:
    """Choose the places in a sorted group of dots that are drawn.

    Args:
        count: Dots of the group.
        total: Dots of all groups.
        groups: Number of the groups.

    Returns:
        All places where there are not too many dots in all, else an even sample with the first and the last one.
    """
    most = max(DRAWN_DOTS // max(groups, 1), 2)
    if total <= MANY_DOTS or count <= most:
        return list(range(count))
    return [round(place * (count - 1) / (most - 1)) for place in range(most)]


def dots_text(total: int) -> str:
    """Say that not every fresh text has a dot; "" where each has one."""
    if total <= MANY_DOTS:
        return ""
    return f" Of {total:,} texts an even sample is drawn; means and intervals are of all."


def shown_of(ranked: Sequence[str], always: Iterable[str | None] = ()) -> list[str]:
    """Choose the configurations to show.

    Args:
        ranked: All configurations, the best first.
        always: Those that are shown wherever they stand.

    Returns:
        The shown ones in the order of `ranked`: all of up to `MOST`. Else the best, those of `always`, and an even
        sample of the others, together `MOST` where `always` is short.
    """
    if len(ranked) <= MOST:
        return list(ranked)
    kept = {*ranked[:BEST], *(set(always) & set(ranked))}
    rest = [key for key in ranked if key not in kept]
    room = max(MOST - len(kept), 0)
    # The middle of each of `room` equal parts of the rest.
    kept |= {rest[int((place + 0.5) * len(rest) / room)] for place in range(room)}
    return [key for key in ranked if key in kept]


def shown_text(shown: int, total: int) -> str:
    """Say that not all configurations are shown; "" where all are."""
    if shown >= total:
        return ""
    return (
        f"{shown} of {total:,} configurations are shown: the {BEST} best, those that were confirmed, and an even sample"
        " of the others. Counts and estimates are about all of them; all scores are in observations.csv."
    )
