"""From ledger entries to the one table: scoring, and a row per observation."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import pandas as pd

from analysis.observations.table import COLUMNS
from objectives import Case, Objective, Score
from objectives.matchers.base import UnusableAnswer
from objectives.text import normalise, tokenise
from objectives.text_metrics import words_of
from sweeps.engines.base import EngineFailure, EngineProtocolError, EngineTimeout, PromptTooLong
from sweeps.errors import SweepError
from sweeps.ledger.ledger import Ledger
from sweeps.ledger.records import Entry, Place
from sweeps.options import OPTIONS, Configuration

Detail = dict[str, Any]
"""A score as JSON types: covered, missed and forbidden ids, levels, words, side metrics, probability per item."""


def case_digest(case: Case) -> str:
    """Digest of a case's rubric and log: a kept score holds for as long as neither changes."""
    return hashlib.sha256(f"{case.rubric_sha256} {case.log_sha256}".encode()).hexdigest()[:32]


def detail_of(score: Score) -> Detail:
    """A score as JSON types."""
    return {
        "covered": list(score.covered),
        "missed": list(score.missed),
        "forbidden": list(score.forbidden),
        "levels": {str(level): list(pair) for level, pair in score.levels.items()},
        "words": score.words,
        "side": dict(score.side),
        "probabilities": {match.item: round(match.probability, 4) for match in score.matches},
        "patterns": [match.item for match in score.matches if match.matcher == "patterns"],
    }


@dataclass(frozen=True)
class Scored:
    """A generation's score with its detail."""

    score: float
    detail: Detail


UNSCORED = "NotScored"
"""What the error of an observation starts with whose text is there, but has no score."""

OF_ONE_TEXT = (UnusableAnswer, EngineProtocolError, EngineTimeout, EngineFailure, PromptTooLong)
"""What a matcher's model may do wrong about one text and right about the next. A model that is not there, or a server
that does not answer, is none of these."""


class UnscorableError(SweepError):
    """No text can be scored, or nearly none; what was generated is kept."""


class Scorer:
    """Scores generations for their cases and keeps the scores in the ledger.

    Args:
        objective: The objective.
        cases: The cases by which places are named.
        ledger: Where scores are kept, so that a resumed or reopened study scores nothing twice.
    """

    def __init__(self, objective: Objective, cases: Sequence[Case], ledger: Ledger) -> None:
        self.objective = objective
        self.ledger = ledger
        self._cases = {case.name: case for case in cases}
        self._digests = {case.name: case_digest(case) for case in cases}
        # A score of the first words only says nothing about how long the text is.
        self._cuts = getattr(objective, "budget_words", None) is not None

    def score(
        self,
        items: Iterable[tuple[str, int, str]],
        *,
        fresh: bool = False,
        keep: bool = True,
        failed: dict[int, str] | None = None,
    ) -> dict[int, Scored]:
        """Scores of generations given as (case, generation id, text), by generation id.

        Args:
            items: The generations.
            fresh: They were generated just now, so that no score of theirs can be in the ledger.
            keep: Write scores that the ledger does not have to it, also those before a failure.
            failed: Takes generations that a model could not judge (`OF_ONE_TEXT`), with the reason, which have no score
                then. Without it the first one's error is raised.
        """
        wanted = {generation: (case, text) for case, generation, text in items}
        kept = {} if fresh else self.ledger.scores(wanted, self.objective.digest)
        scored: dict[int, Scored] = {}
        new = []
        try:
            for generation, (case, text) in wanted.items():
                digest = self._digests[case]
                if (found := kept.get((generation, digest))) is not None:
                    scored[generation] = Scored(*found)
                    continue
                try:
                    scored[generation] = each = self._scored(case, text)
                except OF_ONE_TEXT as error:
                    if failed is None:
                        raise
                    failed[generation] = str(error)
                else:
                    new.append((generation, self.objective.digest, digest, each.score, each.detail))
        finally:
            if new and keep:
                self.ledger.add_scores(new)
        return scored

    def _scored(self, case: str, text: str) -> Scored:
        score = self.objective.score(self._cases[case], text)
        detail = detail_of(score)
        if self._cuts:
            detail["words"] = len(words_of(tokenise(normalise(text))))
        return Scored(score.score, detail)


