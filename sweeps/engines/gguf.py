"""GGUF files without loading them: the header, which names the model, and a hash of what the file computes.

Layout: https://github.com/ggml-org/ggml/blob/master/docs/gguf.md (versions 2 and 3, little-endian). The package `gguf`
is not used because it builds every array and tensor (3 s and 195 MB for a file of 98 MB, against 0.1 s and 18 MB here).
"""

from __future__ import annotations

import hashlib
import math
import struct
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any, BinaryIO

from sweeps.engines.base import ModelMissing

MAGIC = b"GGUF"
_SCALARS = {0: "<B", 1: "<b", 2: "<H", 3: "<h", 4: "<I", 5: "<i", 6: "<f", 7: "<?", 10: "<Q", 11: "<q", 12: "<d"}
_STRING, _ARRAY = 8, 9
_LARGEST_STRING = 1 << 26

# `general.file_type` (llama.cpp's enum llama_ftype) by the names that Ollama shows as quantization_level.
_FILE_TYPES = {
    0: "F32", 1: "F16", 2: "Q4_0", 3: "Q4_1", 7: "Q8_0", 8: "Q5_0", 9: "Q5_1", 10: "Q2_K", 11: "Q3_K_S", 12: "Q3_K_M",
    13: "Q3_K_L", 14: "Q4_K_S", 15: "Q4_K_M", 16: "Q5_K_S", 17: "Q5_K_M", 18: "Q6_K", 19: "IQ2_XXS", 20: "IQ2_XS",
    21: "Q2_K_S", 22: "IQ3_XS", 23: "IQ3_XXS", 24: "IQ1_S", 25: "IQ4_NL", 26: "IQ3_S", 27: "IQ3_M", 28: "IQ2_S",
    29: "IQ2_M", 30: "IQ4_XS", 31: "IQ1_M", 32: "BF16", 36: "TQ1_0", 37: "TQ2_0", 38: "MXFP4",
}  # fmt: skip


# Weights and bytes of a block, by the tensor's type (ggml's enum ggml_type).
_BLOCKS = {
    0: (1, 4), 1: (1, 2), 2: (32, 18), 3: (32, 20), 6: (32, 22), 7: (32, 24), 8: (32, 34), 9: (32, 36), 10: (256, 84),
    11: (256, 110), 12: (256, 144), 13: (256, 176), 14: (256, 210), 15: (256, 292), 16: (256, 66), 17: (256, 74),
    18: (256, 98), 19: (256, 50), 20: (32, 18), 21: (256, 110), 22: (256, 82), 23: (256, 136), 24: (1, 1), 25: (1, 2),
    26: (1, 4), 27: (1, 8), 28: (1, 8), 29: (256, 56), 30: (1, 2), 34: (256, 54), 35: (256, 66), 39: (32, 17),
}  # fmt: skip
_CHUNK = 1 << 22


_RECURRENT = ("ssm.", "wkv.", "token_shift_count", "shortconv.", "kda.")
"""Beginnings of the keys of recurrent layers."""


class NoGguf(ModelMissing):
    """The file is missing, unreadable, or no GGUF."""


@dataclass(frozen=True)
class Header:
    """The metadata in a GGUF's header.

    Attributes:
        version: Version of the format.
        metadata: Scalars and strings by key; of arrays only the number of elements.
        parameters: Number of weights, summed over the tensors.
    """

    version: int
    metadata: dict[str, Any]
    parameters: int

    @property
    def quantization(self) -> str | None:
        """The name of the quantisation, such as `Q4_1`; None where the file does not say."""
        kind = self.metadata.get("general.file_type")
        return None if kind is None else _FILE_TYPES.get(kind, f"file type {kind}")

    @property
    def pooled(self) -> bool:
        """Whether the file says how the vectors of tokens become one vector of a text, as embedding models do."""
        return any(key.endswith(".pooling_type") and value for key, value in self.metadata.items())

    @property
    def family(self) -> str | None:
        """The architecture, such as `llama`."""
        return self.metadata.get("general.architecture")

    @property
    def context_length(self) -> int | None:
        """Tokens of context that the model was trained with."""
        return self.metadata.get(f"{self.family}.context_length")

    @property
    def template(self) -> str | None:
        """The chat template."""
        return self.metadata.get("tokenizer.chat_template")


