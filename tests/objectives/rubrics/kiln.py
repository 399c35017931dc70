"""A case about a kiln, sound in every way."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

LOG = """\
Petra: The kiln on line 2 tripped at 03:12, and 460 plates were cooling inside.
Jonas: Thermocouple B read 1,390 degrees while A and C read 1,210. I replaced B, the reading is fine now.
Petra: So we scrap the 460 plates?
Jonas: No. We fire them again on Thursday with the slow program.
Petra: Fine, I tell the customer in Graz that delivery moves to 4 June.
"""
ITEMS = [
    ("A faulty thermocouple tripped the kiln on line 2.", 1, {}),
    ("The plates are fired again on Thursday.", 1, {}),
    ("Jonas replaced thermocouple B.", 2, {}),
    ("Delivery moves to 4 June.", 2, {"all": ["4 June"]}),
    ("460 plates were cooling inside.", 3, {"any": ["460"]}),
    ("Petra tells the customer in Graz.", 4, {"any": ["Graz"]}),
    ("The kiln tripped at 03:12.", 5, {"any": ["03:12"]}),
]


def write(folder: Path, items: list[tuple[str, int, Mapping]] | None = None, log: str = LOG, **head: object) -> Path:
    lines = [f"{key} = {str(value).lower()}" for key, value in head.items()]
    for text, level, rest in ITEMS if items is None else items:
        lines += ["[[items]]", f"text = {text!r}" if "'" not in text else f'text = "{text}"', f"level = {level}"]
        lines += [f"{key} = {str(value).lower() if isinstance(value, bool) else value}" for key, value in rest.items()]
    (folder / "kiln.toml").write_text("\n".join(lines) + "\n", encoding="utf-8")
    (folder / "kiln.txt").write_text(log, encoding="utf-8")
    return folder
