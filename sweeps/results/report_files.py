"""Files of a result in the study's folder: report, note, plots, table and exports."""

from __future__ import annotations

import shlex
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from analysis.export.files import write_together
from analysis.observations import views
from sweeps.errors import SweepError
from sweeps.ledger.records import now
from sweeps.results.earlier_tries import earlier_tries_note
from sweeps.results.figures.item_table import Shown, item_table, marked_texts
from sweeps.results.figures.limit_columns import limit_columns
from sweeps.results.figures.meanings import prompt_texts, score_text
from sweeps.results.kept_answers import answers_of
from sweeps.results.labels import verdict_correction, verdict_correction_text
from sweeps.results.result import SweepResult
from sweeps.results.study_data import texts_of
from sweeps.results.study_status import command_of
from sweeps.results.use_now import why_no_verdict
from sweeps.results.verdicts import recommended
from sweeps.scoring.copied_text import copying_notes
from sweeps.scoring.empty_texts import empty_notes, reasoning_notes
from sweeps.scoring.inputs import stored_score
from sweeps.scoring.languages import language_notes
from sweeps.version import __version__

if TYPE_CHECKING:
    import pandas as pd

    from analysis.report.data import Piece, ReportData
    from analysis.report.guard import Guard
    from analysis.report.tables import Tables


_CSV_ROWS = 5000  # of the observations, to write at a time


@dataclass(frozen=True)
class Outputs:
    """Files and texts that were written; None or empty where there are none.

    Attributes:
        report: The page.
        html: Its text.
        note: A short version of it, as Markdown.
        observations: The table, as CSV.
        exports: The finalist's files; empty where it is not shown better, or is above a limit.
        plots: Pictures of the report's plots, as PNG.
    """

    report: Path | None = None
    html: str = ""
    note: str = ""
    observations: Path | None = None
    exports: Sequence[Path] = ()
    plots: Sequence[Path] = ()


def report_data(
    result: SweepResult, exports: Sequence[Path] = (), *, warn: Callable[[str], object] | None = None
) -> ReportData:
    """A result as the report's data.

    Args:
        result: The study.
        exports: Its files.
        warn: Receiver of a warning per table that fails and is left out; None to raise the error instead.
    """
    return _tables(result, exports, warn).data


def _tables(result: SweepResult, exports: Sequence[Path], warn: Callable[[str], object] | None) -> Tables:
    """A result as the tables of a report."""
    from analysis.report.data import ReportData
    from analysis.report.guard import Guard
    from analysis.report.limits import LimitColumn
    from analysis.report.rubric.silent_items import silent_notes
    from analysis.report.tables import Tables

    guard = Guard(warn)
    answers = _with_texts(result)
    items = guard("the items", lambda: item_table(result, answers), None)
    finalist = result.finalist
    fingerprints = [f for models in result.hosts.values() for f in models.values()]
    keys = result.baseline.key, "" if finalist is None else finalist.configuration.key
    limits = result.limits.shown(*keys)
    data = ReportData(
        study=result.name,
        created=now(),
        observations=result.observations,
        baseline=result.baseline.key,
        baseline_sources=result.config.baseline_sources,
        finalist=None if finalist is None else finalist.configuration.key,
        verdicts=result.verdicts,
        no_verdict="" if result.verdicts else why_no_verdict(result),
        fresh_effects=result.fresh_effects,
        recommendations={
            verdict.configuration: recommended(result, verdict, result.fresh_effects) for verdict in result.verdicts
        },
        configurations={
            key: {"model": c.model, "prompt": c.prompt, "options": dict(c.options)}
            for key, c in result.configurations.items()
        },
        floor=result.floor,
        aa=result.aa,
        # Few sets that a person chose are no sample from which luck could be estimated.
        expected=None
        if result.is_comparison
        else guard("what is to be expected of fresh generations", lambda: result.expected, None),
        ranking=guard("the ranking", lambda: result.ranking, None),
        is_comparison=result.is_comparison,
        start_trials=result.plan.start_trials,
        names=result.candidates,
        constraints=None if limits.empty else limits,
        limits=guard("the limits of all configurations", lambda: limit_columns(result), list[LimitColumn]()),
        broken=result.broken,
        baseline_broken=result.limits.broken(result.baseline.key),
        reliability=guard("the reliability", lambda: result.reliability(), None),
        robustness=guard("the verdict under other weights", lambda: _robustness(result), None),
        fingerprints={fingerprint.digest: fingerprint.facts for fingerprint in fingerprints},
        host_labels=result.host_labels,
        texts=result.texts if answers is result.answers else texts_of(answers),
        items=items,
        config=config_of(result),
        commands=commands(result, exports),
        exports=[str(path) for path in exports],
        notes=[
            *filter(None, [guard("earlier studies", lambda: earlier_tries_note(result), "")]),
            *empty_notes(result.rows, result.baseline.key),
            *language_notes(answers),
            *reasoning_notes(answers, result.config.objective.reasoning, result.name),
            *(_with_name(note, result) for note in result.limits.notes(*keys)),
            *(_with_name(note, result) for note in copying_notes(result.fresh_rows, *keys)),
            *dict.fromkeys(warning for fingerprint in fingerprints for warning in fingerprint.warnings),
            *_matcher_notes(result),
            *guard("the labels", lambda: _label_notes(result), list[str]()),
            *guard("the items that tell nothing", lambda: silent_notes(items), list[str]()),
        ],
        score_text=score_text(result),
        prompts=prompt_texts(result),
        looks=result.looks_told,
        last_look=result.last_look,
        version=__version__,
    )
    tables = Tables(data)
    none: Mapping[Shown, Sequence[Piece]] = {}
    marked = guard("the texts side by side", lambda: marked_texts(result, tables.shown_texts, answers), none)
    return tables.with_marks(marked)


