"""slm-sweeps: parameter sweeps for small language models, judged against run-to-run noise.

`Sweep.from_toml(path).run()` runs a sweep and returns a `SweepResult`. Names are imported when they are first used.
"""

from __future__ import annotations

import os
from importlib import import_module
from importlib.util import find_spec
from typing import TYPE_CHECKING

from sweeps.version import __version__ as __version__

if TYPE_CHECKING:  # for type checkers and editors; tests/sweeps/test_public_face.py compares it with _HOMES
    from analysis.observations.table_error import TableError as TableError
    from analysis.verdict.judge import judge as judge
    from sweeps.audits.audit import audit as audit
    from sweeps.audits.result import Audit as Audit
    from sweeps.config.file import load_config as load_config
    from sweeps.config.sweep_config import SweepConfig as SweepConfig
    from sweeps.engines.base import EngineError as EngineError
    from sweeps.errors import ConfigError as ConfigError
    from sweeps.errors import SweepError as SweepError
    from sweeps.ledger.existing import StudyMissingError as StudyMissingError
    from sweeps.options import Configuration as Configuration
    from sweeps.progress.base import Progress as Progress
    from sweeps.progress.base import Silent as Silent
    from sweeps.progress.base import Standing as Standing
    from sweeps.progress.live import RichProgress as RichProgress
    from sweeps.progress.plain import PlainProgress as PlainProgress
    from sweeps.results.export_error import ExportError as ExportError
    from sweeps.results.reader import load_result as load_result
    from sweeps.results.result import SweepResult as SweepResult
    from sweeps.results.study_diff import StudyDiff as StudyDiff
    from sweeps.results.study_diff import diff_studies as diff_studies
    from sweeps.scoring.scorer import ScoringError as ScoringError
    from sweeps.study.identity import StudyChangedError as StudyChangedError
    from sweeps.study.rescore import rescore_study as rescore_study
    from sweeps.study.sweep import Sweep as Sweep
    from sweeps.tracking.read_table import read_table as read_table
    from sweeps.workspace.study_lock import StudyBusyError as StudyBusyError

_HOMES = {
    "Audit": "sweeps.audits.result",
    "ConfigError": "sweeps.errors",
    "Configuration": "sweeps.options",
    "EngineError": "sweeps.engines.base",
    "ExportError": "sweeps.results.export_error",
    "PlainProgress": "sweeps.progress.plain",
    "Progress": "sweeps.progress.base",
    "RichProgress": "sweeps.progress.live",
    "ScoringError": "sweeps.scoring.scorer",
    "Silent": "sweeps.progress.base",
    "Standing": "sweeps.progress.base",
    "StudyBusyError": "sweeps.workspace.study_lock",
    "StudyChangedError": "sweeps.study.identity",
    "StudyMissingError": "sweeps.ledger.existing",
    "Sweep": "sweeps.study.sweep",
    "SweepConfig": "sweeps.config.sweep_config",
    "SweepError": "sweeps.errors",
    "SweepResult": "sweeps.results.result",
    "TableError": "analysis.observations.table_error",
    "audit": "sweeps.audits.audit",
    "StudyDiff": "sweeps.results.study_diff",
    "diff_studies": "sweeps.results.study_diff",
    "judge": "analysis.verdict.judge",
    "load_config": "sweeps.config.file",
    "load_result": "sweeps.results.reader",
    "read_table": "sweeps.tracking.read_table",
    "rescore_study": "sweeps.study.rescore",
}

__all__ = ["__version__"]
__all__ += list(_HOMES)


def __getattr__(name: str) -> object:
    if name in _HOMES:
        return getattr(import_module(_HOMES[name]), name)
    raise AttributeError(f"module 'sweeps' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})


def _refuse_hidden(name: str) -> None:
    """Refuse to start if a folder or file of the user hides a package beside this one.

    Python imports the first match on its path, which begins with the script's folder. Without this check, a later
    import fails with a message about an unknown module.

    Raises:
        ImportError: Naming the folder or file.
    """
    own = os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), name)
    try:
        spec = find_spec(name)
    except ValueError:  # a module made by hand, which has no spec
        return
    if spec is None or spec.origin is None or not os.path.isdir(own):
        return
    found = os.path.dirname(spec.origin) if os.path.basename(spec.origin).startswith("__init__.") else spec.origin
    if os.path.realpath(found) != os.path.realpath(own):
        raise ImportError(
            f"{found} hides the package {name!r} of slm-sweeps, since it has the same name and comes first on Python's"
            " path. Rename it. If the name must stay and your code does not import it, run the script with python -P;"
            " start python -c and notebooks from another folder.",
            name=name,
            path=found,
        )


for _name in ("objectives", "analysis"):
    _refuse_hidden(_name)
