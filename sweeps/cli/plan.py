"""`sweeps plan`: the number of generations that it takes to find a gain."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from sweeps.cli.common import (
    LEVEL,
    SCORE,
    NumberRange,
    WholeRange,
    echo_json,
    json_option,
    mlruns_option,
    say,
    stdout_console,
)
from sweeps.cli.completion import StudyName

if TYPE_CHECKING:
    from analysis import GainPlan, NoiseFloor
    from sweeps.results.result import SweepResult


DEFAULTS: dict[str, Any] = {"alpha": 0.05, "finalists": 1, "confirm_share": 0.3, "claim": "these-cases"}
"""Settings of a plan where neither a flag nor a study gives them."""


@click.command()
@click.argument("study", type=StudyName(), required=False)
@mlruns_option
@json_option
@click.option("--gain", type=SCORE, required=True, help="The gain to find.")
@click.option("--noise-sd", type=SCORE, help="Noise of one score (standard deviation), instead of a study's floor.")
@click.option("--cases", type=WholeRange(min=1), help="Number of cases; by default the study's.")
@click.option(
    "--alpha",
    type=LEVEL,
    help="Accepted risk of a false claim, shared by the finalists; by default the study's, or 0.05.",
)
@click.option("--finalists", type=WholeRange(1, 20), help="Finalists; by default the study's, or 1.")
@click.option(
    "--confirm-share",
    type=NumberRange(0.001, 1, max_open=True),
    help="Share of the generations for the confirmation; by default the study's, or 0.3.",
)
@click.option(
    "--claim",
    type=click.Choice(["these-cases", "new-cases"]),
    help="The cases that the verdict is about; by default the study's, or these-cases.",
)
@click.option(
    "--interaction-sd",
    type=NumberRange(0, 1),
    help="How differently cases respond (standard deviation of configuration x case); for new cases.",
)
@click.option(
    "--power",
    type=NumberRange(0, 0.9999, min_open=True),
    default=0.8,
    show_default=True,
    help="Chance to find the gain.",
)
def plan(study: str | None, mlruns: Path, as_json: bool, gain: float, **settings: Any) -> None:
    """Compute how many generations it takes to find --gain, with the noise of STUDY (by default the last one).

    Alpha, finalists, share and claim come from the study, unless given here. Without a study, give --noise-sd and
    --cases.
    """
    made, design = _made(study, mlruns, gain, **settings)
    if as_json:
        echo_json(made.as_dict())
        return
    from rich.table import Table

    from analysis.formatting import decimals

    console, digits = stdout_console(), decimals(gain)
    say(console, made.sentence)
    say(console, design)
    table = Table(box=None, pad_edge=False)
    for name in ("seeds per case and arm", "generations", "smallest gain found", f"power for {gain:g}"):
        table.add_column(name, justify="right")
    for row in made.curve:
        table.add_row(
            f"{row['seeds']:.0f}", f"{row['generations']:.0f}", f"{row['mde']:.{digits}f}", f"{row['power']:.2f}"
        )
    console.print(table)


def _made(
    study: str | None,
    mlruns: Path,
    gain: float,
    *,
    noise_sd: float | None,
    cases: int | None,
    power: float,
    interaction_sd: float | None,
    **flags: Any,
) -> tuple[GainPlan, str]:
    """The plan, and its settings in words; `flags` has the keys of `DEFAULTS`, None where not given."""
    from analysis import plan as make_plan
    from analysis.formatting import count_text
    from sweeps.results.reader import load_result

    if interaction_sd is not None and flags["claim"] == "these-cases":
        raise click.UsageError("--interaction-sd is about new cases; leave it out, or give --claim new-cases")
    if noise_sd is not None and cases is None and study is None:
        raise click.UsageError("--noise-sd needs --cases, the number of cases")
    result = None if noise_sd is not None and study is None else load_result(mlruns, study)
    floor: NoiseFloor | float = noise_sd if noise_sd is not None else _floor(result)
    used = DEFAULTS | _settings(result) | {name: value for name, value in flags.items() if value is not None}
    if interaction_sd is not None:
        used["claim"] = "new-cases"
    elif used["claim"] == "new-cases":
        interaction_sd = 0.0  # unknown: the plan says that this is the least
    try:
        made = make_plan(
            floor,
            gain,
            cases=result.plan.cases if cases is None and result is not None else cases,
            interaction_sd=interaction_sd,
            alpha=used["alpha"],
            power=power,
            finalists=used["finalists"],
            confirm_share=used["confirm_share"],
            per_case=result.plan.per_case if result is not None and flags["finalists"] is None else None,
        )
    except ValueError as error:
        raise click.UsageError(str(error)) from None
    whose = f" of study {result.name!r}, unless given here" if result is not None else ""
    many = count_text(used["finalists"], "finalist")
    if result is not None and flags["finalists"] is None and result.plan.runoff_seeds:
        many += f" (of which {result.plan.runoff_left} {'go' if result.plan.runoff_left > 1 else 'goes'} to the end)"
    return made, f"With alpha {used['alpha']:g}, {many} and a confirm_share of {used['confirm_share']:g}{whose}."


def _floor(result: SweepResult | None) -> NoiseFloor:
    from sweeps.errors import SweepError

    assert result is not None
    if result.floor is None:
        raise SweepError(f"study {result.name!r} has no floor yet; run it first, or give --noise-sd and --cases")
    return result.floor


def _settings(result: SweepResult | None) -> dict[str, Any]:
    """A study's values for `DEFAULTS`; a small space may hold fewer finalists than its file asks for."""
    if result is None:
        return {}
    config = result.config
    return {
        "alpha": config.verdict.alpha,
        "finalists": result.plan.finalists,
        "confirm_share": config.budget.confirm_share,
        "claim": config.verdict.claim,
    }
