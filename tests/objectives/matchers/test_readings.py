"""Other spellings of words and quantities: what means the same is covered, what is another thing is not."""

from __future__ import annotations

import pytest

from objectives.case import Item
from objectives.matchers.lexical import LexicalMatcher
from objectives.matchers.patterns import PatternText, match_patterns
from objectives.matchers.readings import other_readings
from objectives.numbers import quantities
from objectives.numbers.conversions import in_other_units
from objectives.text import normalise, tokenise


def readings(text: str) -> list[str]:
    normal = normalise(text)
    tokens = tokenise(normal)
    return [found.key for found in other_readings(normal, tokens, quantities(normal, tokens))]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("post-mortem", ["postmortem"]),
        ("v1.14.1 v1.14", ["1.14.1", "#1.14"]),
        ("4.182 Bestellungen", ["#4182"]),
        ("1.234.567 Zeilen", ["#1234567"]),
        ("0.182 and 1.14 and 14.1825", []),
        ("Faktor 1,5", ["#1.5"]),
        ("ports 1,5,7 and 1, 5 and 4,182", []),
        ("120 minutes", ["#7200", "s", "#2", "hour"]),
        ("nothing - to see", []),
    ],
)
def test_readings(text: str, expected: list[str]) -> None:
    assert readings(text) == expected


@pytest.mark.parametrize(
    ("number", "unit", "expected"),
    [
        (2, "h", {(120, "minutes")}),
        (90, "s", {(90_000, "ms"), (1.5, "minutes")}),
        (1.5, "gb", {(1500, "mb"), (1536, "mb")}),
        (48, "h", {(2880, "minutes"), (2, "days")}),
        (18, "month", {(1.5, "years")}),
        (7, "min", {(420, "s")}),
        (0, "h", set()),
        (5, "$", set()),
    ],
)
def test_conversions(number: float, unit: str, expected: set[tuple[float, str]]) -> None:
    assert set(in_other_units(number, unit)) == expected


def found(pattern: str, text: str) -> bool:
    return match_patterns(Item("i", "x", 1, any=(pattern,)), PatternText(text)).covered


@pytest.mark.parametrize(
    ("pattern", "text"),
    [
        ("2 hours", "It took 120 minutes."),
        ("90s", "It took 1.5 minutes."),
        ("1.5 GB", "1500 MB of logs"),
        ("1 GB", "1024 MB of logs"),
        ("120 ms", "0.12 s"),
        ("1 week", "7 days"),
        ("1,5 GB", "1.5 GB"),
        ("1.5 GB", "1,5 GB"),
        ("15,5 %", "15.5 %"),
        ("12.000", "12000 Euro"),
        ("12.000 Euro", "12.000 Euro"),
        ("12", "It took 12.000 s."),
        ("12000", "12.000 Euro"),
        ("4.182", "4182 Bestellungen"),
        ("4,182", "4.182 Bestellungen"),
        ("12 000", "12000 €"),
        ("12 000 €", "12\u00a0000\u00a0€"),
        ("v1.14.1", "version 1.14.1"),
        ("1.14.1", "v1.14.1"),
        ("post-mortem", "A postmortem follows."),
        ("postmortem", "A post-mortem follows."),
        ("e-mail to all", "email to all"),
        ("arrêt", "L’arrêt a coûté cher."),
        ("employés", "Beaucoup d'employés."),
    ],
)
def test_patterns_are_found_in_other_spellings(pattern: str, text: str) -> None:
    assert found(pattern, text)


@pytest.mark.parametrize(
    ("pattern", "text"),
    [
        ("2 hours", "It took 121 minutes."),
        ("2 hours", "It took 2 minutes."),
        ("2 months", "It took 60 days."),
        ("1.5 GB", "1.5 MB"),
        ("5 GB", "1,5 GB"),
        ("12.000", "12 Euro"),
        ("12.000 Euro", "12 Euro"),
        ("1.14.1", "v1.14.10"),
        ("0.182", "182"),
        ("mortem", "postmortem"),
        ("arrêt", "Les arrêts"),
    ],
)
def test_patterns_are_not_found_in_other_things(pattern: str, text: str) -> None:
    assert not found(pattern, text)


@pytest.mark.parametrize(
    ("item", "text"),
    [
        ("The outage lasted 2 hours.", "The outage lasted 120 minutes."),
        ("The logs take about 1.5 GB.", "The logs take about 1500 MB."),
        ("p99 latency rose from 120 ms to 2.4 s.", "p99 latency jumped from 0.12 seconds to 2400 ms."),
        ("Ana writes the post-mortem.", "Ana will write the postmortem."),
        ("Ana writes the postmortem.", "Ana will write the post-mortem."),
        ("Ben rolled back to v1.14.1.", "Ben rolled back to version 1.14.1."),
        ("4.182 Bestellungen sind fehlgeschlagen.", "4182 Bestellungen sind fehlgeschlagen."),
        ("Die Kosten stiegen um 1,5 Prozent.", "Die Kosten stiegen um 1.5 Prozent."),
        ("4,182 orders failed.", "| Failed orders | 4,182 |"),
        ("The certificate expired.", "The certifcate expired."),
        ("Die Kühlpumpe wurde neu gestartet.", "Die Kühl-\npumpe wurde neu gestartet."),
    ],
)
def test_items_are_covered_in_other_spellings(item: str, text: str) -> None:
    assert LexicalMatcher().match([Item("i", item, 1)], text)[0].probability >= 0.5


@pytest.mark.parametrize(
    ("item", "text"),
    [
        ("The outage lasted 2 hours.", "The outage lasted 130 minutes."),
        ("The logs take about 1.5 GB.", "The logs take about 150 MB."),
        ("Ana writes the post-mortem.", "Ben will write the post-mortem."),
        ("Ben rolled back to v1.14.1.", "Ben rolled back to version 1.14.2."),
    ],
)
def test_other_things_do_not_cover_an_item(item: str, text: str) -> None:
    assert LexicalMatcher().match([Item("i", item, 1)], text)[0].probability < 0.5
