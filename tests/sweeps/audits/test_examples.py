"""The examples of examples/audit can be read, and their commands exist."""

import plistlib
import re
import shlex
from pathlib import Path

import pytest
import yaml

from sweeps.cli.audit import audit

FOLDER = Path(__file__).parents[3] / "examples" / "audit"
GUIDE = Path(__file__).parents[3] / "docs" / "guides" / "three-machines.md"


def known_options():
    return {name for parameter in audit.params for name in parameter.opts}


def commands(text):
    return re.findall(r"sweeps audit ((?:[^\n>`|\\]|\\\n)*)", text)


@pytest.mark.parametrize("path", [*sorted(FOLDER.iterdir()), GUIDE], ids=lambda path: path.name)
def test_the_options_of_each_command_exist(path):
    found = commands(path.read_text(encoding="utf-8"))
    assert found
    for command in found:
        words = shlex.split(command.replace("\\\n", " "), comments=True)
        assert {word for word in words if word.startswith("-")} <= known_options(), command


def test_launchd_and_github_can_read_their_files():
    job = plistlib.loads((FOLDER / "com.example.sweeps-audit.plist").read_bytes())
    assert job["ProgramArguments"][:2] == ["/bin/sh", "-c"]
    shlex.split(job["ProgramArguments"][2])
    workflow = yaml.safe_load((FOLDER / "github-actions.yml").read_text())
    assert workflow["jobs"]["audit"]["steps"]
    *_, line = (FOLDER / "crontab").read_text().splitlines()
    assert re.match(r"30 4 \* \* 1\s", line)
