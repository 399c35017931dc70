"""The meaning of a score in words, by the settings that a study is scored with."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from objectives import Case, Item
from sweeps.config.tables import ObjectiveTable, PromptTable
from sweeps.results.figures.meanings import prompt_texts, score_text

CASE = Case("c", "log", (Item("a", 1, "one"), Item("b", 5, "two")))
UNWANTED = Case("c", "log", (Item("a", 1, "one"), Item("b", 5, "two", forbidden=True)))


def study(case=CASE, identity=None, **objective):
    table = ObjectiveTable(cases="folder", **objective)
    known = {"objective.score": table.score, "objective.weights": table.weights} | (identity or {})
    prompts = {"plain": PromptTable(user="Sum up {log}"), "full": PromptTable(user="{log}", system="Be brief.")}
    return SimpleNamespace(
        config=SimpleNamespace(objective=table, prompts=prompts),
        stored=SimpleNamespace(identity=known),
        cases=[case],
    )


@pytest.mark.parametrize(
    ("made", "said", "unsaid"),
    [
        (study(), "an essential fact (level 1) weighs 5, an incidental one (level 5) 1.", "must not appear"),
        (study(), "A half-matched fact counts with the probability", "words of a text count"),
        (study(score="counted", weights=[1, 1, 1, 1, 1]), "from 0 (none) to 1 (all).", "half-matched"),
        (study(UNWANTED), "A fact that must not appear takes its weight away.", "Only"),
        (study(budget_words=80), "Only the first 80 words of a text count.", "must not appear"),
        (study(identity={"objective.budget_words": 60}), "Only the first 60 words", "80"),  # of a later rescore
        (study(kind="module:mine.score"), "what module:mine.score gives a text, from 0 to 1", "facts"),
    ],
)
def test_the_sentence_follows_the_objective(made, said, unsaid):
    text = score_text(made)
    assert text.startswith("A score is ")
    assert said in text
    assert unsaid not in text


def test_a_system_message_is_part_of_a_prompt():
    assert prompt_texts(study()) == {
        "plain": "Sum up {log}",
        "full": "System message:\nBe brief.\n\nUser:\n{log}",
    }
