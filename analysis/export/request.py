"""A set of options as the body of a request, for Ollama's own path and for the OpenAI-compatible one."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from analysis.export.export_set import NATIVE, THINK, ExportSet, Mode, OptionValue
from analysis.export.header import warning

OPENAI_NAMES: Mapping[str, str] = {
    "temperature": "temperature",
    "top_p": "top_p",
    "presence_penalty": "presence_penalty",
    "frequency_penalty": "frequency_penalty",
    "num_predict": "max_tokens",
    "stop": "stop",
    "think": "think",
    "seed": "seed",
}
"""Options that `/v1/chat/completions` takes, with its own names for them."""


def openai_options(options: Mapping[str, OptionValue]) -> dict[str, OptionValue]:
    """The options that a request on `/v1/chat/completions` can name; there no limit is no `max_tokens`."""
    return {
        name: value
        for name, value in options.items()
        if name in OPENAI_NAMES and not (name == "num_predict" and isinstance(value, (int, float)) and value <= 0)
    }


def openai_fields(options: Mapping[str, OptionValue]) -> dict[str, Any]:
    """Options as fields of a request on `/v1/chat/completions`; those that it does not know are left out."""
    fields: dict[str, Any] = {OPENAI_NAMES[name]: value for name, value in openai_options(options).items()}
    think = fields.pop("think", True)  # a model that can think does so where a request says nothing
    return fields if think is True else {**fields, "reasoning_effort": think or "none"}


def render_json(export: ExportSet, mode: Mode) -> str:
    """The body of a request for the path that was measured; `{log}` in a message is where the log goes."""
    body: dict[str, object] = {}
    if export.unproven:
        body["warning"] = warning(export)
    if export.cautions:
        body["caution"] = "; ".join(export.cautions)
    body["model"] = export.model
    options = export.options_for(mode)
    if export.path == NATIVE:
        if THINK in options:  # beside the options; among them Ollama would ignore it
            body[THINK] = options.pop(THINK)
        body["options"] = options
    else:
        body |= openai_fields(options)
    body["messages"] = [
        *([] if export.system is None else [{"role": "system", "content": export.system}]),
        {"role": "user", "content": export.user},
    ]
    body["stream"] = False
    if export.path == NATIVE:
        # By default the server silently cuts a prompt that is longer than num_ctx.
        body["truncate"] = False
        if export.keep_alive is not None:
            body["keep_alive"] = export.keep_alive
    body["provenance"] = export.provenance(mode)
    return json.dumps(body, indent=2, ensure_ascii=False, allow_nan=False) + "\n"
