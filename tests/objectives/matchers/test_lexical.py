"""The lexical matcher: properties, languages, size, explanations."""

from __future__ import annotations

import json
import unicodedata
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from objectives.case import Item
from objectives.matchers.base import Matcher, ObjectiveError
from objectives.matchers.content import item_content, words_of_text
from objectives.matchers.features import FEATURES, SIGNS, rubrics
from objectives.matchers.lexical import LexicalMatcher, shipped_model
from objectives.matchers.words import NEGATION, likeness, rarity
from tests.marks import long

MATCHER = LexicalMatcher()
RUBRIC = (
    "The deploy failed because the disk was full.",
    "Ben freed 20 GB and deployed again.",
    "Ana did not delete the backups.",
    "Latency rose to 850 ms at 14:30.",
    "サーバーのディスクがいっぱいになった。",
)
PIECES = """
deploy deployed failed disk full Ben freed 20 GB again not never Ana delete backups latency rose 850 ms 14:30 . , and
the ディスクが サーバー いっぱい million
"""
WORDS = PIECES.split()


def items(*texts: str) -> list[Item]:
    return [Item(f"i{number}", text, 1) for number, text in enumerate(texts)]


def chance(item: str, text: str, *others: str) -> float:
    return MATCHER.match(items(item, *others), text)[0].probability


def probabilities(rubric: Sequence[str], text: str) -> np.ndarray:
    return np.array([match.probability for match in MATCHER.match(items(*rubric), text)])


texts = st.lists(st.sampled_from(WORDS), max_size=40).map(" ".join) | st.text(max_size=80)


@settings(deadline=None)
@example("Ana delete", "backups", " ")
@given(texts, texts, st.sampled_from([" ", "\n", ". "]))
def test_adding_text_lowers_coverage_only_where_it_says_otherwise(text: str, more: str, joint: str) -> None:
    before = probabilities(RUBRIC, text)
    after = MATCHER.match(items(*RUBRIC), text + joint + " " + more)
    for match, chance_before in zip(after, before, strict=True):
        if "says otherwise" in match.why:
            assert match.probability >= min(chance_before, 0.25)
        else:
            assert match.probability >= chance_before - 1e-12


@settings(deadline=None)
@given(texts, st.permutations(range(len(RUBRIC))))
def test_order_of_items_does_not_matter(text: str, order: list[int]) -> None:
    straight = probabilities(RUBRIC, text)
    shuffled = probabilities([RUBRIC[place] for place in order], text)
    assert np.allclose(shuffled, straight[order], rtol=0, atol=1e-12)


@settings(deadline=None)
@given(st.lists(st.text(max_size=30), max_size=6), st.text(max_size=120))
def test_any_input_gives_probabilities(rubric: list[str], text: str) -> None:
    for match in MATCHER.match(items(*rubric), text):
        assert 0 <= match.probability <= 1
        assert 0 <= match.score <= 1
        assert match.covered == (match.probability >= match.threshold)


def test_saying_it_covers_and_silence_does_not() -> None:
    for item in RUBRIC:
        others = [other for other in RUBRIC if other != item]
        assert chance(item, item, *others) > 0.8
        assert chance(item, "", *others) < 0.3
        assert chance(item, "Nothing of the kind was talked about today.", *others) < 0.3


def test_signs_of_the_shipped_weights() -> None:
    weights = shipped_model()["weights"]
    assert set(weights) == set(FEATURES)
    assert all(weights[name] * SIGNS[name] >= 0 for name in FEATURES)


def test_numbers_are_exact() -> None:
    item = "Latency rose to 850 ms."
    right, wrong = chance(item, "Latency rose to 850 ms."), chance(item, "Latency rose to 85 ms.")
    assert right > 0.5 > wrong


