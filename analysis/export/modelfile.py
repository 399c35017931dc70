"""A set of options as a Modelfile for `ollama create`."""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Mapping

from analysis.export.export_set import PLACEHOLDER, STOP, THINK, ExportError, ExportSet, Mode, OptionValue
from analysis.export.header import comments, header
from analysis.formatting import option_text

_MIROSTAT = ("mirostat", "mirostat_tau", "mirostat_eta")
# Names that `ollama create` accepts as a PARAMETER. Mirostat is deprecated: only for hosts known to honour it.
_MODELFILE_PARAMETERS = frozenset(
    {"temperature", "top_k", "top_p", "min_p", "typical_p", "repeat_penalty", "repeat_last_n", "presence_penalty"}
    | {"frequency_penalty", "num_ctx", "num_predict", "num_keep", "num_gpu", "num_thread", "num_batch", "seed", STOP}
    | {"draft_num_predict"}
)


def render_modelfile(export: ExportSet, mode: Mode, honoured: Collection[str] | None) -> str:
    """A Modelfile for `ollama create`.

    Raises:
        ExportError: If a Modelfile cannot hold the system prompt, or a text of `stop`.
    """
    options = export.options_for(mode)
    kept = {name: value for name, value in options.items() if _in_modelfile(name, honoured)}
    ignored = [name for name in options if name not in kept and name != THINK]
    system = export.system if export.system and PLACEHOLDER not in export.system else ""
    notes = [*header(export, mode), *_notes(export, options, system)]
    if ignored:
        notes.append(f"left out, because Ollama ignores them here: {', '.join(ignored)}")
    lines = [*comments(notes), f"FROM {export.model}"]
    for name, value in kept.items():
        values = map(_modelfile_stop, value) if isinstance(value, tuple) else [option_text(value)]
        lines += [f"PARAMETER {name} {text}" for text in values]
    if system:
        lines.append(f"SYSTEM {_modelfile_text(system)}")
    return "\n".join(lines) + "\n"


def _notes(export: ExportSet, options: Mapping[str, OptionValue], system: str) -> list[str]:
    """What a request for the model has to send, because a Modelfile cannot say it."""
    notes = []
    if THINK in options:
        notes.append(f"a Modelfile cannot set {THINK}; send it with each request: {json.dumps(options[THINK])}")
    if options.get(STOP) == ():
        notes.append(f"a Modelfile cannot take away the {STOP} of {export.model}; send {STOP} = [] with each request")
    if export.user.strip() not in ("", PLACEHOLDER):
        notes.append("a Modelfile has no place for the user prompt; send it with each request")
    if export.system == "":
        notes.append(
            f"a Modelfile cannot take away the system prompt of {export.model}; send an empty system message with each"
            " request"
        )
    elif export.system and not system:
        notes.append(f"{PLACEHOLDER} stands in the system prompt; send it with each request, with the log in its place")
    dropped = sorted({char for char in system if not char.isprintable() and char not in "\n\r\t"})
    if dropped:
        codes = ", ".join(f"U+{ord(char):04X}" for char in dropped)
        notes.append(f"ollama create drops these characters of the system prompt: {codes}")
    return notes


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