def _with_texts(result: SweepResult) -> Sequence[Mapping[str, Any]]:
    """The texts that the report reads: those of the configurations that it shows one by one."""
    from analysis.report.shown import MOST, shown_of

    if len(result.configurations) <= MOST:
        return result.answers
    arms = {result.baseline.key, *(arm.configuration.key for arm in result.finalists)}
    means = views.summary(views.without_luck(views.summarised(result.observations), arms))
    return answers_of(result.answers, shown_of([str(key) for key in means.index], arms))


def _with_figures(tables: Tables, result: SweepResult, guard: Guard) -> Tables:
    """The tables with what only figures show, which takes its time."""
    from sweeps.results.figures.look_effects import look_effects
    from sweeps.results.figures.option_effects import option_effects

    return tables.with_search(
        guard("the search's surface", lambda: option_effects(result), None),
        guard("the effect after each look", lambda: look_effects(result), None),
    )


def _robustness(result: SweepResult) -> pd.DataFrame | None:
    """The verdict under other weights; in a comparison the candidate's column has its name."""
    table = result.robustness
    if table is None or result.finalist is None or not result.is_comparison:
        return table
    return table.rename(columns={"finalist": result.called[result.finalist.configuration.key]})


def _with_name(note: str, result: SweepResult) -> str:
    """A note with the candidate's name for "the finalist", in a comparison."""
    if not result.is_comparison or result.finalist is None:
        return note
    return note.replace("the finalist", result.called[result.finalist.configuration.key])


def _matcher_notes(result: SweepResult) -> list[str]:
    """A note on the part of the noise that comes from the matcher; [] for a matcher without noise."""
    noise = result.stage("floor")["matcher_sd"].fillna(0.0)
    if result.floor is None or not noise.gt(0).any():
        return []
    share = float((noise**2).mean()) ** 0.5
    return [
        f"the matcher disagrees with itself: of the noise floor's standard deviation of {result.floor.sd:.3f} its"
        f" own noise makes up {share:.3f} (as part of the sum of squares); more votes would lower it"
    ]


def _label_notes(result: SweepResult) -> list[str]:
    """The effects corrected by labels, a note per verdict; [] where nobody has labelled."""
    notes = (verdict_correction_text(result, each, verdict_correction(result, each)) for each in result.verdicts)
    return [note for note in notes if note]