def state_bytes(header: Header) -> float | None:
    """Return the bytes per token of a prompt's evaluated state: keys and values of every layer, 2 bytes each.

    None where the header does not say, and for models with a sliding window or recurrent layers: they do not keep every
    token's keys and values, so a restored state need not be laid out as the evaluated one was.
    """
    own = {key.removeprefix(f"{header.family}."): value for key, value in header.metadata.items()}
    if own.get("attention.sliding_window") or any(key.startswith(_RECURRENT) for key in own):
        return None
    width, layers, heads = (own.get(name) for name in ("embedding_length", "block_count", "attention.head_count"))
    if not (isinstance(width, int) and isinstance(layers, int) and isinstance(heads, int) and heads > 0):
        return None
    groups = own.get("attention.head_count_kv")
    shared = min(groups, heads) if isinstance(groups, int) else heads
    return 4.0 * width * layers * shared / heads


def check(path: Path) -> None:
    """Refuse a file that is no GGUF, before llama.cpp is asked to load it.

    Raises:
        NoGguf: With the path and the file's first bytes.
    """
    try:
        with path.open("rb") as file:
            magic = file.read(4)
    except FileNotFoundError:
        raise NoGguf(f"model file {path} does not exist") from None
    except OSError as error:
        raise NoGguf(f"model file {path} cannot be read: {error.strerror}") from None
    if magic != MAGIC:
        raise NoGguf(f"model file {path} is no GGUF: it starts with {magic!r}, not {MAGIC!r}; give the path of a GGUF")


def read_header(path: Path) -> Header:
    """Read a GGUF's metadata.

    Raises:
        NoGguf: If the file is missing, no GGUF, of an unknown version, or cut off within its header.
    """
    check(path)
    with path.open("rb") as file:
        file.seek(4)
        try:
            version, metadata, tensors = _read(file, path, None)
        except (EOFError, ValueError, OverflowError) as error:
            raise NoGguf(f"model file {path} is damaged within its header: {error}") from None
    return Header(version, metadata, sum(math.prod(tensor.shape) for tensor in tensors))


