"""Named pipes are refused at once where a file is needed."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from analysis.files.pipes import is_endless
from objectives.case_files import CaseError, load_cases, read_text
from sweeps.config.file import load_config
from sweeps.errors import ConfigError
from sweeps.fingerprints.fingerprint import Fingerprint, FingerprintError


@pytest.fixture
def pipe(tmp_path: Path) -> Path:
    path = tmp_path / "c.toml"
    os.mkfifo(path)
    return path


@pytest.mark.timeout(20)
@pytest.mark.parametrize(
    ("read", "error"),
    [(load_config, ConfigError), (Fingerprint.load, FingerprintError), (read_text, CaseError), (load_cases, CaseError)],
)
def test_a_pipe_is_refused(pipe: Path, read: object, error: type[Exception]) -> None:
    with pytest.raises(error, match=r"c\.toml"):
        read(pipe)  # type: ignore[operator]


def test_what_is_endless(pipe: Path, tmp_path: Path) -> None:
    assert is_endless(pipe)
    assert is_endless("/dev/zero")
    for path in (tmp_path, tmp_path / "none", Path(__file__), "/dev/stdin", "/dev/fd/0"):
        assert not is_endless(path)
