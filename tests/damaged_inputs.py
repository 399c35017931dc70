"""Inputs that are near valid ones: samples with bytes changed, cut out or doubled, and with what breaks parsers."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from hypothesis import strategies as st

BREAKERS = [
    b"[" * 3000,
    b'{"a":' * 3000,
    b"9" * 5000,
    b"-1",
    b"1e999",
    b"NaN",
    b"null",
    b"true",
    b"[]",
    b"{}",
    b'""',
    b"0",
    b"\0",
    b"\xff\xfe",
    b"\xed\xa0\x80",
    b'"\\ud800"',
    b"\xef\xbb\xbf",
    b'"',
    b"'",
    b"\r",
    b"\n\n",
    b"\t",
    b",",
    b"=",
    b"\\",
    b"[[",
    b"(((((",
    b"{99999}",
    b"18446744073709551615",
    b"\xf0\x9f\x98\x80",
    "\u202e".encode(),
    b"1979-05-27T07:32:00Z",
    b"(?R)",
]


Number = Callable[[int, int], int]
"""Chooses a number from the first to the second, both included."""
Bytes = Callable[[int, int], bytes]
"""Chooses bytes; their number lies between the two."""


def damage(samples: list[bytes], number: Number, some_bytes: Bytes) -> bytes:
    """One of the samples with up to four changes, or now and then anything."""

    def one_of(values: Sequence[Any]) -> Any:
        return values[number(0, len(values) - 1)]

    if number(0, 15) == 0:
        return some_bytes(0, 60)
    data: bytes = one_of(samples)
    for _ in range(number(0, 4)):
        start = number(0, len(data))
        end = min(len(data), start + one_of([0, 0, 1, 2, 4, 8, 40]))
        what = number(0, 4)
        new = (
            b"" if what == 0
            else one_of(BREAKERS) if what <= 2
            else some_bytes(1, 8) if what == 3
            else data[start:end] * one_of([2, 50])
        )  # fmt: skip
        if what == 1 and (at := one_of([b":", b",", b"=", b"\n"])) in data[start:]:
            start = data.index(at, start) + 1
            ends = [place for mark in (b",", b"\n", b"}", b"]") if (place := data.find(mark, start)) >= 0]
            end = min(ends, default=len(data))
        data = data[:start] + new + data[end:]
    return data


@st.composite
def damaged(draw: st.DrawFn, samples: list[bytes]) -> bytes:
    """Damaged samples that hypothesis makes smaller where they fail."""
    return damage(
        samples,
        lambda low, high: draw(st.integers(low, high)),
        lambda low, high: draw(st.binary(min_size=low, max_size=high)),
    )
