"""Items said in other words that mean the same, and in nearly the same words that do not."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from objectives.case import Item
from objectives.matchers.lexical import LexicalMatcher
from objectives.numbers import quantities
from objectives.text import normalise, tokenise

OTHERS = {
    "English": ("Eve will order a new cable for the lab.", "The vendor offered a discount of 10%."),
    "German": ("Eva bestellt ein neues Kabel für das Labor.", "Der Lieferant bot einen Rabatt von 10 % an."),
    "French": ("Eve commande un nouveau câble pour le laboratoire.", "Le fournisseur a offert une remise de 10 %."),
    "Spanish": ("Eva pide un cable nuevo para el laboratorio.", "El proveedor ofreció un descuento del 10 %."),
    "Chinese": ("伊娃将订购新的电缆供实验室使用。", "供应商提供了百分之十的折扣。"),
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


WORDS = [
    ("The database is down.", "The DB is down.", "The DB is not down."),
    ("The DB was migrated to Postgres.", "The database was migrated to PostgreSQL.", "The DB was not migrated."),
    ("The Kubernetes cluster was upgraded.", "The k8s cluster was upgraded.", "The k8s cluster was not upgraded."),
    ("The pull request was merged.", "The PR was merged.", "The PR was not merged."),
    ("At least 3 replicas are needed.", "Three or more replicas are needed.", "At most 3 replicas are needed."),
    ("Up to 10 users can log in.", "At most 10 users can log in.", "At least 10 users can log in."),
    (
        "QA signed off the build.",
        "Quality assurance signed off the build.",
        "Quality assurance did not sign off the build.",
    ),
    ("J. Smith reviews the code.", "John Smith reviews the code.", "John Brown reviews the code."),
    ("The guide is for new staff.", "- The Guide is for new staff.", "- The Guide is not for new staff."),
]
TABLES = [
    (
        "Ana writes the report.",
        "| task | owner |\n|---|---|\n| write the report | {} |\n| fix the pump | {} |",
        "Ana",
        "Ben",
    ),
    ("Server A runs version 2.1.", "| server | version |\n|---|---|\n| A | {} |\n| B | {} |", "2.1", "3.0"),
    ("Ben owns the migration.", "Owners:\n1. Migration: {}\n2. Tests: {}", "Ben", "Ana"),
]
GERMAN = [
    ("Ein Neustart des Servers half.", "Der Serverneustart half."),
    ("Die Verbindung zur Datenbank ist langsam.", "Die Datenbankverbindung ist langsam."),
    ("Die Sicherung der Datenbank schlug fehl.", "Die Datenbanksicherung schlug fehl."),
    ("Der Fehler liegt in der Netzwerkkarte.", "Der Fehler liegt in der Karte des Netzwerks."),
    ("Der Pumpenausfall kostete zwei Stunden.", "Der Ausfall der Pumpe kostete zwei Stunden."),
]


@pytest.mark.parametrize(("item", "same", "other"), WORDS)
def test_abbreviations_bounds_and_initials(item: str, same: str, other: str) -> None:
    assert is_covered(item, same)
    assert not is_covered(item, other)


@pytest.mark.parametrize(("item", "table", "own", "another"), TABLES)
def test_the_row_of_a_table_counts(item: str, table: str, own: str, another: str) -> None:
    assert not is_covered(item, table.format(another, own))
    if "owns" not in item:  # a list without the word itself says too little
        assert is_covered(item, table.format(own, another))


def test_a_row_with_one_of_two_names_is_not_another() -> None:
    table = "| task | owner |\n|---|---|\n| write the report | Ben |\n| fix the pump | Ana |"
    rubric = [Item("a", "Ana and Ben write the report.", 1)]
    assert "says otherwise" not in LexicalMatcher().match(rubric, table)[0].why


def test_a_value_of_another_sort_is_no_other_value() -> None:
    said = "- Backup: daily at two in the morning, to the vault\n- Restore: Ben"
    assert (
        "says otherwise"
        not in LexicalMatcher().match([Item("a", "Ben checks the backup in the vault.", 1)], said)[0].why
    )


def test_a_list_of_facts_about_one_thing_is_no_table() -> None:
    assert is_covered("Carla tests the backup on Friday.", "- Who: Carla\n- What: test the backup\n- When: Friday")


@pytest.mark.parametrize(("item", "same"), GERMAN)
def test_german_compounds(item: str, same: str) -> None:
    assert is_covered(item, same, "German")


@pytest.mark.parametrize(
    ("item", "other", "language"),
    [
        ("Der Fehler liegt in der Netzwerkkarte.", "Der Fehler liegt nicht in der Netzwerkkarte.", "German"),
        ("Die Sicherung der Datenbank schlug fehl.", "Die Datenbanksicherung schlug nicht fehl.", "German"),
        ("Die Datenbankverbindung brach ab.", "Die Verbindung zur Datenbank brach nicht ab.", "German"),
        ("Les serveurs sont redémarrés par l'équipe.", "L'équipe ne redémarre pas le serveur.", "French"),
        ("Hay que revisar las conexiones del motor.", "No hay que revisar la conexión del motor.", "Spanish"),
        ("El fallo del servidor duró dos horas.", "El fallo del servidor duró tres horas.", "Spanish"),
        ("La mise à jour est reportée au lundi.", "Les mises à jour sont reportées à mardi.", "French"),
        ("締め切りは月曜日です。", "火曜日が締め切りです。", "Japanese"),
        ("田中さんが報告書を書く。", "報告書は鈴木さんが書く。", "Japanese"),
        ("数据库的连接中断了两个小时。", "数据库连接中断3小时。", "Chinese"),
    ],
)
def test_contradictions_in_other_languages(item: str, other: str, language: str) -> None:
    assert is_covered(item, item, language)
    assert not is_covered(item, other, language)


def test_not_only_and_not_behind_a_comma_negate_nothing() -> None:
    item = "Der Server startet schnell."
    for said in ("Der Server startet nicht nur schnell, sondern leise.", "Der Server startet schnell, nicht laut."):
        assert is_covered(item, said, "German"), said
    assert not is_covered(item, "Der Server startet nicht schnell.", "German")


@pytest.mark.parametrize(
    ("item", "same", "language"),
    [
        ("The deadline is Mon at 9.", "The deadline is Monday at 9.", "English"),
        ("締め切りは月曜日です。", "月曜日が締め切りです。", "Japanese"),
        ("田中さんが報告書を書く。", "報告書は田中さんが書く。", "Japanese"),
        ("数据库的连接中断了两个小时。", "数据库连接中断2小时。", "Chinese"),
        ("旧的备份在周一删除。", "星期一将删除旧备份。", "Chinese"),
    ],
)
def test_weekdays_and_particles(item: str, same: str, language: str) -> None:
    assert is_covered(item, same, language)


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


_PIECES = """
half a quarter of to past five ten 9 14 0 12/05/2026 03.03. 3/5 am on um Uhr h 14h30 UTC CEST +2 +14:30 Z pm o'clock
Q3 third 2nd 0th dritte die 4. Pumpe Monday 月曜日 周一 星期 月 两 三分 one in at least up or more | : - ٣ ½ v1.2
"""


@given(st.lists(st.sampled_from(_PIECES.split()), max_size=12))
def test_quantities_lie_within_their_text_one_after_another(pieces: list[str]) -> None:
    normal = normalise(" ".join(pieces))
    tokens = tokenise(normal)
    after = 0
    for quantity in quantities(normal, tokens):
        assert after <= quantity.first <= quantity.number[0] < quantity.number[1] <= len(tokens)
        assert quantity.number[1] - 1 <= quantity.last < len(tokens)
        assert quantity.says
        assert quantity.wants
        after = quantity.last + 1
