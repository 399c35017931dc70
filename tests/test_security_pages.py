"""The pages on security say what the program does, and the audit of dependencies finds what it is for."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]


def test_the_model_of_threats_names_its_sources_and_tests_that_exist() -> None:
    text = (ROOT / "SECURITY.md").read_text(encoding="utf-8")
    for source in ("a sweep's file", "rubrics, logs, tables", "texts of models", "servers of models"):
        assert f"| {source}" in text
    named = re.findall(r"`(tests/[\w/.]+\.py)`", text)
    assert len(named) >= 4
    assert [name for name in named if not (ROOT / name).is_file()] == []


def test_each_page_on_own_code_says_that_a_check_runs_it() -> None:
    pages = [ROOT / "README.md", *(ROOT / "docs").rglob("*.md")]
    texts = {page.name: page.read_text(encoding="utf-8") for page in pages}
    silent = [name for name, text in texts.items() if re.search(r'kind = "[\w.]+:\w+"', text) and "--trust" not in text]
    assert silent == []
    assert any(re.search(r'kind = "[\w.]+:\w+"', text) for text in texts.values())


@pytest.mark.skipif(os.name == "nt", reason="a script of bash")
@pytest.mark.parametrize(
    ("audit", "components", "code", "words"),
    [
        ("echo none; exit 0", ["mlflow", "optuna", "ollama"], 0, "3 components"),
        ("echo 'x 1.0: CVE-1'; exit 1", ["mlflow", "optuna", "ollama"], 1, "CVE-1"),
        ("echo 'error sending request'; exit 2", ["mlflow", "optuna", "ollama"], 0, "skipped"),
        ("exit 0", ["mlflow"], 1, "mlflow"),
    ],
)
def test_the_audit_of_dependencies_lists_them_and_fails_where_a_weakness_is_known(
    tmp_path: Path, audit: str, components: list[str], code: int, words: str
) -> None:
    """The script with a stand-in for uv, which writes the list (`export`) and asks the index (`audit`)."""
    for folder in (".ci", ".bootstrap/bin"):
        (tmp_path / folder).mkdir(parents=True)
    shutil.copy(ROOT / ".ci/audit", tmp_path / ".ci/audit")
    listed = json.dumps({"bomFormat": "CycloneDX", "components": [{"name": name} for name in components]})
    uv = tmp_path / ".bootstrap/bin/uv"
    uv.write_text(f"#!/bin/sh\n[ $1 = export ] && {{ echo '{listed}' > sbom.json; exit 0; }}\n{audit}\n")
    uv.chmod(0o755)
    command = ["bash", str(tmp_path / ".ci/audit"), "sbom.json"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == code, done.stderr
    assert words in done.stdout + done.stderr
