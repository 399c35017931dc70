"""Results of pure functions that are kept within the process, by the content of their arguments."""

from __future__ import annotations

import hashlib
import threading
from collections import OrderedDict
from collections.abc import Callable, Sequence
from typing import Generic, TypeVar

import numpy as np
import numpy.typing as npt

T = TypeVar("T")


class Remembered(Generic[T]):
    """The last results of a pure function of arrays; safe for threads.

    Args:
        most: Number of results; the one that was used longest ago makes room.
    """

    def __init__(self, most: int) -> None:
        self._most = most
        self._known: OrderedDict[bytes, T] = OrderedDict()
        self._turn = threading.Lock()

    def forget(self, which: Callable[[T], bool] = lambda _: True) -> None:
        """Forget results; by default all."""
        with self._turn:
            self._known = OrderedDict((key, known) for key, known in self._known.items() if not which(known))

    def get(self, arguments: Sequence[npt.ArrayLike], make: Callable[[], T]) -> T:
        """Return the known result for these arguments, otherwise make it."""
        digest = hashlib.blake2b()
        for each in map(np.asarray, arguments):
            digest.update(repr((each.shape, each.dtype.str)).encode())
            digest.update(np.ascontiguousarray(each).tobytes())
        key = digest.digest()
        with self._turn:
            if key in self._known:
                self._known.move_to_end(key)
                return self._known[key]
        made = make()
        with self._turn:
            self._known[key] = made
            while len(self._known) > self._most:
                self._known.popitem(last=False)
        return made
