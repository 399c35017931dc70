"""The sampler in the form that OptunaHub takes: a folder with a README, whose front matter describes it."""

from __future__ import annotations

import importlib.util
import re
import tomllib
from pathlib import Path

import optuna

from sweeps.samplers.gp import NoiseAwareSampler

ROOT = Path(__file__).parents[3]
PACKAGE = ROOT / "examples/optunahub/package/samplers/noise_aware_gp"
README = (PACKAGE / "README.md").read_text(encoding="utf-8")


def test_the_front_matter_has_what_the_registry_asks_for() -> None:
    head = re.match(r"---\n(.*?)\n---\n", README, re.DOTALL)
    assert head
    keys = dict(line.split(": ", 1) for line in head[1].splitlines())
    assert list(keys) == ["author", "title", "description", "tags", "optuna_versions", "license"]
    assert f"Copyright (c) 2026 {keys['author']}\n" in (PACKAGE / "LICENSE").read_text(encoding="utf-8")
    assert keys["tags"].startswith("[sampler, ")
    assert keys["license"] == "MIT License"
    for section in ("Abstract", "Class or Function Names", "Installation", "Example"):
        assert f"\n## {section}\n" in README
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    assert project["name"] in (PACKAGE / "requirements.txt").read_text(encoding="utf-8").split()


def test_the_example_runs_as_optunahub_loads_it() -> None:
    spec = importlib.util.spec_from_file_location("noise_aware_gp", PACKAGE / "__init__.py")
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    assert module.NoiseAwareSampler is NoiseAwareSampler
    (code,) = re.findall(r"```python\n(.*?)```", README, re.DOTALL)
    code = code.replace("import optunahub\n", "").replace("n_trials=30", "n_trials=8")
    code = code.replace('optunahub.load_module(package="samplers/noise_aware_gp")', "module")
    names: dict[str, object] = {"module": module}
    exec(compile(code, "README.md", "exec"), names)
    study = names["study"]
    assert isinstance(study, optuna.Study)
    assert len(study.trials) == 8