@dataclass(frozen=True)
class _Tensor:
    name: str
    shape: tuple[int, ...]
    kind: int
    offset: int

    def size(self, room: int) -> int:
        """Bytes of its data; all the room up to the next tensor's where the type is unknown."""
        weights, size = _BLOCKS.get(self.kind, (0, 0))
        return -(-math.prod(self.shape) // weights) * size if weights else room


def _read(file: BinaryIO, path: Path, arrays: dict[str, str] | None) -> tuple[int, dict[str, Any], list[_Tensor]]:
    """Read version, metadata and tensors; hashes of the elements go into `arrays`, unless it is None."""
    (version,) = struct.unpack("<I", _exactly(file, 4))
    if version not in (2, 3):
        raise NoGguf(f"model file {path} has GGUF version {version}; versions 2 and 3 are known")
    count, pairs = struct.unpack("<QQ", _exactly(file, 16))
    metadata = {}
    for _ in range(pairs):
        key = _string(file)
        kind = struct.unpack("<I", _exactly(file, 4))[0]
        start = file.tell()
        metadata[key] = _value(file, kind)
        if arrays is not None and kind == _ARRAY:
            size = file.tell() - start
            file.seek(start)
            arrays[key] = _digest(file, size, f"the array {key}")
    return version, metadata, [_tensor(file) for _ in range(count)]


def content_sha256(path: Path) -> str:
    """Return a SHA-256 in hex of what a GGUF computes: its tensors, and the metadata that say how.

    The same model has the same value in any order of keys and tensors, with any alignment, under any name. Names,
    authors and licences do not count (all of `general` but the architecture), nor does the chat template, which Ollama
    keeps beside the file.

    Raises:
        NoGguf: As `read_header` raises, or if a tensor's data is cut off.
    """
    check(path)
    arrays: dict[str, str] = {}
    with path.open("rb") as file:
        file.seek(4)
        try:
            _, metadata, tensors = _read(file, path, arrays)
            start = file.tell()
            step = int(metadata.get("general.alignment", 32)) or 32
            lines = [f"{key}={_text(arrays.get(key, value))}" for key, value in metadata.items() if _computes(key)]
            lines += _tensor_lines(file, tensors, start + -start % step, path.stat().st_size)
        except (EOFError, ValueError, OverflowError) as error:
            raise NoGguf(f"model file {path} is damaged: {error}") from None
    return hashlib.sha256("\n".join(sorted(lines)).encode()).hexdigest()


def _computes(key: str) -> bool:
    return key == "general.architecture" or not key.startswith(("general.", "tokenizer.chat_template", "split."))


def _text(value: Any) -> str:
    """Return a value as text. A float has the digits of 32 bits, whatever width it is stored in."""
    return f"{value:.7g}" if isinstance(value, float) else str(value)


def _tensor_lines(file: BinaryIO, tensors: list[_Tensor], start: int, end: int) -> list[str]:
    """Return a line with the hash of each tensor; the file is read once, from its start to its end."""
    lines = []
    ordered = sorted(tensors, key=lambda tensor: tensor.offset)
    for tensor, following in zip(ordered, [*(each.offset for each in ordered[1:]), end - start], strict=True):
        file.seek(start + tensor.offset)
        digest = _digest(file, tensor.size(following - tensor.offset), f"tensor {tensor.name}")
        shape = "x".join(map(str, tensor.shape))
        lines.append(f"tensor {tensor.name} {tensor.kind} {shape} {digest}")
    return lines


def _digest(file: BinaryIO, size: int, what: str) -> str:
    """Return the SHA-256 in hex of the next bytes of a file, of which a part at a time is in memory."""
    digest, left = hashlib.sha256(), size
    while left > 0:
        part = file.read(min(left, _CHUNK))
        if not part:
            raise EOFError(f"{what} ends {left} bytes too early")
        digest.update(part)
        left -= len(part)
    return digest.hexdigest()


def _exactly(file: BinaryIO, size: int) -> bytes:
    data = file.read(size)
    if len(data) != size:
        raise EOFError(f"it ends {size - len(data)} bytes too early")
    return data


def _string(file: BinaryIO) -> str:
    (size,) = struct.unpack("<Q", _exactly(file, 8))
    if size > _LARGEST_STRING:
        raise ValueError(f"a string of {size} bytes")
    return _exactly(file, size).decode("utf-8", "replace")


def _value(file: BinaryIO, kind: int) -> Any:
    if kind in _SCALARS:
        return struct.unpack(_SCALARS[kind], _exactly(file, struct.calcsize(_SCALARS[kind])))[0]
    if kind == _STRING:
        return _string(file)
    if kind != _ARRAY:
        raise ValueError(f"a value of the unknown type {kind}")
    element, count = struct.unpack("<IQ", _exactly(file, 12))
    if element in _SCALARS:
        file.seek(struct.calcsize(_SCALARS[element]) * count, 1)
    elif element == _STRING:
        for _ in range(count):
            _string(file)
    else:
        raise ValueError(f"an array of the unknown type {element}")
    return count


def _tensor(file: BinaryIO) -> _Tensor:
    name = _string(file)
    (dimensions,) = struct.unpack("<I", _exactly(file, 4))
    if dimensions > 8:
        raise ValueError(f"a tensor of {dimensions} dimensions")
    shape = struct.unpack(f"<{dimensions}Q", _exactly(file, 8 * dimensions))
    return _Tensor(name, shape, *struct.unpack("<IQ", _exactly(file, 12)))


def sha256(path: Path) -> str:
    """Return the file's SHA-256 in hex; cached in this process while size and change time stay the same."""
    stat = path.stat()
    return _sha256(path, stat.st_size, stat.st_mtime_ns)


@lru_cache(maxsize=32)
def _sha256(path: Path, size: int, mtime_ns: int) -> str:
    del size, mtime_ns  # parts of the cache's key only
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
