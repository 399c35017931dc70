"""Languages told by script and function words, and what a rubric in one of them covers."""

from __future__ import annotations

import pytest

from objectives.case import Item
from objectives.languages import language_of
from objectives.matchers.content import item_content
from objectives.matchers.lexical import LexicalMatcher
from objectives.matchers.patterns import PatternText, match_patterns
from sweeps.scoring.languages import language_notes


@pytest.mark.parametrize(
    ("text", "language"),
    [
        ("The pump failed because of a worn bearing, and Ana will replace it.", "English"),
        ("Die Pumpe ist ausgefallen, weil das Lager verschlissen war; Anna wird es ersetzen.", "German"),
        ("La pompe est tombée en panne à cause du roulement; Anne va le remplacer.", "French"),
        ("La bomba falló porque el rodamiento estaba gastado; Ana lo va a cambiar por otro.", "Spanish"),
        ("ポンプが故障した。Anaがベアリングを交換する。", "Japanese"),
        ("因为轴承磨损，水泵坏了，Ana会更换轴承。", "Chinese"),
        ("Насос сломался из-за подшипника.", "Cyrillic"),
        ("v1.14.1 p99 2.4 s", ""),
        ("", ""),
        ("ok", ""),
    ],
)
def test_language_of(text: str, language: str) -> None:
    assert language_of(text) == language


def covered(items: list[str], text: str) -> list[bool]:
    rubric = [Item(str(place), item, 1) for place, item in enumerate(items)]
    return [match.probability >= 0.5 for match in LexicalMatcher().match(rubric, text)]


GERMAN = ["Der Server wurde neu gestartet.", "Der Kunde hat nicht bezahlt.", "Die Störung dauerte zwei Stunden."]


@pytest.mark.parametrize(
    ("items", "text", "expected"),
    [
        (GERMAN, "Man hat den Server neu gestartet. Der Kunde hat noch nicht bezahlt. Die Störung dauerte 2 Stunden.",
         [1, 1, 1]),
        (GERMAN, "Der Server wurde nicht neu gestartet. Der Kunde hat bezahlt. Die Störung dauerte drei Stunden.",
         [0, 0, 0]),
        (["La pompe a été remplacée.", "L'alarme est dans la cave.", "Le serveur est en panne."],
         "On a remplacé la pompe. Une alarme est dans la cave. Panne du serveur.", [1, 1, 1]),
        (["La pompe a été remplacée.", "L'alarme est dans la cave.", "Le serveur est en panne."],
         "La pompe n'a pas été remplacée. L’alarme n’est pas dans la cave.", [0, 0, 0]),
        (["La bomba fue reemplazada.", "Sofía revisará la bomba.", "El filtro es de papel."],
         "Reemplazaron la bomba. Sofía va a revisar la bomba.", [1, 1, 0]),
    ],
)  # fmt: skip
def test_items_in_other_languages(items: list[str], text: str, expected: list[int]) -> None:
    assert covered(items, text) == list(map(bool, expected))


def test_function_words_of_the_rubrics_language_tell_nothing() -> None:
    assert [word.key for word in item_content("Der Server wurde neu gestartet.", "German")] == [
        "server",
        "neu",
        "gestartet",
    ]
    assert "der" in [word.key for word in item_content("Der Server wurde neu gestartet.")]


@pytest.mark.parametrize(
    ("pattern", "text", "found"),
    [
        ("2 Stunden", "zwei Stunden", True),
        ("2 Stunden", "120 Minuten", True),
        ("2 Stunden", "2 Std.", True),
        ("2 Stunden", "zwei Minuten", False),
        ("2 heures", "deux heures", True),
        ("3 horas", "tres horas", True),
        ("15 %", "15 Prozent", True),
        ("15 %", "15 pour cent", True),
        ("3 Mio. €", "3 Millionen Euro", True),
        ("3 Mio.", "3 Milliarden", False),
        ("9. März", "am 09.03.2026", True),
        ("9 March", "9. März", True),
        ("9 March", "9 de marzo de 2026", True),
        ("9 mars", "le 9 mars 2026", True),
        ("9. März", "9. Mai", False),
        ("9 March", "The load was 9. March was calm.", False),
        ("9. März", "09.04.2026", False),
        ("9.3.2026", "10.0.9.3", False),
        ("2小时", "2个小时", True),
        ("2小时", "120分钟", True),
        ("2小时", "2分钟", False),
    ],
)
def test_units_and_numbers_in_other_languages(pattern: str, text: str, found: bool) -> None:
    assert match_patterns(Item("i", "x", 1, any=(pattern,)), PatternText(text)).covered is found


def row(text: str, score: float) -> dict[str, object]:
    items = ["[1] The pump failed and was replaced.", "[2] The cause is a worn bearing of the motor."]
    return {"case": "c", "text": text, "score": score, "covered": items[:1], "missed": items[1:]}


def test_texts_in_another_language_than_the_rubric_are_named() -> None:
    english, chinese = (
        row("The pump failed, and it was replaced by Ana.", 0.5),
        row("水泵坏了，Ana已经更换了轴承和水泵。", 0.1),
    )
    assert language_notes([english] * 40 + [chinese]) == []
    (note,) = language_notes([english] * 3 + [chinese])
    assert note.startswith(
        "1 of 4 texts is in another language than the rubric (Chinese for English), with a mean score of 0.100"
    )
