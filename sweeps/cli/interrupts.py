"""Ctrl-C and SIGTERM: the first ends a command in order, the third ends the process at once."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType

_ENDING = b"\nending in order; press Ctrl-C once more to end at once (all generated texts are kept)\n"
_ENDED = b"\nended at once; all generated texts are kept, and the same command goes on\n"


class Interrupts:
    """Handler of signals that interrupts the process once, so that nothing is broken off while it ends.

    A second KeyboardInterrupt would hit the code that ends runs and closes databases, and print the tracebacks of
    libraries.

    Attributes:
        received: The signals so far.
    """

    def __init__(self) -> None:
        self.received: list[int] = []

    def __call__(self, number: int, _: FrameType | None) -> None:
        """Handle a signal.

        Raises:
            KeyboardInterrupt: For the first one.
        """
        self.received.append(number)
        if len(self.received) == 1:
            raise KeyboardInterrupt
        last = len(self.received) > 2
        os.write(2, _ENDED if last else _ENDING)  # safe in a handler, unlike `print`
        if last:
            os._exit(128 + number)

    @property
    def status(self) -> int:
        """Exit status of the interrupted process: 143 for SIGTERM, 130 for Ctrl-C."""
        return 128 + (self.received[-1] if self.received else int(signal.SIGINT))


@contextmanager
def handled(*numbers: signal.Signals) -> Iterator[Callable[[], int]]:
    """Handle signals by one `Interrupts` within the block; outside the main thread, where none arrive, nothing changes.

    A handler of an outer block stays.

    Yields:
        A function that returns the exit status afterwards.
    """
    outer = signal.getsignal(signal.SIGINT)
    handler = outer if isinstance(outer, Interrupts) else Interrupts()
    # a job in the background of a shell ignores Ctrl-C, which belongs to another one
    mine = [number for number in numbers if (number, signal.getsignal(number)) != (signal.SIGINT, signal.SIG_IGN)]
    before = []
    if threading.current_thread() is threading.main_thread():
        before = [(number, signal.signal(number, handler)) for number in mine]
    try:
        yield lambda: handler.status
    finally:
        for number, former in before:
            signal.signal(number, former)
