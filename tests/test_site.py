"""The documentation's site: its references are complete, and its links lead somewhere. `.ci/run` builds it."""

from __future__ import annotations

import importlib.util
import re
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from types import ModuleType
from typing import Any

import click
import pytest

import analysis
import objectives
import sweeps
from sweeps.config.schema import sweep_schema

ROOT = Path(__file__).parent.parent


@cache
def hooks() -> ModuleType:
    spec = importlib.util.spec_from_file_location("site_hooks", ROOT / "docs/site_hooks.py")
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@cache
def sections(reference: str) -> Mapping[str, str]:
    """Sections of a generated reference by heading."""
    parts = re.split(r"^## `(?:sweeps )?(.*)`$", hooks().GENERATED[f"reference/{reference}.md"](), flags=re.MULTILINE)
    return dict(zip(parts[1::2], parts[2::2], strict=True))


def walked(command: click.Command, name: str) -> list[tuple[str, click.Command]]:
    """A command and all below it, by click's own means."""
    found = [] if name == "sweeps" else [(name, command)]
    if isinstance(command, click.Group):
        context = click.Context(command)
        for inner in command.list_commands(context):
            below = command.get_command(context, inner)
            assert below is not None
            found += walked(below, f"{name} {inner}")
    return found


def test_every_command_and_option_is_in_the_reference_with_its_meaning() -> None:
    from sweeps.cli import sweeps as group

    commands = walked(group, "sweeps")
    assert sorted(sections("cli")) == sorted(name.removeprefix("sweeps ") for name, _ in commands)
    for name, command in commands:
        rows = re.findall(r"^\| (`-.*) \| (.*) \|$", sections("cli")[name.removeprefix("sweeps ")], re.MULTILINE)
        described = {flag: about for cell, about in rows for flag in re.findall(r"`(--?[\w-]+)`", cell)}
        options = [option for option in command.params if isinstance(option, click.Option)]
        flags = {flag for option in options for flag in [*option.opts, *option.secondary_opts]}
        assert set(described) == flags, name
        assert [
            flag for flag, about in described.items() if not re.search("[a-z]", about.partition("(default")[0])
        ] == [], name


def test_every_key_of_the_file_is_in_the_reference_with_its_meaning() -> None:
    schema: dict[str, Any] = sweep_schema()
    tables = sections("keys")
    assert set(schema["properties"]) <= {name.strip("[]") for name in tables}
    for table, part in schema["properties"].items():
        known = schema["definitions"][part["$ref"].rpartition("/")[2]] if "$ref" in part else part
        rows = dict(re.findall(r"^\| `(\w+)` \|.*\| ([^|]*) \|$", tables[f"[{table}]"], re.MULTILINE))
        keys = set(known.get("properties", {}))
        if table in {"prompts", "candidates"}:  # tables of named tables
            keys = {"prompts": {"user", "system"}, "candidates": {"model", "prompt", "temperature"}}[table]
        assert keys
        assert keys <= set(rows), table
        assert [key for key in keys if not rows[key].strip()] == [], table


@pytest.mark.parametrize("package", [sweeps, objectives, analysis], ids=lambda package: package.__name__)
def test_every_public_name_is_in_the_reference(package: ModuleType) -> None:
    listed = re.findall(rf"^::: {package.__name__}\.(\w+)$", hooks().python_reference(), re.MULTILINE)
    assert set(listed) == {name for name in package.__all__ if not name.startswith("_")}
    bare = [name for name in listed if callable(getattr(package, name)) and not getattr(package, name).__doc__]
    assert bare == []


def test_every_page_is_in_the_navigation() -> None:
    navigation = (ROOT / "mkdocs.yml").read_text("utf-8").partition("\nnav:\n")[2]
    named = re.findall(r": (\S+\.md)$", navigation, re.MULTILINE)
    pages = {path.relative_to(ROOT / "docs").as_posix() for path in (ROOT / "docs").rglob("*.md")}
    assert len(named) == len(set(named))
    assert set(named) >= pages
    assert {name for name in named if not name.startswith("recipes/")} <= pages


@pytest.mark.parametrize(
    ("source", "target", "leads_to"),
    [
        ("guides/ci.md", "../statistics.md", "../statistics.md"),
        ("index.md", "../README.md", "repository/README.md"),
        ("guides/ci.md", "../../examples/ci/scores.csv", "../repository/examples/ci/scores.csv"),
        ("guides/three-machines.md", "../../examples/audit", "../repository/examples/audit/files.md"),
        ("repository/README.md", "docs/index.md", "../index.md"),
        ("repository/examples/pipeline/README.md", "../../docs/index.md", "../../../index.md"),
        ("index.md", "https://example.org/a.md", "https://example.org/a.md"),
        ("index.md", "nowhere.md", "nowhere.md"),
    ],
)
def test_links_that_leave_the_pages_lead_to_copies(source: str, target: str, leads_to: str) -> None:
    assert hooks().site_target(source, target) == leads_to


def test_what_a_browser_would_fetch_from_elsewhere_is_found() -> None:
    page = '<a href="https://a.org">a</a> <img src="x.png"> <script src="https://b.org/x.js"></script>'
    page += '<link rel="stylesheet" href="//c.org/f.css"><link rel="icon" href="favicon.png">'
    assert hooks().foreign_parts(page) == ["https://b.org/x.js", "//c.org/f.css"]
