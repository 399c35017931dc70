"""Models for the embedding and judge matchers, reached through the sweep's own engines."""

from __future__ import annotations

import hashlib
import json
import threading
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from sweeps.engines import open_engine
from sweeps.engines.base import Engine, Prompt
from sweeps.engines.spec import EngineSpec
from sweeps.options import OptionValue, default_options

JUDGE_OPTIONS: Mapping[str, OptionValue] = {"temperature": 0.3, "num_ctx": 8192, "num_predict": 2048}
"""Options of a judge. It votes several times: a little temperature shows doubt, and fixed seeds repeat its votes."""


class EngineModels:
    """`objectives.ModelAccess` on engines of the sweep's kind; a context manager that closes them.

    Args:
        spec: The sweep's engine. A matcher's own `host` replaces its address.

    Attributes:
        attempt: Number of earlier failures to score the current text. It is part of the seeds, since a deterministic
            model would fail again with the same seeds.
    """

    def __init__(self, spec: EngineSpec) -> None:
        self._spec = spec
        self._engines: dict[str | None, Engine] = {}  # by the matcher's host
        self._embedded: Engine | None = None
        self.attempt = 0
        self._lock = threading.Lock()

    @property
    def used(self) -> bool:
        """Whether a matcher used a served model, which may have displaced the sweep's own in its memory."""
        return bool(self._engines)

    def __enter__(self) -> EngineModels:
        return self

    def __exit__(self, *_: object) -> None:
        for engine in self._engines.values():
            engine.close()
        self._engines.clear()
        if self._embedded is not None:
            self._embedded.close()
            self._embedded = None

    def _engine(self, host: str | None) -> Engine:
        with self._lock:
            if host not in self._engines:
                self._engines[host] = open_engine(self._spec if host is None else self._spec.at(host))
            return self._engines[host]

    def embedder(self, model: str, host: str | None) -> Callable[[list[str]], list[list[float]]]:
        """See `objectives.ModelAccess`."""
        return lambda texts: self._engine(host).embed(texts, model=model)

    def gguf_embedder(self, path: Path) -> Callable[[list[str]], list[list[float]]]:
        """See `objectives.ModelAccess`; the file is loaded in this process.

        Raises:
            NotInstalled: If the embedded engine's library is not installed.
        """
        if self._embedded is None:
            self._embedded = open_engine(EngineSpec("llamacpp", log_dir=self._spec.log_dir))
        embedded = self._embedded
        return lambda texts: embedded.embed(texts, model=str(path))

    def chat_json(self, model: str, host: str | None) -> Callable[[str, Mapping[str, Any], int], Any]:
        """See `objectives.ModelAccess`.

        The seed depends on prompt, turn and attempt alone. A text therefore gets the same votes in any order of
        requests, and a resumed sweep agrees with an uninterrupted one.
        """

        def ask(prompt: str, schema: Mapping[str, Any], turn: int = 0) -> Any:
            options = {**default_options(), **JUDGE_OPTIONS, "seed": _seed(prompt, turn, self.attempt)}
            return self._engine(host).chat_json(Prompt(prompt), schema, options=options, model=model)

        return ask


def _seed(*parts: str | int) -> int:
    """A seed in [0, 2**31), the range of every engine, from a digest of its parts."""
    digest = hashlib.sha256(json.dumps(parts).encode()).digest()
    return int.from_bytes(digest[:4], "big") >> 1
