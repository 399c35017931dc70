"""The encoding of a text file: UTF-8, or a message that names the encoding that it looks like."""

from __future__ import annotations

import codecs
import shlex
import unicodedata
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from charset_normalizer import CharsetMatch

_ICONV = {
    "utf_16": "UTF-16",
    "utf_32": "UTF-32",
    "utf_16_le": "UTF-16LE",
    "utf_16_be": "UTF-16BE",
    "cp932": "CP932",  # Shift_JIS with the characters that Windows adds
    "euc_jp": "EUC-JP",
    "gb18030": "GB18030",
    "cp1252": "CP1252",  # Latin-1 with the characters that Windows adds
    "cp1251": "CP1251",
    "koi8_r": "KOI8-R",
    "cp1250": "CP1250",
    "iso8859_2": "ISO-8859-2",
    "big5": "BIG5",
    "cp949": "CP949",
    "cp1253": "CP1253",
    "cp1254": "CP1254",
}
"""Names for `iconv` of the encodings that are told apart, the more frequent of two similar ones first."""

_KNOWN_AS = {"cp932": "Shift_JIS", "cp1252": "Windows-1252 (Latin-1)", "cp1251": "Windows-1251 (Cyrillic)"}
_MARKS = {
    codecs.BOM_UTF32_LE: "utf_32",  # begins with the mark of UTF-16, so it comes first
    codecs.BOM_UTF32_BE: "utf_32",
    codecs.BOM_UTF16_LE: "utf_16",
    codecs.BOM_UTF16_BE: "utf_16",
}
_NEAR = 0.02
"""Two encodings whose disorder differs by less are equally likely; the more frequent one is then meant."""
_ALIKE = 0.1
"""The same for how much the letters are like those of some language."""
_SAMPLE = 1 << 15


@dataclass
class NotUtf8Error(ValueError):
    """A text that is not UTF-8.

    Attributes:
        message: The first byte that is wrong, its place, and the encoding that the text looks like.
        remedy: The command that converts the file.
        line: The line of that byte, from 1.
    """

    message: str
    remedy: str
    line: int

    def __str__(self) -> str:
        return f"{self.message} {self.remedy}"


def marked(data: bytes) -> str | None:
    """Return the encoding of a byte order mark of UTF-16 or UTF-32 (`utf_16`, `utf_32`), or None without one."""
    return next((name for mark, name in _MARKS.items() if data.startswith(mark)), None)


def decode(data: bytes, name: str = "FILE") -> str:
    """Decode UTF-8, with or without its byte order mark.

    Args:
        data: The bytes of the file.
        name: The file's name, for the command in the message.

    Raises:
        NotUtf8Error: It is not UTF-8, or has zero bytes, as UTF-16 has.
    """
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise _refusal(data, name, error.start) from None
    if "\0" in text:
        raise _refusal(data, name, data.index(b"\0"))
    return text


def decode_marked(data: bytes, name: str = "FILE") -> str:
    """Decode UTF-16 with its byte order mark, else UTF-8; arguments as for `decode`.

    Raises:
        NotUtf8Error: It is neither.
    """
    if marked(data) != "utf_16":
        return decode(data, name)
    try:
        return data.decode("utf-16")
    except UnicodeDecodeError as error:
        message = f"not UTF-16, as which it begins: {error.reason} at offset {error.start}."
        raise NotUtf8Error(message, "Save it as UTF-8.", 1) from None


def _refusal(data: bytes, name: str, start: int) -> NotUtf8Error:
    """Return the error for a file whose byte at `start` is not UTF-8."""
    message = f"not UTF-8: byte 0x{data[start]:02x} at offset {start}"
    encoding = looks_like(data)
    line = data.count(b"\n", 0, start) + 1
    if encoding is None:
        return NotUtf8Error(f"{message}; it looks like no text.", "Save it as UTF-8.", line)
    iconv = _ICONV[encoding]
    command = f"iconv -f {iconv} -t UTF-8 {shlex.quote(name)} > {shlex.quote(_converted(name))}"
    return NotUtf8Error(f"{message}; it looks like {_KNOWN_AS.get(encoding, iconv)}.", f"Convert it: {command}", line)


def _converted(name: str) -> str:
    """Return the name of the converted file: `chat.txt` becomes `chat.utf8.txt`."""
    stem, dot, ending = name.rpartition(".")
    return f"{stem}.utf8.{ending}" if dot and "/" not in ending else f"{name}.utf8"


def looks_like(data: bytes) -> str | None:
    """Return the encoding that bytes look like, by Python's name for it.

    Only encodings that are in use are compared (the keys of `_ICONV`): among all that Python knows, charset-normalizer
    takes short texts for rare ones. Latin-1 and Windows-1252 agree on all letters, so both are `cp1252`.

    Args:
        data: Some sentences; with fewer than about 20 letters beyond ASCII the answer is uncertain.

    Returns:
        The name, or None if the bytes look like no text.
    """
    from charset_normalizer import from_bytes

    if encoding := marked(data):
        return encoding
    sample = data[:_SAMPLE]
    if len(data) > _SAMPLE:  # whole lines: no character is cut, and text beyond ASCII may come late
        late = next((i for i, byte in enumerate(data) if byte > 127 or byte == 0), 0)
        begin = max(0, data.rfind(b"\n", 0, late) + 1) if b"\0" not in sample else 0
        sample = data[begin : begin + _SAMPLE]
        sample = sample[: sample.rfind(b"\n") + 1] or sample
        sample = sample[: len(sample) // 2 * 2] if b"\0" in sample else sample
    found = list(from_bytes(sample, cp_isolation=[name for name in _ICONV if name not in ("utf_16", "utf_32")]))
    if not found:
        return None
    least = min(match.chaos for match in found)
    ordered = [match for match in found if match.chaos <= least + _NEAR]
    fewest = min(_odd_signs(str(match)) for match in ordered)
    ordered = [match for match in ordered if _odd_signs(str(match)) == fewest]
    most = max(match.coherence for match in ordered)
    near = [name for match in ordered if match.coherence >= most - _ALIKE for name in _names(match)]
    return min((name for name in near if name in _ICONV), key=list(_ICONV).index, default=None)


def _odd_signs(text: str) -> int:
    """Count signs that stand inside a word where another encoding has letters, as in `pe³ny`."""
    return sum(
        before.isalpha() and unicodedata.category(sign) in ("No", "So", "Sk", "Sc") for before, sign in pairwise(text)
    )


def _names(match: CharsetMatch) -> list[str]:
    """Return all encodings by which a match reads the same text."""
    return [match.encoding, *match.could_be_from_charset]
