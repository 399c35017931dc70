"""The command line that all benchmarks share: `--quick`, `--json`, and how a benchmark is skipped."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any


def parser(doc: str | None, *, quick: str) -> argparse.ArgumentParser:
    """A parser with `--quick` and `--json`.

    Args:
        doc: The benchmark's docstring, shown by `--help`.
        quick: How `--quick` is smaller; it should end within a minute on an idle machine.
    """
    made = argparse.ArgumentParser(description=doc, formatter_class=argparse.RawDescriptionHelpFormatter)
    made.add_argument("--quick", action="store_true", help=quick)
    made.add_argument("--json", action="store_true", help="print one JSON object on one line, no table")
    return made


def some_of(known: Sequence[str], what: str) -> Callable[[str], tuple[str, ...]]:
    """Return the `type` of an argument that names some of these, with commas between.

    Args:
        known: The names.
        what: What they name, for the message.
    """

    def chosen(text: str) -> tuple[str, ...]:
        names = tuple(text.split(","))
        if unknown := [name for name in names if name not in known]:
            raise argparse.ArgumentTypeError(f"no {what} {unknown[0]!r}; there are {', '.join(known)}")
        return names

    return chosen


def setting(text: str) -> tuple[str, str, Any]:
    """The `type` of an argument that sets a key of a sweep's file: `confirm.runoff=2` as table, key and TOML value."""
    import tomllib

    name, _, value = text.partition("=")
    table, _, key = name.partition(".")
    try:
        return table, key, tomllib.loads(f"value = {value}")["value"]
    except tomllib.TOMLDecodeError:
        raise argparse.ArgumentTypeError(f'{text!r} is no TABLE.KEY=VALUE in TOML, as search.start="near"') from None


def tables_of(settings: Iterable[tuple[str, str, Any]]) -> dict[str, dict[str, Any]]:
    """Settings as tables of a sweep's file."""
    tables: dict[str, dict[str, Any]] = {}
    for table, key, value in settings:
        tables.setdefault(table, {})[key] = value
    return tables


def show(given: argparse.Namespace, figures: Mapping[str, Any], table: Iterable[str]) -> int:
    """Print the figures as one line of JSON or as a table; returns the exit code 0."""
    if given.json:
        print(json.dumps(figures))
    else:
        for line in table:
            print(line, flush=True)
    return 0


def skip(given: argparse.Namespace, reason: str) -> int:
    """Report that the benchmark cannot run here; returns the exit code 0."""
    if given.json:
        print(json.dumps({"skipped": reason}))
    print(f"skipped: {reason}", file=sys.stderr)
    return 0


def missing_model() -> str:
    """Why the embedded model cannot be used here; empty where it can."""
    from sweeps.engines.embedded_model import embedded_model_path

    return "" if embedded_model_path() else "the embedded model is not installed (dependency group `embedded`)"
