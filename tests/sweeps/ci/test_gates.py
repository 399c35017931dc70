"""Gates on a verdict: the pytest fixture, the GitHub Action, and the compose file."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import click
import pytest
import yaml
from check_jsonschema import main as check_jsonschema
from click.testing import CliRunner

from analysis.observations.table_error import TableError

ROOT = Path(__file__).parents[3]
CI = ROOT / "examples" / "ci"
SCORES = CI / "scores.csv"
ACTION = yaml.safe_load((ROOT / "action.yml").read_text(encoding="utf-8"))


# ---- pytest


def test_the_fixture_returns_the_verdict_that_was_expected(gate):
    verdict = gate(SCORES, baseline="old")

    assert verdict.outcome == "better"
    assert gate(SCORES, baseline="new", expect="worse").effect == pytest.approx(-verdict.effect)


def test_another_verdict_fails_the_test_with_its_sentence(gate):
    with pytest.raises(pytest.fail.Exception, match=r"expected equivalent or worse: new is better than old .*0\.098"):
        gate(SCORES, baseline="old", expect=["equivalent", "worse"], margin=0.01)


def test_a_failure_says_that_half_of_the_requests_failed(gate, tmp_path):
    header, *rows = SCORES.read_text(encoding="utf-8").splitlines()
    lost = [row.rpartition(",")[0] + "," if row.startswith("new") and n % 4 == 1 else row for n, row in enumerate(rows)]
    (tmp_path / "half.csv").write_text("\n".join([header, *lost]), encoding="utf-8")
    with pytest.raises(pytest.fail.Exception, match="20 of 40 rows of the configuration do not count"):
        gate(tmp_path / "half.csv", baseline="old", expect="worse")


@pytest.mark.parametrize(
    ("arguments", "error", "words"),
    [
        ({"baseline": "old", "expect": "beter"}, ValueError, "'beter' is no outcome; write one of better"),
        ({}, ValueError, "name the baseline: baseline=...; the labels are: new, old"),
        ({"baseline": "older"}, TableError, "older"),
    ],
)
def test_wrong_arguments_are_named(gate, arguments, error, words):
    with pytest.raises(error, match=words):
        gate(SCORES, **arguments)


def test_a_file_is_found_beside_the_test_and_a_missing_one_is_named(gate):
    beside = os.path.relpath(SCORES, Path(__file__).parent)

    assert gate(beside, baseline="old").outcome == "better"
    with pytest.raises(TableError, match=r"none\.csv"):
        gate("none.csv", baseline="old")


def test_the_example_passes_as_a_user_runs_it(monkeypatch, pytester):
    pytester.makepyfile((CI / "test_verdict.py").read_text(encoding="utf-8"))
    (pytester.path / "scores.csv").write_bytes(SCORES.read_bytes())

    pytester.runpytest_inprocess("-p", "no:cacheprovider").assert_outcomes(passed=1)


# ---- GitHub Action


def run_action(tmp_path: Path, **inputs: str) -> tuple[int, str, str, str]:
    """Run the action's script as a runner does; returns exit code, output, summary and the output `verdict`."""
    given = {name: str(about.get("default", "")) for name, about in ACTION["inputs"].items()} | inputs
    judge = ACTION["runs"]["steps"][-1]
    variables = {}
    for name, value in judge["env"].items():
        text = str(value)
        for key, replacement in given.items():
            text = text.replace("${{ inputs." + key + " }}", replacement)
        variables[name] = text
    places = {name: str(tmp_path / name) for name in ("GITHUB_OUTPUT", "GITHUB_STEP_SUMMARY")}
    command = f"{sys.executable} -m sweeps"
    done = subprocess.run(
        ["bash", "-e", "-o", "pipefail", "-c", judge["run"]], cwd=tmp_path, text=True, capture_output=True, check=False,
        env={**os.environ, **variables, **places, "SWEEPS": command, "RUNNER_TEMP": str(tmp_path)},
    )  # fmt: skip
    summary, output = (
        Path(places[name]).read_text(encoding="utf-8") if Path(places[name]).exists() else ""
        for name in ("GITHUB_STEP_SUMMARY", "GITHUB_OUTPUT")
    )
    return done.returncode, done.stdout + done.stderr, summary, output


def test_the_action_passes_and_shows_the_verdict(tmp_path):
    code, text, summary, output = run_action(tmp_path, table=str(SCORES), baseline="old", expect="equivalent better")
    assert (code, output) == (0, "verdict=better\n"), text
    assert "a gain of 0.098" in text
    assert "a gain of 0.098" in summary


def test_the_action_fails_on_another_verdict(tmp_path):
    code, text, _, output = run_action(tmp_path, table=str(SCORES), baseline="old", expect="worse")

    assert (code, output) == (1, "verdict=better\n")
    assert "::error::the verdict is 'better', expected: worse" in text


