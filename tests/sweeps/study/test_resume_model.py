"""A sweep on the real embedded model, interrupted and resumed, gives the texts of an uninterrupted one."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from typing import Any

import pytest

from sweeps.engines.embedded_model import embedded_model_path
from sweeps.results.reader import load_result
from sweeps.results.result import SweepResult
from tests.sweeps.sweep_files import run, steady, write_sweep

pytestmark = [
    pytest.mark.model,
    pytest.mark.timeout(300),
    pytest.mark.skipif(
        importlib.util.find_spec("xllamacpp") is None or embedded_model_path() is None,
        reason="the embedded engine or its model is not installed",
    ),
]


class Interrupted:
    """An engine that is stopped with Ctrl-C at one of its requests."""

    def __init__(self, inner: Any, at: int) -> None:
        self._inner, self._left = inner, at

    def __getattr__(self, name: str) -> Any:
        return getattr(self._inner, name)

    def at_once(self, *_: Any) -> int:
        """One request at a time: its companions would not be counted."""
        return 1

    def generate(self, *arguments: Any, **named: Any) -> Any:
        self._count()
        return self._inner.generate(*arguments, **named)

    def warm_up(self, *arguments: Any, **named: Any) -> Any:
        self._count()
        return self._inner.warm_up(*arguments, **named)

    def _count(self) -> None:
        self._left -= 1
        if self._left < 0:
            raise KeyboardInterrupt


def tiny(folder: Path) -> Path:
    path = write_sweep(
        folder,
        cases=1,
        baseline={"model": "smollm2:135m", "temperature": 0.8, "num_ctx": 512, "num_predict": 4},
        space={"temperature": [0.4, 1.0]},
        budget={"generations": 16, "floor_seeds": 2, "seeds": 1},
        search={"sampler": "random", "probe": False, "batch": 2},
    )
    lines = [line for line in path.read_text().splitlines() if not line.startswith("engine")]
    path.write_text("\n".join([*lines, 'engine = {kind = "llamacpp"}']))
    return path


@pytest.mark.slow
def test_interrupted_and_resumed_is_the_same_text_by_text(tmp_path: Path) -> None:
    from sweeps.config.file import load_config
    from sweeps.engines import open_engine
    from sweeps.hosts.sweep_hosts import engine_specs

    whole = run(tiny(tmp_path / "whole"))
    path = tiny(tmp_path / "parts")
    engine = open_engine(engine_specs(load_config(path), tmp_path / "logs")[0])
    try:
        with pytest.raises(KeyboardInterrupt):
            run(path, engine=Interrupted(engine, whole.plan.total))
    finally:
        engine.close()
    assert load_result(path.parent / "mlruns").status == "stopped"
    resumed = run(path)
    assert texts(resumed) == texts(whole)
    assert steady(resumed.observations) == steady(whole.observations)
    assert resumed.verdict == whole.verdict


def texts(result: SweepResult) -> list[tuple[Any, ...]]:
    keys = ["stage", "configuration", "case", "seed"]
    return sorted(result.texts[[*keys, "text"]].itertuples(index=False, name=None))