def observation_row(
    study: str, place: Place, configuration: Configuration, entry: Entry | None, scored: Scored | None, error: str = ""
) -> dict[str, Any]:
    """One row of the observations table, with the option columns behind it.

    A text that has a score has no error, whatever went wrong before; one that has none tells why. `generation`, the
    ledger's number, is no column of the table: it is known while a sweep runs.
    """
    if scored is not None:
        error = ""
    elif entry is not None and not error:
        error = f"{UNSCORED}: the run ended before this text was scored, or it was scored by another objective"
    row: dict[str, Any] = dict.fromkeys(COLUMNS)
    row |= {
        "study": study,
        "configuration": configuration.key,
        "trial": place.trial,
        "stage": place.stage,
        "host": place.host,
        "case": place.case,
        "seed": place.seed,
        "repeat": place.repeat,
        "score": math.nan,
        "finish": "error",
        "truncated": error.startswith("PromptTooLong"),
        "error": error,
        "text_sha256": "",
        "model": configuration.model,
        "prompt": configuration.prompt,
        "generation": None if entry is None else entry.id,
    }
    row |= dict.fromkeys(OPTIONS) | dict(configuration.options)
    if entry is not None and scored is not None:
        row |= _answer_columns(entry) | _score_columns(scored)
    return row


def _answer_columns(entry: Entry) -> dict[str, Any]:
    answer, timing = entry.generation, entry.generation.timing
    return {
        "prompt_tokens": answer.prompt_tokens,
        "output_tokens": answer.output_tokens,
        "seconds": timing.total,
        **{f"{part}_seconds": getattr(timing, part) for part in ("queue", "load", "prefill", "decode")},
        "finish": answer.finish,
        "truncated": answer.truncated,
        "text_sha256": entry.text_sha256,
    }


_SIDE = {"redundancy": math.nan, "copied_share": math.nan, "compression": math.nan, "matcher_sd": 0.0}
"""Side metrics that are columns of the table, and what stands there where an objective has none."""


def _score_columns(scored: Scored) -> dict[str, Any]:
    levels: Mapping[str, Sequence[int]] = scored.detail["levels"]
    pairs = {level: levels.get(str(level), (0, 0)) for level in range(1, 6)}
    covered, items = (sum(pair[i] for pair in pairs.values()) for i in (0, 1))
    together = [pairs[1][i] + pairs[2][i] for i in (0, 1)]
    return {
        "score": scored.score,
        "covered": covered,
        "items": items,
        "forbidden": len(scored.detail["forbidden"]),
        **{f"lv{level}": f"{pair[0]}/{pair[1]}" for level, pair in pairs.items()},
        "lv12": f"{together[0]}/{together[1]}",
        "words": scored.detail["words"],
        **{name: scored.detail["side"].get(name, default) for name, default in _SIDE.items()},
    }


def item_texts(case: Case) -> dict[str, str]:
    """A case's items by id, as `[level] text`."""
    return {item.id: f"[{item.level}] {item.text}" for item in case.items}


def answer_row(
    place: Place, configuration: Configuration, entry: Entry, scored: Scored, items: Mapping[str, str]
) -> dict[str, Any]:
    """A text with its score and the items that it covers and misses, in words."""
    named = {key: [items.get(item, item) for item in scored.detail[key]] for key in ("covered", "missed")}
    text = entry.generation.text
    row = {"configuration": configuration.key, "score": scored.score, "text": text, "detail": scored.detail}
    return asdict(place) | row | named


STAGES = ("floor", "explore", "confirm")


def table_of(rows: Iterable[Mapping[str, Any]]) -> pd.DataFrame:
    """The observations table, sorted by stage, trial, host, case, seed and repeat: the same rows give the same table.

    Option columns that no row uses are left out.
    """
    table = pd.DataFrame(list(rows), columns=[*COLUMNS, *OPTIONS])
    unused = [name for name in OPTIONS if table[name].isna().all()]
    table = table.drop(columns=unused)
    for name in ("prompt_tokens", "output_tokens", "covered", "items", "forbidden", "words"):
        table[name] = table[name].astype("Int64")
    for name in ("score", *_SIDE, "seconds", "queue_seconds", "load_seconds", "prefill_seconds", "decode_seconds"):
        table[name] = table[name].astype(float)
    table["truncated"] = table["truncated"].astype(bool)
    ranks = table["stage"].map({stage: rank for rank, stage in enumerate(STAGES)})
    ordered = table.assign(_rank=ranks).sort_values(["_rank", "trial", "host", "case", "seed", "repeat"], kind="stable")
    return ordered.drop(columns="_rank").reset_index(drop=True)
