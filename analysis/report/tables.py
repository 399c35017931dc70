"""The tables of a report: each view of the observations is made once, for page and plots alike."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import pandas as pd

from analysis.formatting import option_text, source_text
from analysis.observations import views
from analysis.report import shown
from analysis.report.costs import cost_of, generating_seconds
from analysis.report.data import Piece, ReportData
from analysis.report.hosts import host_rows
from analysis.report.rubric.evidence import Evidence
from analysis.report.rubric.items import ItemChanges, Text, item_changes
from analysis.report.surface import Surface

TEXT_LIMIT = 6000
"""Characters of an example text that are shown."""

_Z95 = 1.959964
Row = dict[str, Any]


@dataclass(frozen=True)
class Tables:
    """Rows of a report's tables.

    Attributes:
        data: The study.
    """

    data: ReportData

    def with_marks(self, marked: Mapping[tuple[Any, ...], Sequence[Piece]]) -> Tables:
        """These tables with the marked words of the texts that are shown."""
        return self._having({"evidence", "examples"}, marked=marked)

    def with_search(self, surface: Surface | None, look_effects: pd.DataFrame | None) -> Tables:
        """These tables with what figures alone show."""
        return self._having(set(), surface=surface, look_effects=look_effects)

    def _having(self, new: set[str], **changes: Any) -> Tables:
        """Tables with other data, of which only the new ones are made again."""
        made = Tables(replace(self.data, **changes))
        vars(made).update({name: value for name, value in vars(self).items() if name not in {"data", *new}})
        return made

    @cached_property
    def arms(self) -> list[str]:
        """Keys of baseline and finalist; of the baseline alone without a finalist."""
        return [self.data.baseline] if self.data.finalist is None else [self.data.baseline, self.data.finalist]

    @cached_property
    def fresh(self) -> pd.DataFrame:
        """The observations of the verdict."""
        return views.confirmation(self.data.observations, self.arms)

    @cached_property
    def trials(self) -> set[str]:
        """Keys of the configurations that the search scored, without the baseline."""
        rows = views.columns_of(self.data.observations, "configuration", "stage", "score", "finish")
        return set(views.usable(views.search(rows))["configuration"]) - {self.data.baseline}

    @cached_property
    def options(self) -> list[Row]:
        """Model, prompt and options of both arms."""
        data = self.data
        base, final = data.values(data.baseline), data.values(data.finalist)
        return [
            {
                "name": name,
                "baseline": base.get(name),
                "source": source_text(data.baseline_sources.get(name, "")),
                "finalist": final.get(name),
                "changed": bool(final) and base.get(name) != final.get(name),
            }
            for name in dict.fromkeys([*base, *final])
        ]

    @cached_property
    def level_rows(self) -> list[Row]:
        """Items covered per level, of both arms."""
        table = views.levels(self.fresh)
        cells = {level: [views.level_cell(table, (key, level)) for key in self.arms] for level in views.LEVEL_COLUMNS}
        return [{"level": level, "cells": own} for level, own in cells.items() if any(own)]

    @cached_property
    def case_rows(self) -> list[Row]:
        """Per case: levels 1-2 and the score of both arms, and the difference."""
        table = views.levels(self.fresh, by=("configuration", "case"))
        means = views.case_means(self.fresh, self.arms)
        rows = []
        for case in sorted(views.usable(self.fresh)["case"].unique()):
            scores = [float(means["mean"].get((case, key), math.nan)) for key in self.arms]
            rows.append(
                {
                    "case": case,
                    "cells": [views.level_cell(table, (key, case, "1-2")) for key in self.arms],
                    "scores": scores,
                    "n": [int(means["n"].get((case, key), 0)) for key in self.arms],
                    "effect": scores[-1] - scores[0] if len(scores) > 1 else None,
                }
            )
        return rows

    @cached_property
    def reliability_rows(self) -> list[Row]:
        """Reliability of both arms: over all cases, then by case; [] without a bar."""
        found = self.data.reliability
        if found is None:
            return []
        cases = [{row["case"]: row for row in found.cases_of(key)} for key in self.arms]
        rows = [("all cases", [found.mean_of(key) for key in self.arms])]
        missing = ["–"] * (1 if found.k == 1 else 2)
        rows += [(name, [own.get(name) for own in cases]) for name in sorted({name for own in cases for name in own})]
        return [
            {"case": case, "cells": [text for row in own for text in (found.row_texts(row)[2:] if row else missing)]}
            for case, own in rows
        ]

    @cached_property
    def host_rows(self) -> list[Row]:
        """Per host: generations, failures, speed, and the scores of both arms; see `hosts.host_rows`."""
        return host_rows(self.data, self.fresh, self.arms)

    @cached_property
    def costs(self) -> Row | None:
        """Cost of a text of each arm on the fresh generations, and of the whole study; None without a score."""
        found = [cost_of(self.fresh[self.fresh["configuration"] == key]) for key in self.arms]
        if not any(cost.n for cost in found):
            return None
        rows = self.data.observations
        tokens = int(rows["output_tokens"].astype("Float64").sum()) if "output_tokens" in rows else 0
        return {"arms": found, "generations": len(rows), "seconds": generating_seconds(rows), "tokens": tokens}

    @cached_property
    def thinks(self) -> bool:
        """Whether some text has a thought before it."""
        rows = self.data.observations
        return "thinking_tokens" in rows and bool((rows["thinking_tokens"].fillna(0) > 0).any())

    @cached_property
    def ending_rows(self) -> list[Row]:
        """How the fresh generations of both arms, and the generations of all stages together, ended."""
        rows, fresh = self.data.observations, self.fresh
        if "finish" not in rows:
            return []
        groups = {self.data.role(key): fresh[fresh["configuration"] == key] for key in self.arms}
        groups |= {"the whole study": rows}
        tokens = {name: _tokens(part) for name, part in groups.items()} if self.thinks else {}
        return [
            {"name": name, "n": len(part), **views.endings(part), **tokens.get(name, {})}
            for name, part in groups.items()
        ]

    @cached_property
    def means(self) -> pd.DataFrame:
        """Means of all configurations, the best first, with the ends of their intervals."""
        return self._means_with_intervals()

    @property
    def ranked(self) -> list[Row]:
        """`key` and `row` (with `mean` and `n`) of all configurations, the best first."""
        table = self.means
        found = zip(table.index, table["mean"], table["n"], strict=True)
        return [{"key": str(key), "row": {"mean": mean, "n": n}} for key, mean, n in found]

    @cached_property
    def shown(self) -> list[str]:
        """The configurations that are shown one by one, the best first; see `shown.shown_of`."""
        return shown.shown_of([str(key) for key in self.means.index], self.picked)

    @property
    def shown_text(self) -> str:
        """Say that not all configurations are shown; "" where all are."""
        return shown.shown_text(len(self.shown), len(self.means))

    def only_shown(self, table: pd.DataFrame) -> pd.DataFrame:
        """The rows of a table, indexed by configuration, that are shown."""
        return table[table.index.isin(self.shown)] if self._is_choice else table

    @cached_property
    def _is_choice(self) -> bool:
        return self.data.observations["configuration"].nunique() > shown.MOST

    @property
    def picked(self) -> set[str]:
        """Configurations that were picked for their scores, and the baseline."""
        return {*self.arms, *(verdict.configuration for verdict in self.data.verdicts)}

    @cached_property
    def ranking(self) -> list[Row]:
        """The shown configurations by mean score, with intervals as places on a common scale in percent."""
        data, table = self.data, self.means
        bottom, top = float(table[["mean", "low"]].min().min()), float(table[["mean", "high"]].max().max())
        span = max(top - bottom, 1e-9)
        base_place = 100 * (float(table["mean"].get(data.baseline, bottom)) - bottom) / span
        rows, own, partial = [], table.index.isin(self.shown), self._partial
        ranks = [int(place) + 1 for place in own.nonzero()[0]]
        for rank, row in zip(ranks, table[own].reset_index().to_dict("records"), strict=True):
            key = str(row["configuration"])
            rows.append(
                {
                    "rank": rank,
                    "key": key,
                    "role": data.role(key) if data.role(key) != key else "",
                    "differs": _differs(data, key),
                    "base": base_place,
                    "cases": partial.get(key, ""),
                    "row": row,
                    "places": {name: 100 * (float(row[name]) - bottom) / span for name in ("mean", "low", "high")},
                }
            )
        return rows

    @cached_property
    def _partial(self) -> dict[str, str]:
        """By key of a trial with fewer cases than others, their number: a search that prunes ends it after some."""
        rows = views.columns_of(self.data.observations, "configuration", "stage", "case")
        searched = views.search(rows)
        own = searched[searched["configuration"] != self.data.baseline].groupby("configuration", observed=True)
        counts = own["case"].nunique()
        most = int(counts.max()) if len(counts) else 0
        whole = most - (most < rows["case"].nunique())  # parts of the cases differ by one case at most
        few = counts[(counts < whole) & ~counts.index.isin(self.picked)]
        return {str(key): f"{count} of {most} cases" for key, count in few.items()}

    def _means_with_intervals(self) -> pd.DataFrame:
        """Means by configuration; those picked for their scores with their fresh generations only."""
        data = self.data
        table = views.summary(views.without_luck(views.summarised(data.observations), self.picked))
        half = _Z95 * data.noise_sd / table["n"].pow(0.5)
        table = table.assign(low=table["mean"] - half, high=table["mean"] + half)
        if data.ranking is not None:
            shown = data.ranking.set_index("configuration")
            base = float(table["mean"].get(data.baseline, 0.0))
            table["low"] = (shown["ci_low"] + base).reindex(table.index)
            table["high"] = (shown["ci_high"] + base).reindex(table.index)
        return table

    @cached_property
    def fresh_items(self) -> pd.DataFrame:
        """Rows of `data.items` for the fresh generations; empty without a rubric."""
        items = self.data.items
        return pd.DataFrame() if items is None or not len(items) else views.confirmation(items, self.arms)

    @cached_property
    def item_changes(self) -> ItemChanges:
        """Items gained and lost on the fresh generations; without cases where there is no finalist or no rubric."""
        finalist = self.data.finalist
        if finalist is None or not len(self.fresh_items):
            return ItemChanges()
        return item_changes(self.fresh_items, self.data.baseline, finalist)

    @cached_property
    def evidence(self) -> Evidence:
        """The words that cover items, in the texts that are shown."""
        return Evidence(self.data, self.fresh_items)

    @property
    def shown_texts(self) -> list[Text]:
        """The texts whose words are shown: each case's typical ones, those with its changes, and the examples."""
        cases = self.item_changes.cases
        chosen = self._chosen
        own = [_key_of(arm) for _, arms in ([] if chosen is None else chosen[1]) for arm in arms]
        return [*(text for case in cases for text in (*case.texts, *case.saying)), *own]

    @cached_property
    def examples(self) -> Row | None:
        """Best, median and worst text of both arms on the case whose effect is the median one."""
        if self._chosen is None:
            return None
        case, chosen = self._chosen
        return {
            "case": case,
            "rows": [{"which": which, "texts": [self._example(arm) for arm in arms]} for which, arms in chosen],
        }

    @cached_property
    def _chosen(self) -> tuple[str, list[tuple[str, list[pd.Series[Any]]]]] | None:
        """The case of the examples, and the rows of baseline and finalist for each of them."""
        texts = self.data.texts
        if texts is None or not len(texts):
            return None
        on = ["configuration", "case", "seed"]
        fresh = views.usable(self.fresh).drop_duplicates(on)
        places = texts[on].drop_duplicates(on)  # without the texts, which are large, as long as the case is not known
        rows = fresh[[*on, "score"]].merge(places, on=on)
        by_case = rows.groupby(["case", "configuration"], observed=True)["score"].mean()
        cases = [case for case in rows["case"].unique() if all((case, key) in by_case.index for key in self.arms)]
        if not cases:
            return None
        cases.sort(key=lambda case: (by_case[case, self.arms[-1]] - by_case[case, self.arms[0]], case))
        case = cases[len(cases) // 2]
        shown = texts.loc[places.index[places["case"] == case]].drop(columns=["score"], errors="ignore")
        own = rows[rows["case"] == case].merge(shown, on=on)
        own = own.sort_values(["score", "seed"], ascending=[False, True])
        columns = [own[own["configuration"] == key] for key in self.arms]
        return case, [
            (which, [arm.iloc[round(share * (len(arm) - 1))] for arm in columns])
            for which, share in (("best", 0.0), ("median", 0.5), ("worst", 1.0))
        ]

    def _example(self, row: pd.Series[Any]) -> Row:
        text = str(row["text"])
        return {
            "key": (key := _key_of(row)),
            "role": self.data.role(key[0]),
            "score": float(row["score"]),
            "seed": row["seed"],
            "text": text[:TEXT_LIMIT],
            "more": max(0, len(text) - TEXT_LIMIT),
            "covered": self.evidence.covered(key, _items(row.get("covered"))),
            "missed": _items(row.get("missed")),
        }


def _key_of(row: pd.Series[Any]) -> Text:
    return str(row["configuration"]), str(row["case"]), row["seed"]


def value_text(value: object) -> str:
    """A value as a table shows it; a dash for what does not exist."""
    if value is None or (isinstance(value, float) and math.isnan(value)):
        return "–"
    return f"{value:.6g}" if isinstance(value, float) else option_text(value)


def _tokens(rows: pd.DataFrame) -> Row:
    """Return the mean tokens of thought and answer; NaN where none is known."""
    return {
        name: float(rows[name].astype("Float64").mean()) if rows[name].notna().any() else math.nan
        for name in ("thinking_tokens", "answer_tokens")
    }


def _items(value: object) -> list[str]:
    """A list column's cell as a list, whatever a file format made of it."""
    if value is None or isinstance(value, (str, float)):
        return [str(value)] if isinstance(value, str) and value else []
    return [str(each) for each in value]  # type: ignore[attr-defined]


def _differs(data: ReportData, key: str) -> str:
    if key == data.baseline:
        return "the configuration in use"
    return (
        ", ".join(f"{name} {value_text(value)}" for name, value in data.differences(key).items()) or "as the baseline"
    )
