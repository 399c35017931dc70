"""Options that a command does not have, because they are keys of the sweep's file."""

from __future__ import annotations

import click

_COMMANDS = ("run", "compare", "check")


def key_hint(error: click.ClickException) -> str:
    """Return a sentence that names the key of the sweep's file which an unknown option stands for; "" for none."""
    if not isinstance(error, click.NoSuchOption) or error.ctx is None or error.ctx.info_name not in _COMMANDS:
        return ""
    from objectives.hints import nearest_name
    from sweeps.config.tables import SweepFile
    from sweeps.options import OPTIONS

    keys = {key: f"baseline.{key}" for key in ("model", "prompt", *OPTIONS)}
    for table, field in SweepFile.model_fields.items():
        for key in getattr(field.annotation, "model_fields", {}):
            keys.setdefault(key, f"{table}.{key}")
    found = nearest_name(error.option_name.lstrip("-").replace("-", "_"), keys)
    return "" if found is None else f"It may be the key {keys[found]} of the sweep's file; change it there.\n"
