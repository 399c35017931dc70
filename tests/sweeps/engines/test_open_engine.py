"""Opening engines from a specification."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from sweeps.engines import open_engine
from sweeps.engines.spec import KINDS, EngineSpec
from sweeps.errors import ConfigError


def test_importing_the_package_loads_no_engine() -> None:
    heavy = ("ollama", "xllamacpp", "httpx", "numpy", "pydantic", "stamina")
    code = f"import sys, sweeps.engines; print([name for name in {heavy} if name in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_an_unknown_kind() -> None:
    with pytest.raises(ConfigError, match=r"'olama' is unknown.*did you mean 'ollama'"):
        open_engine(EngineSpec("olama"))


@pytest.mark.parametrize("kind", KINDS)
def test_unknown_settings_are_all_named(kind: str) -> None:
    if kind == "llamacpp":
        pytest.importorskip("xllamacpp")
    with pytest.raises(ConfigError) as caught:
        open_engine(EngineSpec(kind, options={"nonsense": 1, "fautls": 2}))
    assert len(caught.value.problems) == 2
    if kind == "scripted":
        assert "did you mean 'faults'" in str(caught.value)


@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind != "llamacpp"])
def test_opening_sends_nothing(kind: str) -> None:
    open_engine(EngineSpec(kind, host="127.0.0.1:1", timeout=5, log_dir=Path("nowhere"))).close()
    assert not Path("nowhere").exists()