def config_of(result: SweepResult) -> dict[str, Any]:
    """The configuration as flat JSON types, with the study's current objective (see `rescore`)."""
    identity = {"objective.score": stored_score(result.stored.identity), **result.stored.identity}
    found = {
        key: identity.get(key, value) if key.startswith("objective.") else value
        for key, value in result.config.identity().items()
    }
    return result.plan.as_planned(found)


def commands(result: SweepResult, exports: Sequence[Path] = ()) -> dict[str, str]:
    """Next steps, most important first, each with its command or file."""
    where = result.workspace.arguments
    name = shlex.quote(result.name)
    steps = {"read the report": str(result.folder / "report.html")}
    if exports:
        steps["use it in a pipeline"] = ", ".join(map(str, exports))
    elif result.exportable:
        steps["export for a pipeline"] = f"sweeps export {name} --format env{where}"
    if result.stored.record.tracked is not False:
        steps["see every trial in MLflow"] = f"sweeps ui{where}"
    return steps | {
        "the verdict as JSON": f"sweeps judge {name} --json{where}",
        "run it again or continue": command_of(result.stored, result.workspace),
    }


def write_outputs(result: SweepResult, *, warn: Callable[[str], object] | None = None) -> Outputs:
    """Write all files. Each replaces an earlier one in one step, so that none is ever half-written.

    A finalist that is shown better and within the limits is exported as `production.env` and `production.json`, which
    are replaced; exports in other forms or folders stay. Any other finalist is not exported. Exports of an earlier
    verdict in the study's folder are then removed, unless they were made by force (see
    `analysis.export.formats.remove_unforced`).

    Args:
        result: The study.
        warn: Receiver of a warning per plot or table that fails and is left out (or the page itself); None to raise the
            error instead.

    Raises:
        SweepError: If a file cannot be written.
    """
    try:
        return _write_outputs(result, warn)
    except OSError as error:
        raise SweepError(
            f"the report of study {result.name!r} could not be written to {result.folder}: {error.strerror or error}; "
            "make room, or mend that, and run the same command again: all generated texts are kept"
        ) from error


def _as_csv(table: pd.DataFrame) -> Iterator[str]:
    """A table as CSV, some thousand rows at a time: the whole of a long study is not copied."""
    from analysis.files.spreadsheet_cells import harmless_table

    starts = range(0, max(len(table), 1), _CSV_ROWS)
    parts = (harmless_table(table.iloc[start : start + _CSV_ROWS]) for start in starts)
    return (part.to_csv(index=False, header=number == 0) for number, part in enumerate(parts))


def _write_outputs(result: SweepResult, warn: Callable[[str], object] | None) -> Outputs:
    from analysis.export.formats import remove_unforced
    from analysis.report.guard import Guard
    from analysis.report.page import PLOTS, draw, render_note, render_report
    from analysis.report.plots.figures import to_png

    folder = result.folder
    if not result.exportable:
        remove_unforced(folder)
    exports = result.export() if result.exportable else []
    guard = Guard(warn)
    tables = _with_figures(_tables(result, exports, warn), result, guard)
    data = tables.data
    figures = draw(data, warn=warn, tables=tables)
    html = guard("the report", lambda: render_report(data, figures, warn=warn, tables=tables), "")
    note = guard("the note", lambda: render_note(data), "")
    pictures = {name: guard(f"the plot {name!r}", partial(to_png, figure), b"") for name, figure in figures.items()}
    plots = {folder / "plots" / f"{name}.png": pictures.get(name, b"") for name in PLOTS}
    report, table = folder / "report.html", folder / "observations.csv"
    files: dict[Path, str | bytes | Iterable[str]] = {report: html, folder / "note.md": note, **plots}
    files[table] = _as_csv(result.observations)
    write_together({path: content for path, content in files.items() if content})
    for path in (path for path, content in files.items() if not content):
        path.unlink(missing_ok=True)  # an older one has other scores
    drawn = [path for path, picture in plots.items() if picture]
    return Outputs(report if html else None, html, note, table, exports, drawn)
