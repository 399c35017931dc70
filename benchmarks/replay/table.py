"""The tables of real generations behind `replay.py`: their contents, how they are made and read.

Both hold texts of the embedded model on the six cases and the prompt of `benchmarks/replay/recorded.toml`, with the
same seeds for all configurations:

* `grid`: 48 configurations (temperature x repeat_penalty x top_p, the usual baseline among them), ten seeds each. It is
  made through the sweep's own path (tasks, ledger, warm-ups), and texts that the ledger has are reused.
* `random`: 200 configurations of six options, the usual baseline and 199 points of a scrambled Sobol sequence, six
  seeds each. It is made in batches of sequences, as `batched.py` says.
"""

from __future__ import annotations

import itertools
import json
import time
import tomllib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from benchmarks.sweep_file import toml_text

ROOT = Path(__file__).parents[2]
DATA = ROOT / "benchmarks" / "data"
PARQUET = DATA / "replay.parquet"
RECORDED = ROOT / "benchmarks" / "replay" / "recorded.toml"
MODEL, PROMPT = "smollm2:135m", "facts"
GRID: dict[str, tuple[float, ...]] = {
    "temperature": (0.2, 0.5, 0.8, 1.1),
    "repeat_penalty": (1.0, 1.1, 1.2, 1.3),
    "top_p": (0.5, 0.7, 0.9),
}
BASELINE = {"temperature": 0.8, "repeat_penalty": 1.1, "top_p": 0.9}
FIXED = {"top_k": 40, "num_ctx": 2048, "num_predict": 96}
RANGES: dict[str, dict[str, Any]] = {
    "temperature": {"low": 0.1, "high": 1.2},
    "top_k": {"low": 5, "high": 80, "log": True},
    "top_p": {"low": 0.5, "high": 1.0},
    "min_p": {"low": 0.0, "high": 0.2},
    "repeat_penalty": {"low": 1.0, "high": 1.3},
    "num_predict": {"low": 32, "high": 128, "log": True},
}
"""The space of the random table: that of `recorded.toml`, with min_p and num_predict."""

USUAL = {name: {**BASELINE, "top_k": 40, "min_p": 0.0, "num_predict": 96}[name] for name in RANGES}
RANDOM_SETS, RANDOM_SEED = 200, 18
SEEDS = 10
_FACTS = ("case", "seed", "text", "finish", "prompt_tokens", "output_tokens")
COLUMNS = (*GRID, *_FACTS, "seconds")


@dataclass(frozen=True)
class Table:
    """A table of generations, as data.

    Attributes:
        name: Its name on the command line.
        file: Its Parquet file.
        space: The options that vary, as `[space]` has them.
        baseline: Their values in use today.
        fixed: The other options that were sent.
        seeds: Number of seeds of a whole table.
        sets: Makes the configurations' values.
        nearest: Whether the space holds more than the sets, so that a request gets texts of the nearest one.
        columns: Columns of the file.
    """

    name: str
    file: Path
    space: Mapping[str, Mapping[str, Any]]
    baseline: Mapping[str, float]
    fixed: Mapping[str, float]
    seeds: int
    sets: Callable[[], list[dict[str, float]]]
    nearest: bool
    columns: tuple[str, ...]

    @property
    def options(self) -> list[str]:
        """Names of the options that vary."""
        return list(self.space)


def grid() -> list[dict[str, float]]:
    """The values of all 48 configurations of the grid."""
    return [dict(zip(GRID, values, strict=True)) for values in itertools.product(*GRID.values())]


def random_sets() -> list[dict[str, float]]:
    """The values of the 200 configurations of the random table, the usual baseline first."""
    from scipy.stats import qmc

    points = qmc.Sobol(len(RANGES), seed=RANDOM_SEED).random(256)
    return [dict(USUAL), *(_values(point) for point in points[: RANDOM_SETS - 1])]


def _values(point: Sequence[float]) -> dict[str, float]:
    """The options at a point of the unit cube: three digits, two of the temperature, whole numbers where they are."""
    found: dict[str, float] = {}
    for (name, range_), place in zip(RANGES.items(), point, strict=True):
        low, high = range_["low"], range_["high"]
        value = low * (high / low) ** place if range_.get("log") else low + (high - low) * place
        found[name] = round(float(value)) if isinstance(low, int) else round(float(value), _digits(name))
    return found


def _digits(name: str) -> int:
    return 2 if name == "temperature" else 3


def _steps() -> dict[str, dict[str, Any]]:
    """The grid as `[space]`."""
    return {
        name: {"low": values[0], "high": values[-1], "step": round(values[1] - values[0], 6)}
        for name, values in GRID.items()
    }


