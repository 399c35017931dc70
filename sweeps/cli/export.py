"""`sweeps export`: the new settings for a pipeline."""

from __future__ import annotations

from pathlib import Path

import click

from sweeps.cli.common import FilePath, echo, echo_json, json_option, mlruns_option
from sweeps.cli.completion import StudyName

FORMATS = ("env", "json", "modelfile", "toml")


@click.command()
@click.argument("study", type=StudyName(), required=False)
@mlruns_option
@json_option
@click.option(
    "--format",
    "formats",
    type=click.Choice(FORMATS),
    multiple=True,
    help="Form to write; may be given several times.  [default: env, json]",
)
@click.option(
    "--mode",
    type=click.Choice(["production", "baseline"]),
    default="production",
    show_default=True,
    help="production: temperature as tuned. baseline: temperature 0 and a fixed seed, for measuring.",
)
@click.option("--out", type=FilePath(file_okay=False), help="Folder to write to; by default the study's own.")
@click.option(
    "--force", is_flag=True, help="Write settings that are not shown better, or break a limit; the files say so."
)
def export(
    study: str | None, mlruns: Path, as_json: bool, formats: tuple[str, ...], mode: str, out: Path | None, force: bool
) -> None:
    """Write the finalist of STUDY (by default the last one) for a pipeline, and print the paths of the files.

    Each file says where the settings come from. Settings that are not shown better than the baseline, or break a limit,
    are refused without --force.
    """
    from sweeps.results.reader import load_result

    result = load_result(mlruns, study)
    paths = result.export(formats or ("env", "json"), out=out, mode=mode, force=force)
    if as_json:
        record = {"study": result.name, "shown_better": result.shown_better, "broken": result.broken}
        echo_json({**record, "mode": mode, "files": list(paths)})
    else:
        for path in paths:
            echo(path)
