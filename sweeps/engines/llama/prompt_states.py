"""States of evaluated prompts: kept in memory, and restored where a prompt comes again."""

from __future__ import annotations

import os
import shutil
import tempfile
import threading
import weakref
from collections import OrderedDict
from collections.abc import Callable, Hashable
from pathlib import Path
from typing import Any

import psutil

from analysis.files.unfinished import remove_abandoned, unfinished
from sweeps.engines.base import EngineProtocolError

MOST_BYTES = 512 * 2**20
"""Limit of all kept states; a prompt of 563 tokens takes 13 MB with SmolLM2-135M."""

SHARE = 1 / 8
"""Largest part of the free memory that they may take."""


Slot = Callable[[str, str], dict[str, Any]]
"""Lets llama.cpp `save` its state into the file of a name, or `restore` it from there."""


class StateFile:
    """The file through which a state passes; it is empty before and after.

    On Linux it is a file in memory without a name, so that nothing is left of it when the process is killed. Elsewhere
    it is in a temporary folder; what a killed process left there is removed at the next start.

    Attributes:
        folder: Its folder, with a separator at the end.
        name: Its name there.
    """

    def __init__(self) -> None:
        if hasattr(os, "memfd_create") and Path("/proc/self/fd").is_dir():
            descriptor = os.memfd_create("state of a prompt")
            weakref.finalize(self, os.close, descriptor)
            self.folder, self.name = "/proc/self/fd/", str(descriptor)
        else:
            named = Path(tempfile.gettempdir()) / "slm-sweeps-state"
            remove_abandoned(named)
            folder = unfinished(named)
            folder.mkdir(mode=0o700)
            weakref.finalize(self, shutil.rmtree, folder, ignore_errors=True)
            self.folder, self.name = f"{folder}{os.sep}", "state"

    @property
    def path(self) -> Path:
        """Its path, for this process only."""
        return Path(self.folder + self.name)


class KeptStates:
    """States of prompts, for one load of a model or several equal ones. The least recently used goes first.

    Args:
        token_bytes: Returns the expected bytes per token; None keeps nothing.
        most_bytes: Limit of all states together.

    Attributes:
        turn: Held by the load that evaluates or restores a prompt. So the others find its state, instead of evaluating
            the same prompt at the same time.
    """

    def __init__(self, token_bytes: Callable[[], float | None], most_bytes: int = MOST_BYTES) -> None:
        self.turn = threading.RLock()
        self._token_bytes = token_bytes
        self._most_bytes = most_bytes
        self._given_up = False
        self._kept: OrderedDict[Hashable, bytes] = OrderedDict()

    def __len__(self) -> int:
        return len(self._kept)

    def has_room(self, tokens: int) -> bool:
        """Whether states of so many tokens can be kept at the same time."""
        each = None if self._given_up else self._token_bytes()
        return each is not None and int(each * tokens) <= self._limit()

    def make_room(self, tokens: int) -> bool:
        """Drop states until one of so many tokens fits; False, and nothing is dropped, if it never does."""
        with self.turn:
            if not self._given_up and self._token_bytes() is None:
                self.give_up()
            if not self.has_room(tokens):
                return False
            self._shrink(self._limit() - int((self._token_bytes() or 0.0) * tokens))
            return True

    def put(self, key: Hashable, state: bytes) -> None:
        """Keep a state."""
        with self.turn:
            if not self._given_up:
                self._kept[key] = state
                self._shrink(self._limit())

    def get(self, key: Hashable) -> bytes | None:
        """Return the state of a prompt; None if it is not kept."""
        with self.turn:
            if key in self._kept:
                self._kept.move_to_end(key)
            return self._kept.get(key)

    def give_up(self) -> None:
        """Drop all states, and keep none from now on."""
        with self.turn:
            self._kept.clear()
            self._given_up = True

    def _limit(self) -> int:
        held = sum(map(len, self._kept.values()))
        return min(self._most_bytes, int(SHARE * (psutil.virtual_memory().available + held)))

    def _shrink(self, most: int) -> None:
        while self._kept and sum(map(len, self._kept.values())) > most:
            self._kept.popitem(last=False)


class PromptStates:
    """Saves and restores the states of one load.

    Args:
        file: The file through which they pass.
        kept: Where they are kept.
    """

    def __init__(self, file: StateFile, kept: KeptStates) -> None:
        self._file = file
        self.kept = kept

    def keep(self, key: Hashable, tokens: int, slot: Slot) -> None:
        """Keep llama.cpp's present state, unless it is larger than the limit.

        Args:
            key: Everything that decides the rendered prompt.
            tokens: Tokens of the prompt.
            slot: See `Slot`.
        """
        if not self.kept.make_room(tokens):
            return
        try:
            saved = slot("save", self._file.name).get("n_saved")
            state = self._file.path.read_bytes()
        except (EngineProtocolError, OSError):
            self.kept.give_up()
            return
        finally:
            self._empty()
        if saved == tokens:  # else generated tokens are in it
            self.kept.put(key, state)

    def restore(self, key: Hashable, slot: Slot) -> bool:
        """Give llama.cpp the state of a prompt; False if none is kept."""
        state = self.kept.get(key)
        if state is None:
            return False
        try:
            self._file.path.write_bytes(state)
            slot("restore", self._file.name)
        except (EngineProtocolError, OSError):
            self.kept.give_up()
            return False
        finally:
            self._empty()
        return True

    def _empty(self) -> None:
        try:
            self._file.path.write_bytes(b"")
        except OSError:
            self.kept.give_up()