ON_GRID = Table("grid", PARQUET, _steps(), BASELINE, FIXED, SEEDS, grid, nearest=False, columns=COLUMNS)
AT_RANDOM = Table(
    "random", DATA / "random.parquet", RANGES, USUAL, {"num_ctx": 2048}, 6, random_sets, nearest=True,
    columns=(*RANGES, *_FACTS),
)  # fmt: skip
TABLES = {table.name: table for table in (ON_GRID, AT_RANDOM)}


def recorded_sweep() -> dict[str, Any]:
    """The recorded sweep as TOML gives it: the tables use its prompt and the names of its cases."""
    return tomllib.loads(RECORDED.read_text(encoding="utf-8"))


def sweep_tables(kind: str = "llamacpp", table: Table = ON_GRID) -> dict[str, Any]:
    """The sweep over the space that a table is made for, without its budget."""
    start = recorded_sweep()
    return {
        "study": {"name": "replay", "seed": 42},
        "engine": {"kind": kind},
        "prompts": {PROMPT: {name: start["prompts"][PROMPT][name] for name in ("system", "user")}},
        "objective": {name: start["objective"][name] for name in ("cases", "names")},
        "baseline": {"model": MODEL, "prompt": PROMPT, **table.baseline, **table.fixed},
        "space": {name: dict(range_) for name, range_ in table.space.items()},
    }


@dataclass
class Work:
    """The requests behind the table, as tasks.

    Attributes:
        model: The model's name on the engine.
        seeds: Number of seeds.
        names: Only these cases; all of the recorded sweep by default.
        combinations: The configurations' values.
        table: The table.
    """

    model: str = MODEL
    seeds: int = SEEDS
    names: Sequence[str] | None = None
    combinations: Sequence[dict[str, float]] = ()
    table: Table = ON_GRID

    def __post_init__(self) -> None:
        from objectives import load_cases
        from sweeps.config.file import parse_config

        self.config = parse_config(toml_text(sweep_tables(table=self.table) | {"budget": {"generations": 600}}))
        self.cases = load_cases(self.config.cases_path, names=self.names or self.config.objective.names)
        self.combinations = self.combinations or self.table.sets()

    def piece(self, case: Any, seed: int) -> list[Any]:
        """Tasks of all configurations on one case with one seed: they share a prompt, which stays cached."""
        from sweeps.hosts.task import Task
        from sweeps.ledger.records import Place
        from sweeps.options import Configuration

        prompt = self.config.prompts[PROMPT].fill(case.log)
        options = self.config.baseline.options
        return [
            Task(
                Place("explore", number, "", case.name, seed),
                Configuration(self.model, PROMPT, {**options, **values}),
                prompt,
            )
            for number, values in enumerate(self.combinations)
        ]

    def pieces(self) -> Iterator[tuple[int, list[Any]]]:
        """Seed and tasks, seed by seed: a stop at any time leaves whole seeds of all configurations."""
        for seed in range(1, self.seeds + 1):
            for case in self.cases:
                yield seed, self.piece(case, seed)

    @property
    def total(self) -> int:
        """Number of generations."""
        return self.seeds * len(self.cases) * len(self.combinations)


def open_host(engine: Any, model: str = MODEL) -> Any:
    """A host with the engine, as a sweep has it."""
    from sweeps.fingerprints.capture import take
    from sweeps.hosts.host import Host

    return Host(engine, {model: take(engine, model)}, name=engine.address)


def generate(
    host: Any,
    ledger: Any,
    work: Work,
    *,
    minutes: float | None = None,
    report: Callable[[str], object] = print,
) -> int:
    """Generate the texts that the ledger does not have; returns the number of answers still missing.

    Args:
        host: From `open_host`.
        ledger: A `sweeps.ledger.ledger.Ledger`.
        work: The requests.
        minutes: Stop after this time, at the end of a piece (one case and seed); None for no limit.
        report: Gets a line of progress after each piece that generated something.
    """
    from sweeps.hosts.pool import run_tasks
    from sweeps.hosts.task import TaskResult

    started, made, missing = time.perf_counter(), 0, work.total
    for seed, tasks in work.pieces():
        if minutes is not None and time.perf_counter() - started > 60 * minutes:
            break
        outcomes: list[TaskResult] = []
        run_tasks([host], ledger, tasks, study="replay", on_result=outcomes.append)
        missing -= sum(outcome.entry is not None for outcome in outcomes)
        for outcome in outcomes:
            if outcome.error:
                report(f"{outcome.task.place.case}, seed {seed}, {outcome.task.configuration.key}: {outcome.error}")
        new = sum(not outcome.kept for outcome in outcomes)
        made += new
        if new:
            each = (time.perf_counter() - started) / made
            report(
                f"seed {seed}, {tasks[0].place.case}: {work.total - missing} of {work.total};"
                f" {each:.2f} s each, {missing * each / 60:.0f} min left"
            )
    return missing