def test_number_spellings() -> None:
    for spelled in ("4,182,907 rows were lost", "4182907 rows were lost", "４，１８２，９０７ rows were lost"):
        assert chance("4182907 rows were lost.", spelled) == chance("4182907 rows were lost.", "4182907 rows were lost")


def test_inflection_derivation_and_synonyms_count() -> None:
    item = "Maria purchased a replacement."
    said, derived, other = (
        chance(item, text)
        for text in ("Maria purchased a replacement.", "Maria bought and replaced it.", "Maria sang and left it.")
    )
    assert said > derived > other


def test_negation_on_one_side_costs() -> None:
    plain, negated = "Ana deleted the backups.", "Ana did not delete the backups."
    assert chance(plain, plain) > chance(plain, negated)
    assert chance(negated, negated) > chance(negated, plain)


def test_words_close_together_say_more_than_words_apart() -> None:
    filler = "meanwhile something else happened in another place " * 6
    assert chance("The disk was full.", "The disk was full.") > chance(
        "The disk was full.", f"The disk {filler} was full."
    )


def test_words_that_the_whole_rubric_shares_say_little() -> None:
    rubric = ("Project Falcon hired a designer.", "Project Falcon lost a customer.", "Project Falcon moved to Oslo.")
    text = "Project Falcon is a project."
    assert max(probabilities(rubric, text)) < 0.5


def test_unicode_forms_agree() -> None:
    item = "Zoë résumé: ガス漏れ in Zürich."
    text = "In Zürich, ガス漏れ. Zoë sent her résumé."
    variants = {
        chance(unicodedata.normalize(a, item), unicodedata.normalize(b, text))
        for a in ("NFC", "NFD")
        for b in ("NFC", "NFD")
    }
    assert len(variants) == 1


@pytest.mark.parametrize(
    ("item", "said", "unsaid"),
    [
        (
            "本番サーバーのディスクがいっぱいになった。",
            "朝、本番サーバーでディスクがいっぱいになり停止した。",
            "会議は来週の火曜日に延期された。",
        ),
        ("数据库迁移失败了。", "昨晚数据库迁移失败,需要回滚。", "会议推迟到下周。"),
        ("เซิร์ฟเวอร์ล่มเมื่อคืน", "เมื่อคืนเซิร์ฟเวอร์ล่มสองครั้ง", "ประชุมเลื่อนไปสัปดาห์หน้า"),
        ("تعطل الخادم بسبب امتلاء القرص", "بسبب امتلاء القرص تعطل الخادم أمس", "تم تأجيل الاجتماع إلى الأسبوع المقبل"),
        ("서버 디스크가 가득 찼다", "어제 서버 디스크가 가득 찼다고 했다", "회의는 다음 주로 연기되었다"),
    ],
)
def test_other_scripts(item: str, said: str, unsaid: str) -> None:
    assert chance(item, said) > 0.5 > chance(item, unsaid)


def test_emoji_and_symbols_only() -> None:
    (match,) = MATCHER.match(items("🙂🙃 !!"), "🙂")
    assert not match.covered
    assert match.span is None


def test_match_explains_itself() -> None:
    (match,) = MATCHER.match(items("Ben freed 20 GB of space."), "Yesterday Ben freed a lot of GB quickly.")
    assert match.span == "Ben freed a lot of GB"
    assert "20" in match.missing
    assert "missing" in match.why
    assert match.threshold == MATCHER.threshold


def test_span_of_a_repeated_word_is_where_the_words_meet() -> None:
    text = "The disk is new. " + "Other things were said at length here. " * 8 + "Then the disk was full."
    (match,) = MATCHER.match(items("The disk was full."), text)
    assert match.span == "disk was full"


