"""Exports: a tuned set of options as files for a pipeline, with its origin inside each file.

Four forms: `env` (sourced by a shell or given to `docker --env-file`), `json` (a request body for `/api/chat`, its
`options` exactly the API's object), `modelfile` (for `ollama create`) and `toml` (a `[baseline]` table for the next
sweep). Rendering is pure; `write_exports` puts the files in place atomically.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Literal, get_args

from analysis.export.env import prompt_files, render_env
from analysis.export.export_set import (
    MEASURING_SEED,
    MODES,
    PLACEHOLDER,
    ExportError,
    ExportSet,
    Mode,
    OptionValue,
)
from analysis.export.files import write_together
from analysis.export.header import FORCED, comments, header, verdict_text
from analysis.export.modelfile import render_modelfile
from analysis.export.request import render_json
from analysis.formatting import option_text

__all__ = [
    "FORCED",
    "FORMATS",
    "MEASURING_SEED",
    "MODES",
    "PLACEHOLDER",
    "ExportError",
    "ExportSet",
    "Format",
    "Mode",
    "remove_unforced",
    "render",
    "write_exports",
]

Format = Literal["env", "json", "modelfile", "toml"]

FORMATS: tuple[Format, ...] = get_args(Format)

_SUFFIXES: Mapping[Format, str] = {"env": ".env", "json": ".json", "modelfile": ".Modelfile", "toml": ".toml"}


def render(
    export: ExportSet,
    fmt: Format,
    mode: Mode = "production",
    *,
    honoured: Collection[str] | None = None,
    stem: str | None = None,
) -> str:
    """One export as text.

    Args:
        export: The set.
        fmt: `env`, `json`, `modelfile` or `toml`.
        mode: `production` (as tuned, no seed) or `baseline` (temperature 0, fixed seed, the rest as tuned).
        honoured: Options that have an effect on the host (from the probe); a Modelfile leaves out the others. None:
            unknown; then only mirostat is left out, which Ollama dropped in v0.7.0.
        stem: File name, without ending, of the text files with the prompts, for the `env` form (see `write_exports`).
            None: they are not mentioned.

    Returns:
        The file's text, ending in a newline.

    Raises:
        ExportError: If the set is not shown better, or breaks a limit, and is not forced; if `fmt` or `mode` is
            unknown; or if the form cannot hold the set.
    """
    if fmt not in FORMATS:
        raise ExportError(f"unknown export format {fmt!r}; valid: {', '.join(FORMATS)}")
    if mode not in MODES:
        raise ExportError(f"unknown export mode {mode!r}; valid: {', '.join(MODES)}")
    if export.unproven and not export.forced:
        why = "" if export.shown_better else f"is not shown better than the baseline ({verdict_text(export)})"
        raise ExportError(
            f"configuration {export.configuration} of study {export.study!r} "
            f"{' and '.join(filter(None, [why, *export.broken]))}; export it anyway with --force, and the files will "
            "say so"
        )
    renderers: Mapping[Format, Callable[[], str]] = {
        "env": lambda: render_env(export, mode, stem),
        "json": lambda: render_json(export, mode),
        "modelfile": lambda: render_modelfile(export, mode, honoured),
        "toml": lambda: _render_toml(export, mode),
    }
    return renderers[fmt]()


def write_exports(
    export: ExportSet,
    folder: Path,
    *,
    formats: Iterable[Format] = ("env", "json"),
    mode: Mode = "production",
    force: bool = False,
    honoured: Collection[str] | None = None,
    stem: str | None = None,
) -> list[Path]:
    """Write exports into a folder; each file appears whole or not at all.

    The `env` and `modelfile` forms come with `<stem>.system.txt` and `<stem>.user.txt`, because a prompt has several
    lines and an env file has room for one. Everything is rendered before the first file is written.

    Args:
        export: The set.
        folder: Folder to write to; created if missing.
        formats: Any of `FORMATS`.
        mode: See `render`.
        force: Export a set that is not shown better, or beyond a limit; the first lines of the files say so.
        honoured: See `render`.
        stem: File name without ending; default the mode, so that a pipeline can count on `production.env`.

    Returns:
        The paths written, in order.

    Raises:
        ExportError: As for `render`, or if a file cannot be written.
    """
    stem = stem or mode
    if Path(stem).name != stem:
        raise ExportError(f"an export's name must be a plain file name, not {stem!r}")
    if force:
        export = replace(export, forced=True)
    files: dict[str, str] = {}
    for fmt in dict.fromkeys(formats):
        files[stem + _SUFFIXES.get(fmt, "")] = render(export, fmt, mode, honoured=honoured, stem=stem)
        if fmt in ("env", "modelfile"):
            files |= {f"{stem}.{role}.txt": text for role, text in prompt_files(export).items()}
    try:
        return write_together({folder / name: text for name, text in files.items()}, private=True)
    except OSError as error:
        reason = error.strerror or error
        raise ExportError(f"cannot write into {folder}: {reason}; choose another folder with --out") from error


def remove_unforced(folder: Path) -> None:
    """Remove exports whose verdict no longer holds: the files `production.*` and `baseline.*` of a folder.

    All files of a mode stay if one of them says that it was exported by force, because they share the prompts' files.
    """
    for mode in MODES:
        files = sorted(folder.glob(f"{mode}.*"))
        if not any(FORCED in path.read_text(encoding="utf-8", errors="replace") for path in files):
            for path in files:
                path.unlink()


def _render_toml(export: ExportSet, mode: Mode) -> str:
    notes = header(export, mode)
    if mode == "baseline":
        notes.append(f"seed {MEASURING_SEED} is left out: a sweep chooses its own seeds")
    options = {name: value for name, value in export.options_for(mode).items() if name != "seed"}
    lines = ["[baseline]", f"model = {_toml_text(export.model)}"]
    lines += [f"prompt = {_toml_text(export.prompt)}"] if export.prompt or not export.purpose else []
    lines += [f"{name} = {_toml_value(value)}" for name, value in options.items()]
    return "\n".join([*comments(notes), *lines]) + "\n"


def _toml_text(text: str) -> str:
    return json.dumps(text, ensure_ascii=False).replace("\x7f", "\\u007f")


def _toml_value(value: OptionValue) -> str:
    if isinstance(value, tuple):
        return f"[{', '.join(map(_toml_text, value))}]"
    return _toml_text(value) if isinstance(value, str) else option_text(value)
