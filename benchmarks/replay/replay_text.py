"""The figures of `replay.py` for people."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

MEASURES = (
    "regret", "gain", "regret_claimed", "gain_claimed", "optimism", "optimism_recommended", "claims", "worse", "used",
)  # fmt: skip
NULL_MEASURES = ("claims", "optimism")


def lines_of(figures: Mapping[str, Any], budgets: Sequence[int]) -> list[str]:
    """The figures for people: each with its standard error behind it."""
    facts = figures["table"]
    lines = [
        f"{facts['generations']} generations: baseline {facts['baseline']:.4f}, best {facts['best']:.4f}"
        f" (gain {facts['gain']:.4f}), {facts['better']} configurations better than the baseline,"
        f" noise sd {facts['noise_sd']:.3f}; {figures['replications']} replications, {figures['seconds']:.0f} s"
    ]
    names = (*MEASURES, *(f"null_{name}" for name in NULL_MEASURES))
    methods = figures["methods"]
    lines += figures["absent"]
    for budget in budgets:
        heads = "".join(f"{method:>18}" for method in methods)
        lines += ["", f"{budget} {figures['unit']}".ljust(22) + heads]
        for name in (name for name in names if name in figures[methods[0]][str(budget)]):
            digits = 0 if name == "used" else 4 if "regret" in name or "optimism" in name else 3
            states = [figures[method][str(budget)] for method in methods]
            cells = (f"{state[name]:.{digits}f} ({state[f'se_{name}']:.{digits}f})" for state in states)
            lines.append(f"  {name:<20}" + "".join(f"{cell:>18}" for cell in cells))
    seconds = [figures[method]["seconds"] for method in methods]
    lines += ["", f"{'seconds':<22}" + "".join(f"{'' if s is None else f'{s:.1f}':>18}" for s in seconds), ""]
    if "ratio_recommend" not in figures:
        return lines
    for name in (f"ratio_{basis}{how}" for basis in ("recommend", "claim") for how in ("", "_budget")):
        value, se = (figures[key] for key in (name, f"se_{name}"))
        sign = "<= " if figures[f"{name}_at_most"] else ""
        spread = "" if se is None else f" ({se:.3f})"
        lines.append(f"{name:<24}" + ("not reached" if value is None else f"{sign}{value:.3f}{spread}"))
    return lines
