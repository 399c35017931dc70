"""A table of real generations as a problem of `benchmarks/search/arena.py`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from benchmarks.replay import table
from benchmarks.search import arena
from objectives import Case
from sweeps.engines.base import Generation, Prompt
from sweeps.engines.scripted.engine import ScriptedEngine
from sweeps.options import OptionValue

SAME = 1e-9  # squared distance in the unit cube, or means, that differ by less are the same


class CachedObjective:
    """The product's objective, asked once for each text."""

    def __init__(self) -> None:
        from objectives import CoverageObjective

        self._inner = CoverageObjective()
        self._scores: dict[tuple[str, str], Any] = {}
        self.name, self.digest, self.weights = self._inner.name, self._inner.digest, self._inner.weights

    def score(self, case: Any, text: str) -> Any:
        """See `objectives.Objective.score`."""
        key = (case.name, text)
        if key not in self._scores:
            self._scores[key] = self._inner.score(case, text)
        return self._scores[key]


class TableProblem:
    """A table as a problem of `arena`: the truth is that of the table's texts.

    A request gets texts of the nearest set of the table, in the unit cube of the space (logarithms where it has them).
    On the grid that is the set itself. In the random table it is the usual rule of tabular benchmarks, the same for all
    methods: the score is constant around each set, and nobody is told where that set is.

    Args:
        frame: The table, as `table.load` gives it.
        cases: Its cases.
        objective: Scores its texts.
        null: Let all configurations draw from all texts of a case.
        chosen: The table that the frame is of.

    Attributes:
        sets: The configurations' values, in the order of the rows below.
        codes: Their places in the unit cube of the space, shape (configurations, options).
        texts: Texts by configuration, case and seed, shape (configurations, cases, seeds).
        scores: Their scores.
        lengths: Tokens of each text.
        tokens: Mean tokens of a text by configuration, shape (configurations,).
    """

    def __init__(
        self,
        frame: Any,
        cases: Sequence[Any],
        objective: Any,
        *,
        null: bool = False,
        chosen: table.Table = table.ON_GRID,
    ) -> None:
        names = [case.name for case in cases]
        self.distributions: Mapping[str, Any] = {name: _distribution(range_) for name, range_ in chosen.space.items()}
        self.active_when: arena.Active = {}
        self.baseline: arena.Options = {**chosen.baseline, **chosen.fixed}
        self.cases = len(cases)
        self.table = chosen
        self.lengths: Mapping[str, int] = dict(zip(frame["text"], map(int, frame["output_tokens"]), strict=True))
        by_place = {
            place: list(part["text"]) for place, part in frame.sort_values("seed").groupby([*chosen.options, "case"])
        }
        places = list(dict.fromkeys(place[:-1] for place in by_place))
        self.sets = [dict(zip(chosen.options, place, strict=True)) for place in places]
        self.codes = self.unit(self.sets)
        self._known: dict[tuple[float, ...], int] = {}
        texts = np.array([[by_place[*place, name] for name in names] for place in places], dtype=object)
        scores = np.array(
            [[[objective.score(c, t).score for t in row[i]] for i, c in enumerate(cases)] for row in texts]
        )
        if null:
            texts, scores = (np.concatenate(list(array), axis=1)[None] for array in (texts, scores))
        self.texts, self.scores, self._null = texts, scores, null
        self.tokens = np.vectorize(self.lengths.__getitem__)(texts).mean(axis=(1, 2))
        self.means = scores.mean(axis=(1, 2))
        self.best = float(self.means.max())
        self._position = {name: index for index, name in enumerate(names)}

    def unit(self, sets: Sequence[arena.Options]) -> arena.Array:
        """Return the places of sets in the unit cube, shape (sets, options)."""
        columns = []
        for name, range_ in self.table.space.items():
            values = np.array([float(options[name]) for options in sets])
            low, high = range_["low"], range_["high"]
            logs = range_.get("log", False)
            columns.append(np.log(values / low) / np.log(high / low) if logs else (values - low) / (high - low))
        return np.column_stack(columns)

    def place(self, options: arena.Options) -> int:
        """Row of the nearest set.

        Raises:
            KeyError: If the table is the grid, and does not have the set.
        """
        key = tuple(float(options[name]) for name in self.table.options)
        if key not in self._known:
            distances = ((self.codes - self.unit([options])) ** 2).sum(axis=1)
            if not self.table.nearest and distances.min() > SAME:
                raise KeyError(key)
            self._known[key] = int(distances.argmin())
        return 0 if self._null else self._known[key]

    def draw(self, options: arena.Options, case: int, rng: Any) -> float:
        """See `arena.Problem.draw`."""
        return float(rng.choice(self.scores[self.place(options), case]))

    def draw_block(self, options: arena.Options, repeats: int, rng: Any) -> Any:
        """See `arena.Problem.draw_block`."""
        rows = self.scores[self.place(options)]
        return np.take_along_axis(rows, rng.integers(rows.shape[1], size=(len(rows), repeats)), axis=1)

    def truth(self, options: arena.Options) -> float:
        """See `arena.Problem.truth`."""
        return float(self.means[self.place(options)])

    def tokens_of(self, options: arena.Options) -> float:
        """Mean tokens of a text of a configuration."""
        return float(self.tokens[self.place(options)])

    def write(self, case: Any, options: arena.Options, rng: Any) -> str:
        """One of the texts of a configuration and a case, for the scripted engine."""
        texts = self.texts[self.place(options), self._position[case.name]]
        return str(texts[rng.integers(len(texts))])


class StoredTexts(ScriptedEngine):
    """A scripted engine that writes a table's texts.

    They stay whole: the nearest set may have had more tokens than a request has, and the engine would cut the text.

    Args:
        cases: The table's cases.
        problem: The table.
    """

    def __init__(self, cases: Sequence[Case], problem: TableProblem) -> None:
        self._asked: arena.Options = {}
        self._lengths = problem.lengths
        super().__init__(
            cases,
            write=lambda case, _, rng: problem.write(case, self._asked, rng),
            inert=("num_predict",),
            models=(arena.MODEL,),
        )

    def generate(
        self, prompt: Prompt, options: Mapping[str, OptionValue], *, model: str, timeout: float | None = None
    ) -> Generation:
        """See `Engine.generate`."""
        self._asked = options
        answer = super().generate(prompt, options, model=model, timeout=timeout)
        return replace(answer, output_tokens=self._lengths[answer.text])


def _distribution(range_: Mapping[str, Any]) -> Any:
    """A range of `[space]` as Optuna has it."""
    from optuna.distributions import FloatDistribution, IntDistribution

    low, high, log = range_["low"], range_["high"], range_.get("log", False)
    if isinstance(low, int):
        return IntDistribution(low, high, log=log)
    return FloatDistribution(low, high, log=log, step=range_.get("step"))
