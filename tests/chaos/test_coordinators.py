"""Coordinators on PostgreSQL that are killed again and again: nothing is lost, doubled or judged otherwise."""

from __future__ import annotations

import os
import random
import signal
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from sweeps.config.file import load_config
from sweeps.engines.scripted.engine import ScriptedEngine
from sweeps.hosts.sweep_hosts import engine_specs
from sweeps.results.reader import load_result
from sweeps.results.result import SweepResult
from sweeps.workspace.workspace import Workspace
from tests.marks import long
from tests.sweeps.sweep_files import run, write_sweep

pytestmark = [pytest.mark.postgres, pytest.mark.slow]

COORDINATORS = 3


class Noted(ScriptedEngine):
    """Notes each answer of the sweep in a file that survives its process; warm-ups and probes do not count."""

    file: Path

    def generate(self, prompt: Any, options: Any, **more: Any) -> Any:
        answer = super().generate(prompt, options, **more)
        if options["num_predict"] != 1 and prompt.user.startswith("Summarise"):
            with self.file.open("a") as notes:
                notes.write(f"{hash((prompt.user, *sorted(options.items())))}\n")
        return answer


class Coordinators:
    """Processes that run one sweep together; they are forks, which spares them the imports."""

    def __init__(self, path: Path, place: Workspace) -> None:
        self.path, self.place, self.notes = path, place, path.with_name("notes")
        self.pids: list[int] = []
        self.statuses: list[int] = []

    def start(self) -> None:
        """Start one more."""
        pid = os.fork()
        if not pid:
            status = 1
            try:
                engine = Noted.from_spec(engine_specs(load_config(self.path))[0])
                assert isinstance(engine, Noted)
                engine.file = self.notes
                run(self.path, directory=self.place, engine=engine, progress=None)
                status = 0
            finally:
                os._exit(status)
        self.pids.append(pid)

    def kill(self, pid: int) -> None:
        """Kill one, if it has not ended by itself."""
        os.kill(pid, signal.SIGKILL)
        _, status = os.waitpid(pid, 0)
        self.pids.remove(pid)
        if not os.WIFSIGNALED(status):
            self.statuses.append(status)

    def wait(self) -> None:
        """Wait for all."""
        while self.pids:
            self.statuses.append(os.waitpid(self.pids.pop(), 0)[1])

    def requests(self) -> int:
        """The number of answers so far."""
        return len(self.notes.read_text().splitlines()) if self.notes.exists() else 0


@pytest.fixture
def coordinators(tmp_path: Path, postgres_url: str, request: pytest.FixtureRequest) -> Iterator[Coordinators]:
    generations, delay = request.param
    path = write_sweep(
        tmp_path,
        engine={"options": {"delay": delay}},
        search={"sampler": "random", "batch": 4},
        budget={"generations": generations},
    )
    found = Coordinators(path, Workspace(tmp_path / "mlruns", storage=postgres_url))
    yield found
    for pid in list(found.pids):
        found.kill(pid)


def asked_for(result: SweepResult) -> Counter[tuple[object, ...]]:
    """Stage, configuration, case and seed of the observations."""
    columns = result.observations[["stage", "configuration", "case", "seed"]]
    return Counter(columns.itertuples(index=False, name=None))


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
@pytest.mark.timeout(1800)
@pytest.mark.parametrize(
    ("coordinators", "kills"), [((90, 0.02), 4), long((2000, 0.02), 20)], indirect=["coordinators"]
)
def test_killed_coordinators_lose_and_double_nothing(coordinators: Coordinators, kills: int, tmp_path: Path) -> None:
    chance = random.Random(7)
    for _ in range(COORDINATORS):
        coordinators.start()
    planned = load_config(coordinators.path).budget.generations or 0
    done = 0
    while done < kills and coordinators.pids:
        if coordinators.requests() < (done + 0.5) * 0.8 * planned / kills:
            time.sleep(0.02)
            continue
        coordinators.kill(chance.choice(coordinators.pids))
        coordinators.start()
        done += 1
    coordinators.wait()
    assert done == kills
    assert coordinators.statuses == [0] * COORDINATORS

    together = load_result(coordinators.place)
    alone = run(coordinators.path, directory=tmp_path / "alone")
    assert together.status == "done"
    assert asked_for(together) == asked_for(alone)
    assert max(asked_for(together).values()) == 1
    assert not together.observations["score"].isna().any()
    assert together.verdict == alone.verdict
    before = coordinators.requests()
    assert before - len(together.observations) <= kills  # the text in flight is lost with its process
    again = run(coordinators.path, directory=coordinators.place)  # one coordinator on the same observations
    assert again.verdict == together.verdict
    assert coordinators.requests() == before
