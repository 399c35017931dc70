"""A short table as HTML, for results that show themselves in a notebook."""

from __future__ import annotations

from collections.abc import Mapping
from html import escape


def html_table(title: str, rows: Mapping[str, str], *notes: str) -> str:
    """Write a title, named values and notes as HTML; every text is escaped.

    Args:
        title: The first line, in bold.
        rows: Values by name; those that are "" are left out.
        notes: Paragraphs below the table; those that are "" are left out.
    """
    cells = "".join(
        f'<tr><th style="text-align: left">{escape(name)}</th><td style="text-align: left">{escape(value)}</td></tr>'
        for name, value in rows.items()
        if value
    )
    below = "".join(f"<p>{escape(note)}</p>" for note in notes if note)
    return f"<div><p><strong>{escape(title)}</strong></p><table><tbody>{cells}</tbody></table>{below}</div>"
