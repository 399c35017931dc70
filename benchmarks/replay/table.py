"""The table of real generations behind `replay.py`: its contents, how it is made and read.

48 configurations of the embedded model (temperature x repeat_penalty x top_p, the usual baseline among them) on the
six cases and the prompt of `benchmarks/replay/recorded.toml`, ten seeds each. The seeds are the same for all
configurations. It is made through the sweep's own path (tasks, ledger, warm-ups), and texts that the
ledger has are reused.
"""

from __future__ import annotations

import itertools
import json
import time
import tomllib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from benchmarks.sweep_file import toml_text

ROOT = Path(__file__).parents[2]
PARQUET = ROOT / "benchmarks" / "data" / "replay.parquet"
RECORDED = ROOT / "benchmarks" / "replay" / "recorded.toml"
MODEL, PROMPT = "smollm2:135m", "facts"
GRID: dict[str, tuple[float, ...]] = {
    "temperature": (0.2, 0.5, 0.8, 1.1),
    "repeat_penalty": (1.0, 1.1, 1.2, 1.3),
    "top_p": (0.5, 0.7, 0.9),
}
BASELINE = {"temperature": 0.8, "repeat_penalty": 1.1, "top_p": 0.9}
FIXED = {"top_k": 40, "num_ctx": 2048, "num_predict": 96}
SEEDS = 10
COLUMNS = (*GRID, "case", "seed", "text", "finish", "prompt_tokens", "output_tokens", "seconds")


def recorded_sweep() -> dict[str, Any]:
    """The recorded sweep as TOML gives it: the tables use its prompt and the names of its cases."""
    return tomllib.loads(RECORDED.read_text(encoding="utf-8"))


def sweep_tables(kind: str = "llamacpp") -> dict[str, Any]:
    """The sweep over the grid that the table is made for, without its budget."""
    start = recorded_sweep()
    steps = {name: round(values[1] - values[0], 6) for name, values in GRID.items()}
    return {
        "study": {"name": "replay", "seed": 42},
        "engine": {"kind": kind},
        "prompts": {PROMPT: {name: start["prompts"][PROMPT][name] for name in ("system", "user")}},
        "objective": {name: start["objective"][name] for name in ("cases", "names")},
        "baseline": {"model": MODEL, "prompt": PROMPT, **BASELINE, **FIXED},
        "space": {name: {"low": values[0], "high": values[-1], "step": steps[name]} for name, values in GRID.items()},
    }


def grid() -> list[dict[str, float]]:
    """The values of all 48 configurations."""
    return [dict(zip(GRID, values, strict=True)) for values in itertools.product(*GRID.values())]


@dataclass
class Work:
    """The requests behind the table, as tasks.

    Attributes:
        model: The model's name on the engine.
        seeds: Number of seeds.
        names: Only these cases; all of the quick start by default.
        combinations: The configurations' values.
    """

    model: str = MODEL
    seeds: int = SEEDS
    names: Sequence[str] | None = None
    combinations: Sequence[dict[str, float]] = ()

    def __post_init__(self) -> None:
        from objectives import load_cases
        from sweeps.config.file import parse_config

        self.config = parse_config(toml_text(sweep_tables() | {"budget": {"generations": 600}}))
        table = self.config.objective
        self.cases = load_cases(self.config.cases_path, names=self.names or table.names)
        self.combinations = self.combinations or grid()

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
            options = {name: float(task.configuration.options[name]) for name in GRID}
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
        "options": json.dumps(dict(work.config.baseline.options) | dict.fromkeys(GRID, "see columns")),
        "prompt_system": prompt.system or "",
        "prompt_user": prompt.user,
        "date": datetime.now(UTC).date().isoformat(),
    }


def export(host: Any, ledger: Any, work: Work, path: Path = PARQUET) -> int:
    """Write the table; returns its number of rows.

    Raises:
        SystemExit: If not one seed is whole.
    """
    import pandas as pd
    import pyarrow as pa
    import pyarrow.parquet as pq

    rows = rows_of(host, ledger, work)
    if not rows:
        raise SystemExit("the ledger has no whole seed yet; go on with `python -m benchmarks.replay.replay --generate`")
    frame = pd.DataFrame(rows, columns=list(COLUMNS)).sort_values([*GRID, "case", "seed"], ignore_index=True)
    table = pa.Table.from_pandas(frame, preserve_index=False).replace_schema_metadata(provenance(host, work))
    path.parent.mkdir(parents=True, exist_ok=True)
    pq.write_table(table, path, compression="zstd", compression_level=19)
    return len(rows)


def load(path: Path = PARQUET) -> Any:
    """The table as a DataFrame with the columns `COLUMNS`.

    Raises:
        SystemExit: If it is absent.
    """
    import pandas as pd

    if not path.exists():
        raise SystemExit(f"{path.name} is absent; make it with `python -m benchmarks.replay.replay --generate`")
    return pd.read_parquet(path)


def make(given: Any) -> int:
    """Make the table, for `--generate` and `--export` of `replay.py`; returns 1 if answers are still missing.

    Args:
        given: The command's arguments: `generate`, `export`, `seeds`, `minutes`, `ledger` and `table`.
    """
    from sweeps.engines.llamacpp import LlamaCppEngine
    from sweeps.ledger.ledger import Ledger

    work = Work(seeds=given.seeds)
    given.ledger.mkdir(parents=True, exist_ok=True)
    engine, ledger = LlamaCppEngine(), Ledger(given.ledger / "ledger.db")
    missing = 0
    try:
        host = open_host(engine)
        if given.generate:
            missing = generate(host, ledger, work, minutes=given.minutes, report=lambda line: print(line, flush=True))
        if not missing or given.export:
            print(f"{export(host, ledger, work, given.table)} rows in {given.table.name}")
        if missing:
            print(f"{missing} generations are missing; the same command goes on from here")
    finally:
        ledger.close()
        engine.close()
    return 1 if missing else 0
