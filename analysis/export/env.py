"""A set of options as variables: for a shell, `docker --env-file` and readers of `.env` files."""

from __future__ import annotations

import re
import shlex

from analysis.export.export_set import NATIVE, PLACEHOLDER, STOP, ExportSet, Mode, OptionValue
from analysis.export.header import comments, header
from analysis.formatting import option_text

_SAFE = re.compile(r"[A-Za-z0-9_./:@%+,-]+")
_PLAIN = frozenset(map(chr, range(32, 127))) - frozenset("\"\\'$`")


def render_env(export: ExportSet, mode: Mode, stem: str | None) -> str:
    """Variables that mean the same to a shell, to docker and to readers of `.env` files.

    Args:
        export: The set.
        mode: See `analysis.export.formats.render`.
        stem: File name, without ending, of the prompts' files beside it; None where there are none.
    """
    name = f"{stem or mode}.env"
    values = _values(export, mode, stem)
    quoted = [f"OLLAMA_{key}" for key, value in values.items() if not _SAFE.fullmatch(value)]
    docker = f"--env-file {name}"
    if quoted:  # docker reads the quotes as part of the value
        docker += f", once you have removed the shell's quotes around {', '.join(quoted)}"
    notes = [*header(export, mode), f"in a shell:    set -a; . ./{name}; set +a", f"with docker:   {docker}"]
    if stem is not None and prompt_files(export):
        notes.append(f"OLLAMA_*_FILE are beside this file; replace {PLACEHOLDER} in the prompt by the log")
    lines = [f"OLLAMA_{key}={_quoted(value)}" for key, value in values.items()]
    return "\n".join([*comments(notes), *lines]) + "\n"


def prompt_files(export: ExportSet) -> dict[str, str]:
    """The prompts' texts by role, `system` and `user`; none for an export without a study's prompt."""
    if export.purpose and export.user == PLACEHOLDER and export.system is None:
        return {}
    return {"user": export.user} if export.system is None else {"system": export.system, "user": export.user}


def _values(export: ExportSet, mode: Mode, stem: str | None) -> dict[str, str]:
    """Values by the variable's name behind `OLLAMA_`."""
    values = {"MODEL": export.model}
    if export.prompt or not export.purpose:
        values["PROMPT"] = export.prompt
    if export.path != NATIVE:
        values["API_PATH"] = export.path
    if export.keep_alive is not None:
        values["KEEP_ALIVE"] = str(export.keep_alive)
    values |= {option.upper(): _text(option, value) for option, value in export.options_for(mode).items()}
    if stem is not None:
        for role in prompt_files(export):
            values["SYSTEM_FILE" if role == "system" else "PROMPT_FILE"] = f"{stem}.{role}.txt"
    return values


def _text(option: str, value: OptionValue) -> str:
    """An option's value; texts as JSON in plain ASCII without any character that a reader of the file may change.

    A shell, docker and the readers of `.env` files each treat quotes, `$` and backslashes in their own way.
    """
    if option != STOP or not isinstance(value, tuple):
        return option_text(value)
    return f"[{', '.join(map(_plain_json, value))}]"


def _plain_json(text: str) -> str:
    units = text.encode("utf-16-be", "surrogatepass")
    characters = (chr(int.from_bytes(units[at : at + 2], "big")) for at in range(0, len(units), 2))
    return '"' + "".join(each if each in _PLAIN else f"\\u{ord(each):04x}" for each in characters) + '"'


def _quoted(value: str) -> str:
    if _SAFE.fullmatch(value):
        return value
    printable = "".join(char if char.isprintable() else " " for char in value)
    if "'" in printable and not re.search(r'["$`\\!]', printable):
        return f'"{printable}"'  # readers of .env files do not know the shell's way to write ' within '
    return shlex.quote(printable)