@pytest.mark.parametrize(("sentences", "count"), [(2_000, 1_000), long(14_000, 10_000)])
def test_large_inputs_finish(sentences: int, count: int) -> None:
    """The larger text has more than a million characters."""
    text = "The deploy failed at night because some disk was full and Ben freed space. " * sentences
    assert MATCHER.match(items(*RUBRIC), text)[0].probability > 0.5
    many = items(*(f"Item {number} says that part {number * 7} of machine {number} broke." for number in range(count)))
    found = MATCHER.match(many, "Item 471 says that part 3297 of machine 471 broke.")
    assert len(found) == count
    assert max(found, key=lambda match: match.probability).item == "i471"


def test_alone_or_in_company_of_other_texts_is_the_same() -> None:
    fresh = LexicalMatcher().match(items(*RUBRIC), "Ben freed 20 GB.")
    MATCHER.match(items(*RUBRIC), "something else about deploys and disks")
    assert MATCHER.match(items(*RUBRIC), "Ben freed 20 GB.") == fresh


def test_protocol_digest_and_threshold() -> None:
    assert isinstance(MATCHER, Matcher)
    assert LexicalMatcher().digest == MATCHER.digest
    assert LexicalMatcher(threshold=0.6).digest != MATCHER.digest
    strict, lax = LexicalMatcher(threshold=0.999), LexicalMatcher(threshold=0.001)
    assert not strict.match(items(RUBRIC[0]), RUBRIC[0])[0].covered
    assert lax.match(items(RUBRIC[0]), "a disk")[0].covered
    assert not lax.match(items(RUBRIC[0]), "nothing of it")[0].probability
    with pytest.raises(ObjectiveError, match="threshold"):
        LexicalMatcher(threshold=1.5)


def test_likeness() -> None:
    assert likeness("deploy", "deploy") == 1
    assert likeness("bought", "purchas") == likeness("purchas", "bought")
    assert likeness("buy", "purchas") == pytest.approx(0.8)
    assert likeness("nepal", "nepales") == pytest.approx(2 * 5 / 12)
    assert likeness("cat", "dog") == 0
    assert likeness("v1234", "v1235") == 0


def test_rarity_is_ordered() -> None:
    assert rarity("the") < rarity("server") < rarity("xylophon")
    assert rarity("server") < rarity("falconri")


def test_item_content() -> None:
    content = item_content("Ben did not free 23million of Oslo's disks.")
    assert [word.key for word in content] == ["ben", NEGATION, "free", "#23", "million", "oslo", "disk"]
    assert [word.name for word in content] == [False, False, False, False, False, True, False] or content[0].name
    assert [word.number for word in content] == [False, False, False, True, False, False, False]


def test_measures_by_hand() -> None:
    # One item alone: every word tells it equally apart, so weights are the square roots of rarity above 3, at most 9.
    (block,) = rubrics(["Zorbl met Quux."])
    measured = block.measure(words_of_text("Quux slept.")[2])
    zorbl, met, quux = (min(9.0, rarity(key) - 3) ** 0.5 for key in ("zorbl", "met", "quux"))
    values = dict(zip(FEATURES, measured.values[0], strict=True))
    total = zorbl + met + quux
    assert values["exact"] == pytest.approx(quux / total)
    assert values["near"] == pytest.approx(quux / total)
    assert values["pairs"] == 0
    assert values["last"] == 1
    assert values["missing"] == 2
    assert values["names_missing"] == pytest.approx(zorbl / total)
    assert values["numbers_missing"] == 0


LABELS = Path(__file__).parents[4] / "shared" / "human-labels" / "realsumm.jsonl"


@pytest.mark.skipif(
    not LABELS.exists(), reason="the human judgements are not beside this repository (../shared/human-labels)"
)
def test_agrees_with_people() -> None:
    documents = [json.loads(line) for line in LABELS.read_text("utf-8").splitlines()[:20]]
    right = total = 0
    for document in documents:
        for summary in document["summaries"]:
            called = probabilities(document["units"], summary["text"]) >= MATCHER.threshold
            right += int((called == np.array(summary["covered"], dtype=bool)).sum())
            total += len(called)
    assert right / total > 0.76
