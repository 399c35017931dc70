"""A line of the doctor's report."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any, Literal


@dataclass(frozen=True)
class Finding:
    """What one check has found.

    Attributes:
        check: The check's name.
        state: `ok`, `wrong`, or `mended` for what was wrong.
        text: What was looked at, what is wrong, or what was mended, with the remedy where something is to be done.
        study: The study; None for the folder.
    """

    check: str
    state: Literal["ok", "wrong", "mended"]
    text: str
    study: str | None = None

    @property
    def line(self) -> str:
        """The finding as a line."""
        where = "" if self.study is None else f"{self.study}: "
        return f"{self.state:<6}  {where}{self.check}: {self.text}"

    def as_dict(self) -> dict[str, Any]:
        """Return JSON types."""
        return asdict(self)
