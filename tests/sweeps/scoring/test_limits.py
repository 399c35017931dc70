"""Limits on words, tokens, seconds and cut-offs: read, searched under, and held against the finalist."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sweeps.config.file import parse_config
from sweeps.config.space_table import parse_space
from sweeps.config.sweep_config import SweepConfig
from sweeps.config.tables import ConstraintsTable
from sweeps.errors import ConfigError
from sweeps.options import Configuration, default_options
from sweeps.scoring.limits import Limits, check_limits, shown_table
from sweeps.scoring.quantities import QUANTITIES, means_of, measured
from sweeps.search.explorer import Explorer
from sweeps.search.trial import Proposal
from sweeps.search.trial_scores import LARGEST_EXCESS, penalised, trial_result, violation
from sweeps.study.snapshot import after_batch, after_floor
from tests.sweeps.sweep_files import write_sweep

# ---- the table


def parsed(tmp_path: Path, **constraints: Any) -> SweepConfig:
    return parse_config(write_sweep(tmp_path, constraints=constraints).read_text())


def test_limits_are_optional_and_whole_numbers_will_do(tmp_path: Path) -> None:
    config = parsed(tmp_path, words=150, seconds=20, cut_off=0.1)
    assert config.constraints.limits == {"words": 150.0, "seconds": 20.0, "cut_off": 0.1}
    assert config.constraints.weight == 1.0
    assert parsed(tmp_path, cut_off=0).constraints.limits == {"cut_off": 0.0}
    without = parse_config(write_sweep(tmp_path).read_text())
    assert without.constraints.limits == {}


@pytest.mark.parametrize(
    ("table", "message"),
    [
        ({"word": 150}, "constraints.word: unknown key; did you mean 'words'"),
        ({"words": 0}, "constraints.words: should be greater than 0, not 0"),
        ({"words": "150"}, "constraints.words: should be a valid number, not '150'"),
        ({"seconds": -1}, "constraints.seconds: should be greater than 0, not -1"),
        ({"cut_off": 10}, "constraints.cut_off: should be less than 1, not 10"),
        ({"cut_off": -0.1}, "constraints.cut_off: should be greater than or equal to 0, not -0.1"),
        ({"words": 9, "weight": 0}, "constraints.weight: should be greater than 0, not 0"),
        ({"weight": 2.0}, "constraints: has a weight but no limit; name one of words, output_tokens, seconds, cut_off"),
    ],
)
def test_what_is_wrong_is_named(tmp_path: Path, table: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError) as caught:
        parsed(tmp_path, **table)
    assert message in str(caught.value)


def test_limits_are_part_of_what_makes_a_study_the_same(tmp_path: Path) -> None:
    with_limit, without = parsed(tmp_path, words=150), parse_config(write_sweep(tmp_path).read_text())
    added = with_limit.identity().keys() - without.identity().keys()
    assert added == {"constraints.words", "constraints.weight"}
    # studies from before there were limits stay what they were
    assert not any(key.startswith("constraints") for key in without.identity())


# ---- what the search is told


def row(case: str = "a", score: float = 0.5, **columns: Any) -> dict[str, Any]:
    usual = {"words": 100, "output_tokens": 130, "seconds": 9.0, "queue_seconds": 0.0, "load_seconds": 0.0}
    place = {"configuration": "k", "case": case, "host": "h", "score": score, "finish": "stop", "temperature": 0.8}
    return {**place, **usual, **columns}


def test_the_excess_by_hand() -> None:
    assert violation({"words": 171.0}, {"words": 150.0}) == pytest.approx(0.14)
    assert violation({"words": 150.0}, {"words": 150.0}) == 0.0
    assert violation({"words": 20.0, "seconds": 30.0}, {"words": 150.0, "seconds": 20.0}) == pytest.approx(0.5)
    assert violation({"cut_off": 0.25, "words": 165.0}, {"cut_off": 0.0, "words": 150.0}) == pytest.approx(0.35)
    assert violation({"output_tokens": math.nan}, {"output_tokens": 9.0}) == 0.0
    assert violation({"seconds": 9000.0}, {"seconds": 20.0}) == LARGEST_EXCESS == 2.0


means = st.fixed_dictionaries({name: st.floats(0, 1 if q.share else 1e4) for name, q in QUANTITIES.items()})


@given(means, means)
def test_more_of_anything_never_breaks_less(one: dict[str, float], other: dict[str, float]) -> None:
    limits = {"words": 150.0, "output_tokens": 200.0, "seconds": 20.0, "cut_off": 0.1}
    larger = {name: max(one[name], other[name]) for name in one}
    assert violation(larger, limits) >= violation(one, limits)
    assert (violation(one, limits) == 0) == all(one[name] <= limit for name, limit in limits.items())


def test_seconds_are_those_of_the_request_whether_the_server_was_warm_or_not() -> None:
    warm = row(seconds=4.0)
    cold = row(seconds=31.0, queue_seconds=2.0, load_seconds=25.0)
    untold = row(seconds=4.0, queue_seconds=math.nan, load_seconds=None)
    assert measured(warm, "seconds") == measured(cold, "seconds") == measured(untold, "seconds") == 4.0


def test_what_failed_or_is_not_reported_counts_for_nothing() -> None:
    rows = [
        row("a", words=100, output_tokens=None, copied_share=0.3),
        row("a", words=200, copied_share=0.5),
        row("b", words=60, finish="length"),
        row("b", score=math.nan, words=None, seconds=None, finish="error"),
    ]
    found = means_of(rows, list(QUANTITIES))
    assert found == pytest.approx(
        {"words": (150 + 60) / 2, "output_tokens": 130, "seconds": 9.0, "cut_off": 0.5} | {"copied_share": 0.4}
    )
    assert math.isnan(means_of([row(output_tokens=None)], ["output_tokens"])["output_tokens"])


def test_the_penalty_by_hand() -> None:
    rows = [row("a", 0.4, words=180), row("b", 0.8, words=162)]
    raw = trial_result(rows, ["a", "b"], noise_sd=0.1)
    told = penalised(raw, rows, ConstraintsTable(words=150, weight=2.0))
    assert told.value == pytest.approx(0.6 - 2 * 0.14)
    assert told.case_scores == pytest.approx([0.4 - 0.28, 0.8 - 0.28])
    assert (told.score, told.n, told.noise_sd) == (pytest.approx(0.6), 2, 0.1)
    notes = told.user_attrs(Configuration("m", "p", default_options()))
    assert notes["score"] == pytest.approx(0.6)
    assert notes["violation"] == pytest.approx(0.14)
    assert notes["constraints"] == {"words": 171.0}
    assert penalised(raw, rows, ConstraintsTable()) == raw
    failed = trial_result([row(score=math.nan)], ["a"])
    assert penalised(failed, [], ConstraintsTable(words=1)) == failed


def test_people_are_shown_scores_without_penalties() -> None:
    table = ConstraintsTable(words=100)
    floor = penalised(trial_result([row(score=0.4, words=150)], ["a"], 0.1), [row(words=150)], table)
    assert after_floor(floor, generations_per_trial=1).baseline_mean == pytest.approx(0.4)
    baseline = Configuration("m", "p", default_options())
    proposals = [Proposal(number, baseline, {}) for number in (0, 1)]
    long, short = row(score=0.9, words=300), row(score=0.6, words=90)
    results = {i: penalised(trial_result([each], ["a"], 0.1), [each], table) for i, each in enumerate((long, short))}
    standing = after_batch(after_floor(floor, generations_per_trial=1), proposals, results, baseline)
    assert standing.best is not None
    assert standing.best.startswith("trial 1, best after the penalty for limits: ")  # the best one within the limit
    assert standing.best_mean == pytest.approx(0.6)
    kept = after_batch(after_floor(floor, generations_per_trial=1), proposals, {1: results[1]}, baseline)
    assert kept.best.startswith("trial 1: ")


# ---- the search finds the best within the limits

BASELINE = Configuration("m", "p", {**default_options(), "temperature": 0.2, "top_p": 0.6})
SPACE, _ = parse_space(
    {"temperature": {"low": 0.0, "high": 1.0}, "top_p": {"low": 0.5, "high": 1.0}},
    prompts=["p"],
    baseline=BASELINE.values,
)
CASES = [f"c{i}" for i in range(6)]
LIMIT, WORD_SD, SCORE_SD = 150.0, 25.0, 0.1


def truth(options: Mapping[str, Any]) -> tuple[float, float]:
    """Score and words: hotter is longer and better; the best within the limit is at temperature 0.5, top_p 0.9."""
    temperature, top_p = float(options["temperature"]), float(options["top_p"])
    return 0.3 + 0.3 * temperature - 1.5 * (top_p - 0.9) ** 2, 90 + 120 * temperature


BEST = truth({"temperature": 0.5, "top_p": 0.9})[0]
START = truth(BASELINE.options)[0]


def observed(options: Mapping[str, Any], rng: np.random.Generator, seeds: int = 1) -> list[dict[str, Any]]:
    score, words = truth(options)
    return [
        row(
            case,
            float(np.clip(score + SCORE_SD * rng.standard_normal(), 0, 1)),
            words=max(1, round(words + 4 * i + WORD_SD * rng.standard_normal() - 10)),
        )
        for i, case in enumerate(CASES)
        for _ in range(seeds)
    ]


def found(sampler: str, seed: int, table: ConstraintsTable, trials: int = 24) -> tuple[float, float]:
    """True score and words of what a search picks."""
    made = Explorer("t", None, space=SPACE, baseline=BASELINE, sampler=sampler, seed=seed, trials=trials)
    rows = observed(BASELINE.options, np.random.default_rng([seed, 0]), seeds=4)
    floor = trial_result(rows, CASES)
    made.tell_baseline(penalised(floor, rows, table))
    proposals: list[Proposal] = []
    while len(proposals) < trials:
        for proposal in made.ask(4):
            rows = observed(proposal.configuration.options, np.random.default_rng([seed, 1 + proposal.number]))
            made.tell(proposal, penalised(trial_result(rows, CASES, floor.noise_sd), rows, table))
            proposals.append(proposal)
    (number,) = made.picks(1)
    return truth(proposals[number].configuration.options)


@pytest.mark.slow
@pytest.mark.parametrize("sampler", ["gp", "random"])
def test_the_best_within_the_limit_is_found_more_often_than_chance_keeps_it(sampler: str) -> None:
    within = [found(sampler, seed, ConstraintsTable(words=LIMIT)) for seed in range(10)]
    careless = [found(sampler, seed, ConstraintsTable()) for seed in range(10)]
    good = sum(words <= LIMIT and score > START + 0.5 * (BEST - START) for score, words in within)
    assert sum(words <= LIMIT for _, words in careless) <= 2
    assert good >= 8


# ---- limits held against fresh generations


def confirmed(words: float, spread: float = 10.0, n: int = 4, **columns: Any) -> list[dict[str, Any]]:
    """Generations whose words scatter evenly around a mean."""
    shifts = np.linspace(-spread, spread, n)
    return [row(case, words=words + shift, **columns) for case in CASES for shift in shifts]


@pytest.mark.parametrize(
    ("words", "status", "above", "sentence"),
    [
        (171, "broken", True, "breaks words: 171 on average, limit 150"),
        (120, "kept", False, "keeps words: 120 on average, limit 150"),
        (152, "cannot be told", True, "is above words: 152 on average, limit 150, which noise alone could do (95%"),
        (148, "cannot be told", False, "is within words: 148 on average, limit 150, which noise alone could do (95%"),
    ],
)
def test_kept_broken_or_not_to_be_told(words: float, status: str, above: bool, sentence: str) -> None:
    (check,) = check_limits(confirmed(words), ConstraintsTable(words=150))
    assert (check.status, check.above) == (status, above)
    assert check.sentence.startswith(sentence)
    assert check.low < check.mean < check.high


@pytest.mark.parametrize(
    ("words", "limit", "says"),
    [
        (108.25, 108, "108.2 on average, limit 108"),
        (107.96, 108, "107.96 on average, limit 108"),
        (99.96, 100, "99.96 on average, limit 100"),
        (12.34, 12.35, "12.34 on average, limit 12.35"),
        (108, 108, "108 on average, limit 108"),
        (108 + 1e-9, 108, "108 on average, limit 108"),
        (171.4, 150, "171 on average, limit 150"),
    ],
)
def test_a_mean_and_its_limit_are_told_apart(words: float, limit: float, says: str) -> None:
    rows, table = confirmed(words, spread=1), ConstraintsTable(words=limit)
    (check,) = check_limits(rows, table)
    assert says in check.sentence
    shown = shown_table([check], [check]).iloc[0]
    mean, _, limited = says.partition(" on average, limit ")
    assert (shown["limit"], shown["finalist"].split(" (")[0]) == (limited, mean)


def test_a_limit_that_is_met_exactly_is_kept() -> None:
    rows = [row(case, words=150, finish="stop", temperature=0) for case in CASES for _ in range(3)]
    words, share = check_limits(rows, ConstraintsTable(words=150, cut_off=0))
    assert words.status == "kept"
    assert not share.above
    assert share.status == "kept"  # greedy texts are the same again
    drawn = [{**each, "temperature": 0.8} for each in rows]
    (share,) = check_limits(drawn, ConstraintsTable(cut_off=0))
    assert (share.above, share.status) == (False, "cannot be told")  # the next one may be cut off
    assert share.sentence.startswith("is within cut_off: 0% on average, limit 0%")


def test_what_no_generation_reports_cannot_be_told() -> None:
    (check,) = check_limits(confirmed(100, output_tokens=None), ConstraintsTable(output_tokens=100))
    assert (check.status, check.above) == ("cannot be told", False)
    assert check.sentence == "output_tokens cannot be told: no generation reports it"
    assert check.as_dict()["mean"] is None
    json.dumps(check.as_dict(), allow_nan=False)


def test_one_greedy_generation_per_case_is_exact_in_words_but_not_in_seconds() -> None:
    rows = [row(case, temperature=0, words=100 + i, seconds=5.0 + i) for i, case in enumerate(CASES)]
    words, seconds = check_limits(rows, ConstraintsTable(words=102, seconds=20))
    assert (words.low, words.mean, words.high) == pytest.approx((102.5, 102.5, 102.5))
    assert words.status == "broken"
    assert seconds.status == "cannot be told"
    assert math.isnan(seconds.low)


@pytest.mark.parametrize(
    ("options", "status"),
    [
        ({"temperature": 0.0, "mirostat": 2}, "cannot be told"),  # mirostat draws, whatever the temperature
        ({"temperature": 0.0, "mirostat": 0}, "broken"),
        ({"temperature": 0.0, "mirostat": math.nan}, "broken"),  # as in a table whose other rows have the option
        ({"temperature": None}, "cannot be told"),
    ],
)
def test_only_what_is_greedy_would_be_the_same_again(options: dict[str, Any], status: str) -> None:
    finishes = ["length", "stop", "stop"] * 2 + ["stop"] * 6
    rows = [row(CASES[i // 3 % len(CASES)], finish=finish, **options) for i, finish in enumerate(finishes)]
    (check,) = check_limits(rows, ConstraintsTable(cut_off=0.15))
    assert check.mean == pytest.approx(1 / 6)
    assert check.status == status
    assert (check.low < check.mean) == (status == "cannot be told")


def test_for_new_cases_few_cases_tell_little_of_a_share() -> None:
    rows = [row(f"case {i}") for i in range(6) for _ in range(10)]
    these, new = (
        check_limits(rows, ConstraintsTable(cut_off=0.15), claim=claim)[0] for claim in ("these-cases", "new-cases")
    )
    assert (these.status, new.status) == ("kept", "cannot be told")
    assert new.high == pytest.approx(1 - 0.025 ** (1 / 6))


def test_claims_for_new_cases_are_wider() -> None:
    rows = [row(case, words=100 + 20 * i + j) for i, case in enumerate(CASES) for j in range(4)]
    these, new = (check_limits(rows, ConstraintsTable(words=150), claim=claim)[0] for claim in ("these", "new-cases"))
    assert these.mean == new.mean
    assert new.high - new.low > 5 * (these.high - these.low)


def test_two_configurations_side_by_side() -> None:
    rows = [{**each, "configuration": "b"} for each in confirmed(120)] + confirmed(171)
    limits = Limits.of(rows, ConstraintsTable(words=150, seconds=20))
    table = limits.table("b", "k").set_index("constraint")
    assert table.loc["words", ["limit", "baseline_mean", "baseline_status"]].tolist() == [150, 120, "kept"]
    assert table.loc["words", ["finalist_mean", "finalist_status"]].tolist() == [171, "broken"]
    assert limits.shown("b", "k")["outcome"].tolist() == ["broken", "kept"]
    assert limits.notes("b", "k") == ["the finalist breaks words: 171 on average, limit 150; so it is not recommended"]
    assert limits.notes("k", "b") == ["the baseline breaks words: 171 on average, limit 150"]
    assert limits.table("b", "gone").empty
    assert Limits.of(rows, ConstraintsTable()).checks == {}
