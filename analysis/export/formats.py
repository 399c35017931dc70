"""Exports: a tuned set of options as files for a pipeline, with its origin inside each file.

Four forms: `env` (sourced by a shell or given to `docker --env-file`), `json` (a request body for `/api/chat`, its
`options` exactly the API's object), `modelfile` (for `ollama create`) and `toml` (a `[baseline]` table for the next
sweep). Rendering is pure; `write_exports` puts the files in place atomically.
"""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Literal, get_args

from analysis.export.export_set import (
    MEASURING_SEED,
    MODES,
    STOP,
    THINK,
    ExportError,
    ExportSet,
    Mode,
    OptionValue,
    finite,
)
from analysis.export.files import write_together
from analysis.formatting import arms_text, decimals, level_text, option_text, p_text

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

FORCED = "exported by force"
"""Written into each file of a set that was exported although not shown better, or beyond a limit."""

PLACEHOLDER = "{log}"
"""Marks the place of the log in a user prompt."""

_MIROSTAT = ("mirostat", "mirostat_tau", "mirostat_eta")
# Names that `ollama create` accepts as a PARAMETER. Mirostat is deprecated: only for hosts known to honour it.
_MODELFILE_PARAMETERS = frozenset(
    {"temperature", "top_k", "top_p", "min_p", "typical_p", "repeat_penalty", "repeat_last_n", "presence_penalty"}
    | {"frequency_penalty", "num_ctx", "num_predict", "num_keep", "num_gpu", "num_thread", "num_batch", "seed", STOP}
    | {"draft_num_predict"}
)
_ENV_SAFE = re.compile(r"[A-Za-z0-9_./:@%+,-]+")
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
        why = "" if export.shown_better else f"is not shown better than the baseline ({_verdict_text(export)})"
        raise ExportError(
            f"configuration {export.configuration} of study {export.study!r} "
            f"{' and '.join(filter(None, [why, *export.broken]))}; export it anyway with --force, and the files will "
            "say so"
        )
    renderers: Mapping[Format, Callable[[], str]] = {
        "env": lambda: _render_env(export, mode, stem),
        "json": lambda: _render_json(export, mode),
        "modelfile": lambda: _render_modelfile(export, mode, honoured),
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
            files |= {f"{stem}.{role}.txt": text for role, text in _prompt_files(export).items()}
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


def _prompt_files(export: ExportSet) -> dict[str, str]:
    return {role: text for role, text in (("system", export.system), ("user", export.user)) if text}


def _render_env(export: ExportSet, mode: Mode, stem: str | None) -> str:
    name = f"{stem or mode}.env"
    values: dict[str, str] = {"MODEL": export.model} | (
        {"PROMPT": export.prompt} if export.prompt or not export.purpose else {}
    )
    values |= {option.upper(): option_text(value) for option, value in export.options_for(mode).items()}
    shell = f"in a shell:    set -a; . ./{name}; set +a"
    notes = [*_header(export, mode), shell]
    if stem is not None:
        for role in _prompt_files(export):
            values["SYSTEM_FILE" if role == "system" else "PROMPT_FILE"] = f"{stem}.{role}.txt"
        notes.append(f"OLLAMA_*_FILE are beside this file; replace {PLACEHOLDER} in the prompt by the log")
    lines = [f"OLLAMA_{key}={_env_value(value)}" for key, value in values.items()]
    quoted = [f"OLLAMA_{key}" for key, value in values.items() if not _ENV_SAFE.fullmatch(value)]
    docker = f"--env-file {name}"
    if quoted:  # docker reads the quotes as part of the value
        docker += f", once you have removed the shell's quotes around {', '.join(quoted)}"
    notes.insert(notes.index(shell) + 1, f"with docker:   {docker}")
    return "\n".join([*_comments(notes), *lines]) + "\n"


def _render_json(export: ExportSet, mode: Mode) -> str:
    body: dict[str, object] = {}
    if export.unproven:
        body["warning"] = _warning(export)
    if export.cautions:
        body["caution"] = "; ".join(export.cautions)
    body["model"] = export.model
    options = export.options_for(mode)
    if THINK in options:  # beside the options; among them Ollama would ignore it
        body[THINK] = options.pop(THINK)
    body["options"] = options
    body["messages"] = [
        *([{"role": "system", "content": export.system}] if export.system else []),
        {"role": "user", "content": export.user},
    ]
    # By default the server silently cuts a prompt that is longer than num_ctx.
    body |= {"stream": False, "truncate": False, "provenance": export.provenance(mode)}
    return json.dumps(body, indent=2, ensure_ascii=False, allow_nan=False) + "\n"


def _render_modelfile(export: ExportSet, mode: Mode, honoured: Collection[str] | None) -> str:
    options = export.options_for(mode)
    kept = {name: value for name, value in options.items() if _in_modelfile(name, honoured)}
    ignored = [name for name in options if name not in kept and name != THINK]
    notes = _header(export, mode)
    if ignored:
        notes.append(f"left out, because Ollama ignores them here: {', '.join(ignored)}")
    if THINK in options:
        notes.append(f"a Modelfile cannot set {THINK}; send it with each request: {json.dumps(options[THINK])}")
    if options.get(STOP) == ():
        notes.append(f"a Modelfile cannot take away the {STOP} of {export.model}; send {STOP} = [] with each request")
    if export.user.strip() not in ("", PLACEHOLDER):
        notes.append("a Modelfile has no place for the user prompt; send it with each request")
    dropped = sorted({char for char in export.system if not char.isprintable() and char not in "\n\r\t"})
    if dropped:
        codes = ", ".join(f"U+{ord(char):04X}" for char in dropped)
        notes.append(f"ollama create drops these characters of the system prompt: {codes}")
    lines = [*_comments(notes), f"FROM {export.model}"]
    for name, value in kept.items():
        values = map(_modelfile_stop, value) if isinstance(value, tuple) else [option_text(value)]
        lines += [f"PARAMETER {name} {text}" for text in values]
    if export.system:
        lines.append(f"SYSTEM {_modelfile_text(export.system)}")
    return "\n".join(lines) + "\n"


def _in_modelfile(name: str, honoured: Collection[str] | None) -> bool:
    if name in _MIROSTAT:
        return honoured is not None and name in honoured
    return name in _MODELFILE_PARAMETERS and (name == "seed" or honoured is None or name in honoured)


def _modelfile_stop(text: str) -> str:
    """A text in quotes; Ollama's parser knows no escapes, and drops characters that are not printable."""
    if any(not char.isprintable() and char not in "\n\r\t" for char in text):
        raise ExportError(f"a Modelfile cannot hold {text!r} of {STOP}; use json or env")
    return f'"{text}"' if text.isprintable() and '"' not in text else _modelfile_text(text)


def _modelfile_text(text: str) -> str:
    """Text in triple quotes, which Ollama's parser ends at the first line break after three quotes."""
    # The parser drops characters that are not printable before it looks for quotes.
    seen = "".join(char for char in text if char.isprintable() or char in "\n\r\t")
    for line_break in re.finditer(r"[\r\n]", seen):
        before = f'"""{seen[: line_break.start()]}'.strip()
        if len(before) >= 6 and before.endswith('"""'):
            raise ExportError(
                f'a Modelfile cannot hold this text: a line ends in """ ({before[3:].splitlines()[-1]!r}); '
                "use json or env"
            )
    return f'"""{text}"""'


def _render_toml(export: ExportSet, mode: Mode) -> str:
    notes = _header(export, mode)
    if mode == "baseline":
        notes.append(f"seed {MEASURING_SEED} is left out: a sweep chooses its own seeds")
    options = {name: value for name, value in export.options_for(mode).items() if name != "seed"}
    lines = ["[baseline]", f"model = {_toml_text(export.model)}"]
    lines += [f"prompt = {_toml_text(export.prompt)}"] if export.prompt or not export.purpose else []
    lines += [f"{name} = {_toml_value(value)}" for name, value in options.items()]
    return "\n".join([*_comments(notes), *lines]) + "\n"


def _header(export: ExportSet, mode: Mode) -> list[str]:
    """The lines at the top of a file; the warning first."""
    if export.purpose:
        lines = [export.purpose]
    else:
        lines = [_warning(export)] if export.unproven else [f"Shown better than the baseline: {_verdict_text(export)}"]
    lines += [f"CAUTION: {caution}" for caution in export.cautions]
    if mode == "baseline":
        about = "" if export.purpose else " The verdict is about the options as tuned."
        lines.append(f"For measuring: temperature 0, seed {MEASURING_SEED}.{about}")
    facts = export.provenance(mode) | {"seeds": _seeds_text(export.seeds)}
    groups = (
        ("study", "trial", "candidate", "configuration", "prompt"),
        ("model_digest", "weights_sha256"),
        ("engine", "engine_version", "host", "host_digest"),
        ("seeds",),
        ("slm_sweeps", "date"),
    )
    for group in groups:
        known = [f"{name.replace('_', ' ')}: {facts[name]}" for name in group if facts.get(name) not in (None, "")]
        lines += [" | ".join(known)] if known else []
    return lines


def _warning(export: ExportSet) -> str:
    limits = "; ".join(export.broken)
    if export.shown_better:
        return f"BEYOND A LIMIT, {FORCED}: {limits} | shown better than the baseline: {_verdict_text(export)}"
    warning = f"NOT SHOWN BETTER THAN THE BASELINE, {FORCED}: {_verdict_text(export)}"
    return f"{warning} | BEYOND A LIMIT: {limits}" if limits else warning


def _verdict_text(export: ExportSet) -> str:
    parts = [export.outcome or "no verdict"]
    effect, low, high = finite(export.effect), finite(export.ci_low), finite(export.ci_high)
    if effect is not None:
        d = decimals(*(each for each in (effect, low, high) if each is not None))
        interval = "" if low is None or high is None else f" [{low:+.{d}f}, {high:+.{d}f}]"
        level = f", {level_text(export.level)} interval" if interval and export.level is not None else ""
        parts.append(f"effect {effect:+.{d}f}{level}{interval}")
    if (p_value := finite(export.p_value)) is not None:
        parts.append(p_text(p_value, 0.05 if export.level is None else 1 - export.level))
    if export.n_per_arm is not None:
        both = (export.n_finalist or export.n_per_arm, export.n_baseline or export.n_per_arm)
        parts.append(arms_text(export.n_per_arm, *both))
    if export.claim:
        parts.append(f"for {export.claim.replace('-', ' ')}")
    return ", ".join(parts)


def _seeds_text(seeds: Sequence[int]) -> str:
    if len(seeds) <= 10:
        return ", ".join(map(str, seeds))
    return f"{len(seeds)} seeds, {min(seeds)} to {max(seeds)}"


def _comments(lines: Iterable[str]) -> list[str]:
    """Comment lines, with every name on one line, so that no part of it becomes a command."""
    return ["# " + "".join(char if char.isprintable() else " " for char in line) for line in lines]


def _env_value(value: str) -> str:
    return value if _ENV_SAFE.fullmatch(value) else shlex.quote("".join(c if c.isprintable() else " " for c in value))


def _toml_text(text: str) -> str:
    return json.dumps(text, ensure_ascii=False).replace("\x7f", "\\u007f")


def _toml_value(value: OptionValue) -> str:
    if isinstance(value, tuple):
        return f"[{', '.join(map(_toml_text, value))}]"
    return _toml_text(value) if isinstance(value, str) else option_text(value)