def rows_of(host: Any, ledger: Any, work: Work) -> list[dict[str, Any]]:
    """One row per generation that the ledger has, of the seeds that are whole."""
    rows: list[dict[str, Any]] = []
    by_seed = itertools.groupby(work.pieces(), key=lambda pair: pair[0])
    for _, pieces in by_seed:
        tasks = [task for _, piece in pieces for task in piece]
        keys = [host.key(task) for task in tasks]
        kept = ledger.generations.find(keys)
        if any(key.sha256 not in kept for key in keys):
            continue
        for task, key in zip(tasks, keys, strict=True):
            answer = kept[key.sha256].generation
            options = {name: float(task.configuration.options[name]) for name in work.table.options}
            facts = {name: getattr(answer, name) for name in ("text", "finish", "prompt_tokens", "output_tokens")}
            rows.append(
                options
                | {"case": task.place.case, "seed": task.place.seed}
                | facts
                | {"seconds": round(answer.timing.total, 3)}
            )
    return rows


def provenance(host: Any, work: Work) -> dict[str, str]:
    """Engine, model, options, prompt and date of the texts."""
    fingerprint = host.fingerprints[work.model]
    prompt = work.config.prompts[PROMPT]
    return {
        "engine": json.dumps(
            {name: fingerprint.facts["engine"].get(name) for name in ("name", "version", "llama_cpp")}
        ),
        "model": work.model,
        "model_digest": fingerprint.model_digest,
        "options": json.dumps(dict(work.config.baseline.options) | dict.fromkeys(work.table.options, "see columns")),
        "prompt_system": prompt.system or "",
        "prompt_user": prompt.user,
        "date": datetime.now(UTC).date().isoformat(),
    }


def export(rows: Sequence[Mapping[str, Any]], table: Table, facts: Mapping[str, str], path: Path) -> int:
    """Write the table; returns its number of rows.

    Args:
        rows: One per generation.
        table: The table that they belong to.
        facts: From `provenance`.
        path: The file.

    Raises:
        SystemExit: If not one seed is whole.
    """
    import pandas as pd
    import pyarrow as pa
    import pyarrow.parquet as pq

    if not rows:
        raise SystemExit(f"no seed is whole yet; go on with `{_command(table)}`")
    frame = pd.DataFrame(rows, columns=list(table.columns))
    frame = frame.sort_values([*table.options, "case", "seed"], ignore_index=True)
    made = pa.Table.from_pandas(frame, preserve_index=False).replace_schema_metadata(dict(facts))
    path.parent.mkdir(parents=True, exist_ok=True)
    pq.write_table(made, path, compression="zstd", compression_level=19)
    return len(rows)


def _command(table: Table) -> str:
    return "python -m benchmarks.replay.replay --generate" + (f" --table {table.name}" if table != ON_GRID else "")


def load(path: Path | None = None, table: Table = ON_GRID) -> Any:
    """A table as a DataFrame with the table's columns.

    Args:
        path: Another file than the table's own.
        table: The table.

    Raises:
        SystemExit: If it is absent.
    """
    import pandas as pd

    path = path or table.file
    if not path.exists():
        raise SystemExit(f"{path.name} is absent; make it with `{_command(table)}`")
    return pd.read_parquet(path)


def make(given: Any, table: Table) -> int:
    """Make a table through the sweep's own path; returns 1 if answers are still missing.

    Args:
        given: The command's arguments: `generate`, `export`, `seeds`, `minutes`, `ledger` and `file`.
        table: The table.
    """
    from sweeps.engines.llamacpp import LlamaCppEngine
    from sweeps.ledger.ledger import Ledger

    work = Work(seeds=given.seeds or table.seeds, table=table)
    given.ledger.mkdir(parents=True, exist_ok=True)
    engine, ledger = LlamaCppEngine(), Ledger(given.ledger / "ledger.db")
    missing = 0
    try:
        host = open_host(engine)
        if given.generate:
            missing = generate(host, ledger, work, minutes=given.minutes, report=lambda line: print(line, flush=True))
        if not missing or given.export:
            finish(rows_of(host, ledger, work), table, provenance(host, work), given.file)
        if missing:
            print(f"{missing} generations are missing; the same command goes on from here")
    finally:
        ledger.close()
        engine.close()
    return 1 if missing else 0


def finish(rows: Sequence[Mapping[str, Any]], table: Table, facts: Mapping[str, str], path: Path | None) -> None:
    """Write a table, and report it."""
    path = path or table.file
    print(f"{export(rows, table, facts, path)} rows in {path.name}")
