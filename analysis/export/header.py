"""The lines at the top of an exported file: verdict, doubts and origin."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from analysis.export.export_set import MEASURING_SEED, ExportSet, Mode, finite
from analysis.formatting import arms_text, decimals, level_text, p_text

FORCED = "exported by force"
"""Written into each file of a set that was exported although not shown better, or beyond a limit."""


def header(export: ExportSet, mode: Mode) -> list[str]:
    """The lines at the top of a file; the warning first."""
    if export.purpose:
        lines = [export.purpose]
    else:
        lines = [warning(export)] if export.unproven else [f"Shown better than the baseline: {verdict_text(export)}"]
    lines += [f"CAUTION: {caution}" for caution in export.cautions]
    if mode == "baseline":
        about = "" if export.purpose else " The verdict is about the options as tuned."
        lines.append(f"For measuring: temperature 0, seed {MEASURING_SEED}.{about}")
    if export.left_out:
        names = ", ".join(export.left_out)
        lines.append(f"left out, since {export.path} does not send it, and the server used its own: {names}")
    facts = export.provenance(mode) | {"seeds": _seeds_text(export.seeds)}
    groups = (
        ("study", "trial", "candidate", "configuration", "prompt"),
        ("model_digest", "weights_sha256"),
        ("engine", "engine_version", "host", "host_digest"),
        ("seeds",),
        ("slm_sweeps", "date"),
    )
    for group in groups:
        known = [f"{name.replace('_', ' ')}: {facts[name]}" for name in group if facts.get(name) not in (None, "")]
        lines += [" | ".join(known)] if known else []
    return lines


def warning(export: ExportSet) -> str:
    """The first line of a file whose set is not shown better, or is beyond a limit."""
    limits = "; ".join(export.broken)
    if export.shown_better:
        return f"BEYOND A LIMIT, {FORCED}: {limits} | shown better than the baseline: {verdict_text(export)}"
    warning = f"NOT SHOWN BETTER THAN THE BASELINE, {FORCED}: {verdict_text(export)}"
    return f"{warning} | BEYOND A LIMIT: {limits}" if limits else warning


def verdict_text(export: ExportSet) -> str:
    """The verdict with its numbers in one line."""
    parts = [export.outcome or "no verdict"]
    effect, low, high = finite(export.effect), finite(export.ci_low), finite(export.ci_high)
    if effect is not None:
        d = decimals(*(each for each in (effect, low, high) if each is not None))
        interval = "" if low is None or high is None else f" [{low:+.{d}f}, {high:+.{d}f}]"
        level = f", {level_text(export.level)} interval" if interval and export.level is not None else ""
        parts.append(f"effect {effect:+.{d}f}{level}{interval}")
    if (p_value := finite(export.p_value)) is not None:
        parts.append(p_text(p_value, 0.05 if export.level is None else 1 - export.level))
    if export.n_per_arm is not None:
        both = (export.n_finalist or export.n_per_arm, export.n_baseline or export.n_per_arm)
        parts.append(arms_text(export.n_per_arm, *both))
    if export.claim:
        parts.append(f"for {export.claim.replace('-', ' ')}")
    return ", ".join(parts)


def _seeds_text(seeds: Sequence[int]) -> str:
    if len(seeds) <= 10:
        return ", ".join(map(str, seeds))
    return f"{len(seeds)} seeds, {min(seeds)} to {max(seeds)}"


def comments(lines: Iterable[str]) -> list[str]:
    """Comment lines, with every name on one line, so that no part of it becomes a command."""
    return ["# " + "".join(char if char.isprintable() else " " for char in line) for line in lines]