@pytest.mark.slow
def test_the_action_passes_only_if_every_configuration_is_as_expected_or_the_named_one(tmp_path):
    rows = SCORES.read_text(encoding="utf-8").splitlines()
    same = [row.replace("old,", "same,", 1) for row in rows if row.startswith("old,")]
    table = tmp_path / "three.csv"
    table.write_text("\n".join([*rows, *same]), encoding="utf-8")
    code, text, _, _ = run_action(tmp_path, table=str(table), baseline="old", expect="better")
    assert code == 1
    assert "which is not the verdict on same: not distinguishable" in text
    assert "::error::the verdict is 'better, not distinguishable', expected: better" in text
    code, text, _, output = run_action(tmp_path, table=str(table), baseline="old", expect="better", finalist="new")
    assert code == 0, text
    assert output.endswith("verdict=better\n")


def test_the_action_says_what_is_wrong_with_its_table(tmp_path):
    code, text, _, _ = run_action(tmp_path, table="none.csv", baseline="old")

    assert code == 2
    assert "none.csv" in text


def test_the_workflow_example_names_inputs_that_the_action_has():
    workflow = yaml.safe_load((CI / "verdict.yml").read_text(encoding="utf-8"))
    step = workflow["jobs"]["verdict"]["steps"][-1]

    assert step["with"].keys() <= ACTION["inputs"].keys()
    assert {name for name, about in ACTION["inputs"].items() if about.get("required")} <= step["with"].keys()


@pytest.mark.parametrize(
    ("schema", "files"),
    [
        ("compose-spec", "examples/compose/*.yaml"),
        ("github-workflows", "examples/*/*.yml"),
        ("github-actions", "action.yml"),
    ],
)
def test_files_for_other_programs_have_the_form_that_these_publish(schema, files, tmp_path):
    found = sorted(str(path) for path in ROOT.glob(files))
    wrong = tmp_path / "wrong.yaml"
    wrong.write_text("services: { a: { image: 1 } }\njobs: []\nruns: {}\n", encoding="utf-8")

    assert found
    assert CliRunner().invoke(check_jsonschema, ["--builtin-schema", f"vendor.{schema}", *found]).exit_code == 0
    assert CliRunner().invoke(check_jsonschema, ["--builtin-schema", f"vendor.{schema}", str(wrong)]).exit_code == 1


# ---- containers


@pytest.mark.parametrize("file", ["compose.yaml", "coordinators.yaml"])
def test_the_compose_file_opens_nothing_to_the_network_and_pins_what_it_runs(file):
    compose = yaml.safe_load((ROOT / "examples/compose" / file).read_text(encoding="utf-8"))
    services = compose["services"]

    assert [port for service in services.values() for port in service.get("ports", ())] == ["127.0.0.1:5000:5000"]
    images = [service["image"] for service in services.values() if "image" in service]
    assert images
    assert all(re.fullmatch(r"[a-z./]+:v?\d+(\.\d+)+", image) for image in images)
    needed = {name for service in services.values() for name in service.get("depends_on", {})}
    assert needed <= services.keys()
    mounted = {mount.partition(":")[0] for service in services.values() for mount in service.get("volumes", ())}
    assert {name for name in mounted if not name.startswith(".")} == compose["volumes"].keys()


@pytest.mark.parametrize("file", ["compose.yaml", "coordinators.yaml"])
def test_the_commands_and_variables_of_the_compose_file_are_ours(file, monkeypatch):
    from sweeps.cli import sweeps as group
    from sweeps.workspace.workspace import STORAGE_VARIABLE, Workspace

    compose = yaml.safe_load((ROOT / "examples/compose" / file).read_text(encoding="utf-8"))
    ours = [service for service in compose["services"].values() if service.get("command", [""])[0] == "sweeps"]
    monkeypatch.chdir(ROOT / "examples/compose")

    assert ours
    for service in ours:
        _, name, *arguments = service["command"]
        with click.Context(group) as context:
            group.get_command(context, name).make_context(name, arguments, parent=context)
        if STORAGE_VARIABLE in service["environment"]:
            monkeypatch.setenv(STORAGE_VARIABLE, service["environment"][STORAGE_VARIABLE])
            assert Workspace.at("mlruns").is_shared
        assert "./sweep.toml:/app/sweep.toml:ro" in service["volumes"]


def test_the_sweep_of_the_compose_file_is_valid(monkeypatch):
    from sweeps.config.file import load_config

    monkeypatch.setenv("OLLAMA_MODEL", "qwen2.5:0.5b")
    assert load_config(ROOT / "examples/compose/sweep.toml").baseline.model == "qwen2.5:0.5b"


def test_the_devcontainer_sets_up_as_the_readme_does():
    container = json.loads((ROOT / ".devcontainer/devcontainer.json").read_text(encoding="utf-8"))
    readme = (ROOT / "README.md").read_text(encoding="utf-8")

    assert container["postCreateCommand"].removesuffix("uv sync --locked") in readme
