"""Engines that are given to a sweep instead of those that its file names."""

from __future__ import annotations

from pathlib import Path

import pytest

from objectives import load_cases
from sweeps.config.file import parse_config
from sweeps.engines.scripted.engine import ScriptedEngine
from sweeps.errors import ConfigError
from sweeps.hosts.sweep_hosts import open_hosts
from tests.sweeps.sweep_files import run, write_sweep


def engines(folder: Path, count: int) -> list[ScriptedEngine]:
    cases = load_cases(folder / "cases")
    return [ScriptedEngine(cases, address=f"given-{number}") for number in range(count)]


@pytest.mark.parametrize(
    ("hosts", "given", "told"),
    [
        (None, 2, r'2 engines were given, for 1 host; name all 2 .*: engine.hosts = \["ADDRESS-1", "ADDRESS-2"\]'),
        (["a", "b"], 3, r'3 engines were given, for 2 hosts; name all 3 .*"ADDRESS-3"\]'),
    ],
)
def test_more_engines_than_hosts(hosts: list[str] | None, given: int, told: str, tmp_path: Path) -> None:
    path = write_sweep(tmp_path, engine={"hosts": hosts})
    with pytest.raises(ConfigError, match=rf"sweep\.toml: engine\.hosts: {told}"):
        run(path, engine=engines(tmp_path, given))


def test_in_this_process_there_is_one(tmp_path: Path) -> None:
    text = write_sweep(tmp_path, engine={"kind": "llamacpp", "options": None}).read_text()
    with pytest.raises(ConfigError, match=r'engine\.hosts: 2 engines .*kind = "llamacpp" takes one engine'):
        open_hosts(engines(tmp_path, 2), parse_config(text))


def test_one_per_named_host_has_its_name(tmp_path: Path) -> None:
    path = write_sweep(tmp_path, engine={"hosts": ["a", "b"]}, budget={"generations": 90})
    result = run(path, engine=engines(tmp_path, 2))
    assert list(result.hosts) == ["a", "b"]
    assert result.observations["host"].nunique() == 2
    one = run(write_sweep(tmp_path, study={"name": "one"}), engine=engines(tmp_path, 1))
    assert list(one.hosts) == ["given-0"]
