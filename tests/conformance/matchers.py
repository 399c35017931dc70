"""The suite for matchers (`objectives.matchers.base.Matcher`)."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import ClassVar

import pytest

from objectives.case import Item
from objectives.matchers.base import Match, Matcher
from objectives.text import normalise

DISK, SEALS, LUNCH = "The disk is full.", "Two seals were ordered.", "Lunch is at noon."
BACKUP = "The backup failed on Monday night."
ITEMS = (
    Item("disk", DISK, 1),
    Item("seals", SEALS, 2),
    Item("lunch", LUNCH, 5),
    Item("backup", BACKUP, 3, forbidden=True),
)
OTHER = "Carla greets the visitors of the museum."


class MatcherSuite:
    """The contract of a matcher.

    - There is one answer per item, in the order of the items. Probability and score lie in [0, 1], and the decision
      agrees with the threshold. `why` is a sentence for a person, and the parts of `span` stand in the
      normalised text.
    - A text that says an item in the item's own words covers it; a text about something else does not. An empty text
      covers nothing. A forbidden item is judged like the others: `covered` means that it appeared.
    - Answers depend on the item and the text alone: not on the order of the items, the other items, earlier texts or
      (for a deterministic matcher) the time. The context changes nothing for a matcher that does not read it.
    - Matchers with the same settings have the same digest, with other settings another.

    A subclass supplies the fixtures and, where needed, the items.

    Attributes:
        name: The matcher's name.
        items: The rubric: a disk that is full, two seals, lunch, and a forbidden item about a backup.
    """

    name: ClassVar[str]
    items: ClassVar[Sequence[Item]] = ITEMS

    @pytest.fixture
    def matcher(self) -> Matcher:
        """A new matcher."""
        raise NotImplementedError

    @pytest.fixture
    def alike(self) -> Matcher:
        """Another one with the same settings."""
        raise NotImplementedError

    @pytest.fixture
    def different(self) -> Matcher:
        """One with other settings."""
        raise NotImplementedError

    def covered(self, matches: Sequence[Match]) -> set[str]:
        return {match.item for match in matches if match.covered}

    def test_it_is_a_matcher(self, matcher: Matcher) -> None:
        assert isinstance(matcher, Matcher)
        assert matcher.name == self.name

    def test_the_digest_is_that_of_the_settings(self, matcher: Matcher, alike: Matcher, different: Matcher) -> None:
        assert re.fullmatch("[0-9a-f]{8,64}", matcher.digest)
        assert alike.digest == matcher.digest != different.digest
        before = matcher.digest
        matcher.match(self.items, DISK)
        assert matcher.digest == before

    @pytest.mark.parametrize("text", [f"{DISK} {LUNCH}", OTHER, "", " \n", "🌧️ — …", "ディスクが一杯です。"])
    def test_answers_are_complete(self, matcher: Matcher, text: str) -> None:
        matches = matcher.match(self.items, text)
        assert [match.item for match in matches] == [item.id for item in self.items]
        for match in matches:
            assert match.matcher == self.name
            assert 0 <= match.probability <= 1
            assert 0 <= match.score <= 1
            assert 0 < match.threshold <= 1
            # at the threshold itself a matcher may decide either way: half of a judge's votes are not enough
            assert match.covered or match.probability <= match.threshold
            assert not match.covered or match.probability >= match.threshold
            assert match.disagreement >= 0
            assert match.why.strip()
            assert "\n" not in match.why
            assert all(part.casefold() in normalise(text).casefold() for part in (match.span or "").split(" … "))
            assert isinstance(match.missing, tuple)

    def test_saying_an_item_covers_it(self, matcher: Matcher) -> None:
        for item, said in zip(self.items, (DISK, SEALS, LUNCH, BACKUP), strict=True):
            assert self.covered(matcher.match(self.items, said)) == {item.id}
            assert self.covered(matcher.match(self.items, f"{OTHER} {said}")) == {item.id}

    def test_other_and_empty_texts_cover_nothing(self, matcher: Matcher) -> None:
        for text in (OTHER, "", "   \n"):
            assert self.covered(matcher.match(self.items, text)) == set()

    def test_an_empty_rubric_has_no_answers(self, matcher: Matcher) -> None:
        assert matcher.match([], DISK) == []
        assert matcher.match((), "") == []

    def test_the_order_of_items_does_not_matter(self, matcher: Matcher) -> None:
        text = f"{SEALS} {BACKUP}"
        forwards = {match.item: match for match in matcher.match(self.items, text)}
        backwards = matcher.match(self.items[::-1], text)
        assert [match.item for match in backwards] == [item.id for item in self.items[::-1]]
        for match in backwards:
            assert match.covered == forwards[match.item].covered
            assert match.probability == pytest.approx(forwards[match.item].probability)

    def test_items_are_judged_one_by_one(self, matcher: Matcher) -> None:
        text = f"{DISK} {LUNCH}"
        together = {match.item: match.covered for match in matcher.match(self.items, text)}
        assert together == {item.id: matcher.match([item], text)[0].covered for item in self.items}

    def test_an_answer_does_not_depend_on_earlier_texts(self, matcher: Matcher, alike: Matcher) -> None:
        first = matcher.match(self.items, DISK)
        for text in (OTHER, SEALS, ""):
            matcher.match(self.items, text)
        assert matcher.match(self.items, DISK) == first == alike.match(self.items, DISK)

    def test_the_context_may_be_given(self, matcher: Matcher) -> None:
        assert matcher.match(self.items, DISK, context=f"Ann: {BACKUP}") == matcher.match(self.items, DISK)
