"""The script that takes a fingerprint on a machine without the package."""

from __future__ import annotations

import re
from pathlib import Path

_FUTURE = "from __future__ import annotations\n"
_OWN = re.compile(r"^from sweeps\.fingerprints.*\n", re.MULTILINE)


def script_text() -> str:
    """Return `system.py` and `standalone.py` as one file that needs the standard library alone."""
    folder = Path(__file__).parent
    system, standalone = ((folder / name).read_text(encoding="utf-8") for name in ("system.py", "standalone.py"))
    about, _, rest = standalone.partition(_FUTURE)
    body = _OWN.sub("", rest).replace("\nFORMAT = ", "\nsystem = sys.modules[__name__]\n\nFORMAT = ", 1)
    facts = system.partition(_FUTURE)[2]
    return f"#!/usr/bin/env python3\n{about}{_FUTURE}{facts.rstrip()}\n\n\n{body.lstrip()}"
