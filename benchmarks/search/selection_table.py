"""The figures of `selection.py` as text."""

from __future__ import annotations

from benchmarks.search.selection_summary import REFERENCE, Figures


def table(found: Figures) -> str:
    """The figures as text."""
    lines: list[str] = []
    for kind, part in found.items():
        if not isinstance(part, dict) or kind == "mixed":
            continue
        budgets = [str(budget) for budget in part["budgets"]]
        lines += [f"{kind}: {part['replications']} replications", ""]
        head = f"{'method':<20}{'budget':>7}{'used':>7}{'regret':>9}{'se':>8}{'median':>9}{'captured':>10}"
        lines.append(head + f"{'optimism':>10}{'se':>8}{'claims':>8}{'false':>7}{'worse':>7}")
        for method, states in part["methods"].items():
            shown = budgets if method.startswith("sweep") else sorted({budgets[0], "600", budgets[-1]}, key=int)
            lines += [_row(method, budget, states[budget]) for budget in shown if budget in states]
        lines += ["", *_ends(part, found["reference"]), ""]
    for kind, mix in found["mixed"].items():
        lines.append(f"two of three surfaces {kind}, one without a gain; regret of {REFERENCE}, recommended, claimed:")
        regret = (mix["regret"], mix["regret_recommended"], mix["regret_claimed"])
        lines += [f"{b:>7} {' '.join(f'{row[str(b)]:9.4f}' for row in regret)}" for b in mix["budgets"]]
        for name in [f"{basis}{how}" for basis in ("recommend", "claim") for how in ("", "_median", "_budget")]:
            bound = "at most " if mix[f"at_most_{name}"] else ""
            value, error = mix[f"ratio_{name}"], mix[f"se_ratio_{name}"]
            lines.append(f"  ratio_{name:<20}{bound}{_text(value, 3)} ({_text(error, 3)})")
        lines.append("")
    return "\n".join(lines)


def _row(method: str, budget: str, state: Figures) -> str:
    captured = "" if state["captured"] is None else f"{state['captured']:.2f}"
    return (
        f"{method:<20}{budget:>7}{state['used']:>7.0f}{state['regret']:>9.4f}{_text(state['se_regret']):>8}"
        f"{state['median_regret']:>9.4f}{captured:>10}{_text(state['optimism']):>10}{_text(state['se_optimism']):>8}"
        f"{state['claims']:>8.3f}{state['false']:>7.3f}{state['worse']:>7.3f}"
    )


def _text(value: float | None, digits: int = 4) -> str:
    return "none" if value is None else f"{value:.{digits}f}"


def _ends(part: Figures, reference: str) -> list[str]:
    """The lines below a kind's table."""
    counts = part["n_power_found"]
    seconds = f"{part['seconds_wall']:.1f}, processor {part['seconds_cpu']:.1f}"
    lines = [
        f"own seconds at the largest budget (median): {seconds}",
        *(f"{n}, all budgets: {part[n]:.4f} ({part[f'se_{n}']:.4f})" for n in ("false_claims", "worse_claims")),
        *(f"power at a gain of {g}: {power:.3f} ({part['se_power'][g]:.3f})" for g, power in part["power"].items()),
        *(
            f"power at a finalist's gain of {g}: {power:.3f} ({part['se_power_found'][g]:.3f}, {counts[g]} sweeps)"
            for g, power in part["power_found"].items()
        ),
    ]
    if "ratio_peers" in part:
        lines.append(f"generations to the regret of {reference}, as a share:")
        names = [name for name in part if name.startswith("ratio_") and name != "ratio_peers"]
        for name in names:
            bound = "at most " if name in part["at_most"] else ""
            lines.append(f"  {name:<30}{bound}{_text(part[name], 3)} ({_text(part[f'se_{name}'], 3)})")
        for name, value in part["ratio_peers"].items():
            lines.append(f"  {name:<30}{_text(value, 3)} ({_text(part['se_ratio_peers'][name], 3)})")
    return lines
