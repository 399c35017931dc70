"""`sweeps schema`: the JSON Schema of a sweep's file, for editors."""

from __future__ import annotations

import click


@click.command()
def schema() -> None:
    """Print the JSON Schema of a sweep's TOML file, for editors and taplo.

    `sweeps init` writes it beside the file. For an older folder: sweeps schema > sweep.schema.json, and the first line
    of the TOML file is #:schema ./sweep.schema.json.
    """
    from sweeps.config.schema import schema_text

    click.echo(schema_text(), nl=False)
