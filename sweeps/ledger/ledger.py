"""The ledger: every request and its full text, kept as soon as it arrives.

Resume is no special mode: the same plan is run again, and generations in the ledger are reused. The key of a generation
holds everything that its text depends on, so studies share generations. A text never counts as its own repeat, because
the repeat index is part of the key.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from sweeps.ledger.audits import Audits
from sweeps.ledger.claims import Claims
from sweeps.ledger.coordinators import Coordinator, Coordinators
from sweeps.ledger.copying import Copying
from sweeps.ledger.database import Database
from sweeps.ledger.generations import Generations
from sweeps.ledger.observations import Observations
from sweeps.ledger.probes import Probes
from sweeps.ledger.proposals import Proposals
from sweeps.ledger.studies import Studies
from sweeps.workspace.emptied_ledger import refuse_emptied
from sweeps.workspace.network_folder import refuse_network
from sweeps.workspace.study_lock import study_lock
from sweeps.workspace.workspace import Workspace


class Ledger:
    """Generations, observations, studies, proposals, probes and audits in a SQLite file or at any SQLAlchemy URL.

    Every write is one transaction, committed before the call returns, so a killed process loses at most the request
    that was in flight. SQLite waits for the disk with each text and each study. Observations and scores are derived
    from the texts and reach the disk with the next of these; a power failure may lose the last of them.

    It passes the suite `tests/conformance/ledger.py` at each kind of URL; the suite states the contract.

    Args:
        url: A SQLAlchemy URL, or the path of a SQLite file (made if missing). A file that may not be written, or stands
            in a folder that may not, is opened for reading.

    Attributes:
        url: The URL, without a password.
        read_only: Whether it was opened for reading, so that every write raises `LedgerError`.
        generations: Every request and its text.
        observations: The places of generations in studies, and their scores.
        studies: The studies.
        proposals: The trials that searches have proposed.
        probes: Results of probes.
        audits: Requests and records of audits.
        coordinators: The processes at work on studies.

    Raises:
        LedgerError: If the database cannot be opened, or was written by a newer version.
    """

    def __init__(self, url: str | Path) -> None:
        self._database = Database(str(url))
        self.url, self.read_only = self._database.url, self._database.read_only
        self.generations = Generations(self._database)
        self.observations = Observations(self._database)
        self.studies = Studies(self._database)
        self.proposals = Proposals(self._database)
        self.probes = Probes(self._database)
        self.audits = Audits(self._database)
        self.coordinators = Coordinators(self._database)

    def copying(self, target: Ledger) -> Copying:
        """Return what copies studies of this ledger into another one."""
        return Copying(self._database, target._database)

    @property
    def is_shared(self) -> bool:
        """Whether several coordinators can work on one study in it."""
        return not self._database.is_sqlite

    def claims(self, coordinator: Coordinator) -> Claims:
        """Return the shared tasks of a coordinator's study; only in PostgreSQL."""
        return Claims(self._database, coordinator)

    def close(self) -> None:
        """Close all connections. Idempotent."""
        self._database.close()


@contextmanager
def at_work(
    workspace: Workspace, ledger: Ledger, study: str, doing: str, *, warn: Callable[[str], object]
) -> Iterator[Coordinator]:
    """Work on a study: alone with SQLite, together with other coordinators with PostgreSQL.

    With SQLite a lock of the operating system counts. Beside it stands a row in the ledger, for file systems that
    cannot lock and folders that several machines see.

    Args:
        workspace: Where the study is.
        ledger: Its ledger.
        study: The study's name.
        doing: `RUN` or `RESCORE`; the message of a refused process names it.
        warn: Called with a message where the file system cannot lock.

    Raises:
        StudyBusyError: If another process works on it, and does not share its work.
    """
    problems: list[str] = []
    with ExitStack() as stack:
        if not workspace.is_shared:
            stack.enter_context(study_lock(workspace, study, doing, warn=problems.append))
        for problem in problems:
            warn(problem)
        yield stack.enter_context(ledger.coordinators.working(study, doing, unlocked=bool(problems)))


@contextmanager
def opened_ledger(workspace: Workspace) -> Iterator[Ledger]:
    """Open a workspace's ledger for writing, and close it at the end.

    Raises:
        SweepError: If the workspace's folder or the ledger cannot be written, the ledger has lost its contents, or the
            folder is on a network.
    """
    if workspace.storage is None:
        refuse_network(workspace.folder)
    workspace.require_writable()
    refuse_emptied(workspace)
    ledger = Ledger(workspace.ledger)
    try:
        yield ledger
    finally:
        ledger.close()
