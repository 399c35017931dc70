"""Items said in other words that mean the same, and in nearly the same words that do not."""

from __future__ import annotations

import pytest

from objectives.case import Item
from objectives.matchers.lexical import LexicalMatcher
from objectives.numbers import quantities
from objectives.text import normalise, tokenise

OTHERS = {
    "English": ("Eve will order a new cable for the lab.", "The vendor offered a discount of 10%."),
    "German": ("Eva bestellt ein neues Kabel für das Labor.", "Der Lieferant bot einen Rabatt von 10 % an."),
    "French": ("Eve commande un nouveau câble pour le laboratoire.", "Le fournisseur a offert une remise de 10 %."),
    "Spanish": ("Eva pide un cable nuevo para el laboratorio.", "El proveedor ofreció un descuento del 10 %."),
    "Japanese": ("エヴァが新しいケーブルを注文する。", "業者が割引を提案した。"),
}


def is_covered(item: str, said: str, language: str = "English") -> bool:
    """Whether an item is covered, among others of its rubric and between other sentences of its text."""
    rubric = [Item(str(place), text, 1) for place, text in enumerate([item, *OTHERS[language]])]
    return LexicalMatcher().match(rubric, f"We talked for an hour.\n\n{said}\n\nEverybody agreed.")[0].covered


TIMES = [
    ("The outage began at 2 pm.", "The outage began at 14:00.", "The outage began at 15:00."),
    ("The deploy starts at 2 p.m.", "The deploy starts at 14h.", "The deploy starts at 16h."),
    ("The pump failed at 7:45.", "The pump failed at a quarter to eight.", "The pump failed at a quarter past eight."),
    ("The meeting is at half past nine.", "The meeting is at 9:30.", "The meeting is at 10:30."),
    ("The outage began at 14:00 UTC.", "The outage began at 16:00 CEST.", "The outage began at 17:00 CEST."),
    ("The outage began at 14:00 UTC.", "The outage began at 14:00Z.", "The outage began at 13:00Z."),
    ("The outage began at 14:00 UTC.", "The outage began at 14:00.", "The outage began at 15:00."),
    ("The release is at 9 am PST.", "The release is at 17:00 UTC.", "The release is at 18:00 UTC."),
    ("The call is at 10:00 CET.", "The call is at 11:00 UTC+2.", "The call is at 10:00 UTC+2."),
    ("The window is at 22:00 EST.", "The window is at 03:00 GMT.", "The window is at 22:00 GMT."),
]
GERMAN_TIMES = [
    ("Die Wartung beginnt um 14:00 Uhr.", "Die Wartung beginnt um 14 Uhr.", "Die Wartung beginnt um 16 Uhr."),
    ("Die Wartung beginnt um 14 Uhr.", "Beginn der Wartung: 14:00.", "Beginn der Wartung: 15:00."),
    ("Die Abnahme ist am 3. März.", "Die Abnahme ist am 03.03.", "Die Abnahme ist am 05.03."),
    ("Die dritte Pumpe ist ausgefallen.", "Die 3. Pumpe ist ausgefallen.", "Die 4. Pumpe ist ausgefallen."),
    ("Die Störung dauerte 90 Minuten.", "Die Störung dauerte anderthalb Stunden.", "Sie dauerte zweieinhalb Stunden."),
]
DATES = [
    ("The audit is on 12 May 2026.", "The audit is on 12/05/2026.", "The audit is on 13/05/2026."),
    ("The freeze starts on Mon 4 Aug.", "The freeze starts on Monday, August 4.", "The freeze starts on August 5."),
    (
        "The contract ends in Q3 2026.",
        "The contract ends in the third quarter of 2026.",
        "The contract ends in Q4 2026.",
    ),
]
NUMBERS = [
    ("The outage lasted 30 minutes.", "The outage lasted half an hour.", "The outage lasted an hour and a half."),
    ("The fix takes 15 minutes.", "The fix takes a quarter of an hour.", "The fix takes three quarters of an hour."),
    ("Two tickets are open.", "A couple of tickets are open.", "A dozen tickets are open."),
    ("Half of the users were affected.", "50% of the users were affected.", "80% of the users were affected."),
    ("A third of the requests failed.", "One in three requests failed.", "One in five requests failed."),
    ("The disk is 75% full.", "Three quarters of the disk is full.", "One quarter of the disk is full."),
    ("The 2nd replica is slow.", "The second replica is slow.", "The third replica is slow."),
    ("It is the 21st release.", "It is the twenty-first release.", "It is the twenty-second release."),
    ("Step 2 fails.", "The second step fails.", "The third step fails."),
]


@pytest.mark.parametrize(("item", "same", "other"), [*TIMES, *DATES, *NUMBERS])
def test_times_dates_and_numbers(item: str, same: str, other: str) -> None:
    assert is_covered(item, same)
    assert not is_covered(item, other)


@pytest.mark.parametrize(("item", "same", "other"), GERMAN_TIMES)
def test_german_times_dates_and_numbers(item: str, same: str, other: str) -> None:
    assert is_covered(item, same, "German")
    assert not is_covered(item, other, "German")


def test_dates_of_france_spain_and_japan() -> None:
    april = "La livraison est prévue le 1er avril."
    assert is_covered(april, "La livraison est prévue le 1 avril.", "French")
    assert not is_covered(april, "La livraison est prévue le 2 avril.", "French")
    assert is_covered("La entrega es el 7 de julio.", "La entrega es el 7/7.", "Spanish")
    assert is_covered("納期は3月3日です。", "納期は3/3です。", "Japanese")
    assert not is_covered("納期は3月3日です。", "納期は3/5です。", "Japanese")


@pytest.mark.parametrize(
    "text",
    ["five to ten people", "9 to 5 jobs", "it lasted 14h", "on 3/5 of the hosts", "version 2.1", "a half", "14:00 ET",
     "it is 4. The pump", "half the team", "am 2.5 GB", "a quarter past"],
)  # fmt: skip
def test_what_is_no_time_of_day_and_no_date(text: str) -> None:
    normal = normalise(text)
    found = [key for quantity in quantities(normal, tokenise(normal)) for key in quantity.says]
    assert not [key for key in found if key.startswith(("date:", "ordinal:", "quarter:", "time:utc"))]
    assert not [key for key in found if key.startswith("time:")] or text == "14:00 ET"
