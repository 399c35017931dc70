"""What a Modelfile of a study may name."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pandas as pd
import pytest

from sweeps.options import Configuration
from sweeps.results.finalist_export import modelfile_options, sent_configuration

SET = Configuration("m:1b", "brief", {"temperature": 0.5})


def study(engine: str, versions: list[str], honoured: tuple[str, ...] | None, hosts: list[str] | None = None) -> Any:
    """A study whose finalist has fresh texts of some of its hosts, whose digests are their versions."""
    prints = [SimpleNamespace(facts={"engine": {"name": engine, "version": each}}, digest=each) for each in versions]
    stored = SimpleNamespace(record=SimpleNamespace(honoured=honoured))
    rows = pd.DataFrame({"configuration": SET.key, "host": hosts or versions})
    named = {each.digest: {"m:1b": each} for each in prints}
    return SimpleNamespace(stored=stored, hosts=named, stage=lambda _: rows)


@pytest.mark.parametrize(
    ("engine", "version", "kept"),
    [
        ("ollama", "0.33.0", {"temperature"}),
        ("ollama", "0.6.8", {"temperature", "mirostat"}),
        ("llamacpp", "b4000", {"temperature"}),  # the file is for a current Ollama, which has no mirostat
    ],
)
def test_it_names_what_the_ollama_that_reads_it_has(engine: str, version: str, kept: set[str]) -> None:
    assert modelfile_options(study(engine, [version], ("mirostat", "temperature")), SET) == kept


def test_older_studies_do_not_say_it() -> None:
    assert modelfile_options(study("ollama", ["0.33.0"], None), SET) is None


def test_it_is_for_the_hosts_that_wrote_the_finalists_fresh_texts() -> None:
    both, honoured = ["0.6.8", "0.33.0"], ("mirostat", "temperature")
    assert modelfile_options(study("ollama", both, honoured), SET) == {"temperature"}
    assert modelfile_options(study("ollama", both, honoured, ["0.6.8"]), SET) == {"temperature", "mirostat"}


@pytest.mark.parametrize(("models", "sent"), [([], None), ([{}], None), ([{"thinks": True}], True)])
def test_think_is_exported_where_every_host_is_known_to_have_sent_it(
    models: list[dict[str, bool]], sent: object
) -> None:
    """A study that knows no host of the model says nothing of it."""
    found = study("ollama", [str(number) for number in range(len(models))], ())
    for facts, prints in zip(models, found.hosts.values(), strict=True):
        prints["m:1b"].facts["model"] = facts
    found.config = SimpleNamespace(engine=SimpleNamespace(kind="ollama", options={}))
    assert sent_configuration(found, SET).options.get("think") is sent
