"""`sweeps plan`: how many generations it takes to see a gain."""

from __future__ import annotations

from pathlib import Path

import click

from sweeps.cli.common import echo_json, json_option, mlruns_option, stdout_console


@click.command()
@click.argument("study", required=False)
@mlruns_option
@json_option
@click.option("--gain", type=click.FloatRange(0, 1, min_open=True), required=True, help="The gain to be seen.")
@click.option("--noise-sd", type=click.FloatRange(0, 1, min_open=True), help="Instead of a study's floor.")
@click.option("--cases", type=click.IntRange(min=1), help="Number of cases; by default the study's.")
@click.option("--alpha", type=click.FloatRange(0, 0.5, min_open=True), default=0.05, show_default=True)
@click.option("--power", type=click.FloatRange(0, 1, min_open=True, max_open=True), default=0.8, show_default=True)
def plan(
    study: str | None,
    mlruns: Path,
    as_json: bool,
    gain: float,
    noise_sd: float | None,
    cases: int | None,
    alpha: float,
    power: float,
) -> None:
    """Tell how many generations it takes to see --gain, given the noise floor of STUDY (by default the last one)."""
    from analysis import NoiseFloor
    from analysis import plan as make_plan
    from sweeps.errors import SweepError
    from sweeps.results import load_result

    floor: NoiseFloor | float
    if noise_sd is not None:
        if cases is None:
            raise click.UsageError("--noise-sd needs --cases, the number of cases")
        floor = noise_sd
    else:
        result = load_result(mlruns, study)
        if result.floor is None:
            raise SweepError(f"study {result.name!r} has no floor yet; run it first, or give --noise-sd and --cases")
        floor = result.floor
    made = make_plan(floor, gain, cases=cases, alpha=alpha, power=power)
    if as_json:
        echo_json(made.as_dict())
        return
    from rich.table import Table

    console = stdout_console()
    console.print(made.sentence, markup=False, soft_wrap=True)
    table = Table(box=None, pad_edge=False)
    for name in ("seeds per case and arm", "generations", "smallest gain seen", f"power for {gain:g}"):
        table.add_column(name, justify="right")
    for row in made.curve:
        table.add_row(f"{row['seeds']:.0f}", f"{row['generations']:.0f}", f"{row['mde']:.3f}", f"{row['power']:.2f}")
    console.print(table)
