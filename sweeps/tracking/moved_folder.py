"""Places of artifacts in a local store whose folder was moved or copied.

MLflow keeps the absolute address of every run's artifacts. A folder `mlruns` in another place would lose its tables,
reports and plots, and a copy would show those of the original.
"""

from __future__ import annotations

import sqlite3
from contextlib import closing

from sweeps.tracking.mlflow_store import STUDY
from sweeps.workspace.workspace import Workspace

_OF_STUDIES = """
    SELECT experiment_id, artifact_location FROM experiments
    JOIN experiment_tags USING (experiment_id)
    WHERE key = ? AND artifact_location != ? AND artifact_location LIKE 'file:%/artifacts'
"""
_CHANGES = (
    "UPDATE runs SET artifact_uri = ? || substr(artifact_uri, ?) WHERE artifact_uri LIKE ? AND experiment_id = ?",
    "UPDATE trace_tags SET value = ? || substr(value, ?) WHERE value LIKE ? AND key = 'mlflow.artifactLocation'"
    " AND request_id IN (SELECT request_id FROM trace_info WHERE experiment_id = ?)",
)


def mend_locations(workspace: Workspace) -> int:
    """Let the studies of a workspace's own store find their artifacts in the workspace's folder.

    Experiments that are not ours, or whose artifacts were never in a folder of this kind, stay as they are. A store
    that is missing, busy or of an unknown version stays as it is too.

    Args:
        workspace: The workspace, where its folder is now.

    Returns:
        How many experiments had other places.
    """
    if not workspace.runs_file.is_file():
        return 0
    now = workspace.artifacts.as_uri()
    try:
        with closing(sqlite3.connect(workspace.runs_file, timeout=10)) as database, database:
            found = database.execute(_OF_STUDIES, (STUDY, now)).fetchall()
            for experiment, before in found:
                for change in _CHANGES:
                    database.execute(change, (now, len(before) + 1, f"{before}/%", experiment))
                database.execute(
                    "UPDATE experiments SET artifact_location = ? WHERE experiment_id = ?", (now, experiment)
                )
            return len(found)
    except sqlite3.Error:  # opening the store reports what is wrong with it
        return 0
