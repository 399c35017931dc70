"""What a Modelfile of a study may name."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from sweeps.results.finalist_export import modelfile_options


def study(engine: str, version: str, honoured: tuple[str, ...] | None) -> Any:
    fingerprint = SimpleNamespace(facts={"engine": {"name": engine, "version": version}})
    stored = SimpleNamespace(record=SimpleNamespace(honoured=honoured))
    return SimpleNamespace(stored=stored, fingerprints={"m:1b": fingerprint})


@pytest.mark.parametrize(
    ("engine", "version", "kept"),
    [
        ("ollama", "0.33.0", {"temperature"}),
        ("ollama", "0.6.8", {"temperature", "mirostat"}),
        ("llamacpp", "b4000", {"temperature"}),  # the file is for a current Ollama, which has no mirostat
    ],
)
def test_it_names_what_the_ollama_that_reads_it_has(engine: str, version: str, kept: set[str]) -> None:
    assert modelfile_options(study(engine, version, ("mirostat", "temperature")), "m:1b") == kept


def test_older_studies_do_not_say_it() -> None:
    assert modelfile_options(study("ollama", "0.33.0", None), "m:1b") is None
