"""Models for the embedding and judge matchers, reached through the sweep's own engines."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

from sweeps.engines import EngineSpec, open_engine
from sweeps.engines.base import Engine, OptionValue, Prompt
from sweeps.options import default_options

JUDGE_OPTIONS: Mapping[str, OptionValue] = {"temperature": 0.3, "num_ctx": 8192, "num_predict": 2048}
"""A judge votes several times: a little temperature shows where it is unsure, fixed seeds keep its votes the same."""


class EngineModels:
    """`objectives.ModelAccess` on engines of the sweep's kind; a context manager that closes them.

    Args:
        spec: The sweep's engine. A matcher's own `host` replaces its address.
    """

    def __init__(self, spec: EngineSpec) -> None:
        self._spec = spec
        self._engines: dict[str | None, Engine] = {}
        self._asked: Counter[tuple[str, str]] = Counter()
        self._lock = threading.Lock()

    @property
    def used(self) -> bool:
        """Whether a matcher reached a model, which may have pushed the sweep's own model out of the server's memory."""
        return bool(self._engines)

    def __enter__(self) -> EngineModels:
        return self

    def __exit__(self, *_: object) -> None:
        for engine in self._engines.values():
            engine.close()
        self._engines.clear()

    def _engine(self, host: str | None) -> Engine:
        with self._lock:
            if host not in self._engines:
                self._engines[host] = open_engine(self._spec if host is None else replace(self._spec, host=host))
            return self._engines[host]

    def embedder(self, model: str, host: str | None) -> Callable[[list[str]], list[list[float]]]:
        """See `objectives.ModelAccess`."""
        return lambda texts: self._engine(host).embed(texts, model=model)

    def chat_json(self, model: str, host: str | None) -> Callable[[str, Mapping[str, Any]], Any]:
        """See `objectives.ModelAccess`. The k-th time that a prompt is asked it has seed k, so votes are repeatable."""

        def ask(prompt: str, schema: Mapping[str, Any]) -> Any:
            self._asked[model, prompt] += 1
            options = {**default_options(), **JUDGE_OPTIONS, "seed": self._asked[model, prompt]}
            return self._engine(host).chat_json(Prompt(prompt), schema, options=options, model=model)

        return ask
