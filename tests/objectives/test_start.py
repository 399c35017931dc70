"""What `import objectives` costs."""

from __future__ import annotations

import subprocess
import sys


def test_importing_objectives_is_cheap() -> None:
    heavy = ("numpy", "scipy", "pandas", "sklearn", "regex")
    code = f"import sys, objectives; print([m for m in {heavy} if m in sys.modules])"
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert ran.stdout.strip() == "[]"
