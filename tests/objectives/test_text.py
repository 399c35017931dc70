"""Normalising, cutting and reading text."""

from __future__ import annotations

import sys
import unicodedata
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise

import pytest
import snowballstemmer
from hypothesis import given
from hypothesis import strategies as st

from objectives import text as t


def keys(text: str) -> list[str]:
    return [token.key for token in t.tokenise(t.normalise(text))]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("4,182,907 = 4182907", ["#4182907", "=", "#4182907"]),
        ("4.182907e6", ["#4182907"]),
        ("4\u202f182\u00a0907", ["#4182907"]),
        ("1.5GB", ["#1.5", "gb"]),
        ("v1.14.2 v1.14 1.14.2", ["v1.14.2", "v1.14", "1.14.2"]),
        ("14:30 on 2024-05-01", ["14:30", "on", "2024-05-01"]),
        ("-5 a-5", ["#-5", "a", "-", "#5"]),
        ("3rd p99 a_b 4e3f", ["3rd", "p99", "a_b", "4e3f"]),
        ("１２３ Ｎｏｄｅｓ", ["#123", "nodes"]),
        ("Café CAFE\u0301", ["cafe", "cafe"]),
        ("the server’s don't", ["the", "server", "don't"]),
        ("サーバーが3台", ["サ", "ー", "バ", "ー", "が", "#3", "台"]),
        ("مَرحبا", ["مرحبا"]),
        ("नमस्ते", ["नमस्ते"]),
        ("🙂 ok", ["🙂", "ok"]),
        ("", []),
    ],
)
def test_tokens(text: str, expected: list[str]) -> None:
    assert keys(text) == expected


def test_unicode_forms_are_the_same() -> None:
    text = "Zürich naïve ガギグ résumé Ångström"
    assert keys(unicodedata.normalize("NFD", text)) == keys(unicodedata.normalize("NFC", text))


def test_compounds_keep_their_kind() -> None:
    assert [token.kind for token in t.tokenise("2024-05-01 14:30 1.2.3 7")] == ["compound"] * 3 + ["number"]


LATIN = st.text(st.sampled_from("aZé09 .,-+:/'$%()_\n€£e–×"), max_size=60)


@given(LATIN)
def test_fast_and_general_tokenisers_agree(text: str) -> None:
    normal = t.normalise(text)
    general = [t.Token(*t._key(m[0], m.lastgroup or ""), *m.span()) for m in t._TOKEN.finditer(normal)]
    assert list(t.tokenise(normal)) == general


@given(st.text(max_size=80), st.text(max_size=40))
def test_appending_after_white_space_changes_no_token(text: str, more: str) -> None:
    before = keys(text)
    assert keys(text + "\n" + more)[: len(before)] == before


@given(st.integers(-(10**14), 10**14))
def test_numbers_keep_their_value(value: int) -> None:
    spelled = f"{value:,}"
    assert t.number_value(keys(spelled)[0]) == value


@given(st.text(max_size=100))
def test_tokens_tile_the_text(text: str) -> None:
    normal = t.normalise(text)
    tokens = t.tokenise(normal)
    assert all(a.end <= b.start for a, b in pairwise(tokens))
    left = list(normal)
    for token in tokens:
        left[token.start : token.end] = " " * (token.end - token.start)
    assert not "".join(left).strip()


def test_a_digit_from_a_newer_unicode_is_a_token() -> None:
    """U+11BF0 is a digit of Unicode 16; Python 3.11 cannot read it, and a summary may hold it all the same."""
    first, second = t.tokenise("5 \U00011bf0")
    assert (first.key, second.end - second.start) == ("#5", 1)


def test_threads_get_the_stems_of_their_own_words() -> None:
    ends = ("ational", "ization", "fulness", "ously", "ements", "ingly")
    words = [f"{a}{b}{end}" for a in "bcdfglmnprst" for b in ("ar", "el", "in", "om") for end in ends]
    expected = [snowballstemmer.stemmer("english").stemWord(word) for word in words]
    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    try:
        with ThreadPoolExecutor(4) as pool:
            found = list(
                pool.map(lambda turn: [t.stem.__wrapped__(each) for each in words[turn:] + words[:turn]], range(8))
            )
    finally:
        sys.setswitchinterval(before)
    assert found == [expected[turn:] + expected[:turn] for turn in range(8)]
