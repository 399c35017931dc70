"""The selection benchmark: its figures by hand, its rivals' budgets, and one replication of everything."""

from __future__ import annotations

import json
import math
from collections import Counter
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution

from analysis import Prior
from analysis.verdict.recommendation import RECOMMEND, probability_better
from benchmarks.search import arena, selection, selection_summary, selection_table
from benchmarks.search.peers import peers
from objectives import make_objective
from sweeps.config.file import parse_config
from sweeps.engines.scripted.surfaces import make_surface
from sweeps.engines.scripted.texts import synthetic_cases

ROOT = Path(__file__).parents[2]


@pytest.fixture
def bench() -> SimpleNamespace:
    return SimpleNamespace(
        arena=arena, peers=peers, selection=selection, summary=selection_summary, text=selection_table
    )


class Ladder:
    """A problem without noise: each option adds to the score, mirostat_tau where mirostat is on."""

    distributions = {  # noqa: RUF012
        "mirostat_tau": FloatDistribution(1.0, 9.0),
        "temperature": FloatDistribution(0.0, 1.2, step=0.1),
        "top_k": IntDistribution(10, 1000, log=True),
        "mirostat": CategoricalDistribution((0, 1)),
    }
    active_when = {"mirostat_tau": {"mirostat": (1, 2)}}  # noqa: RUF012
    baseline = {"temperature": 0.8, "top_k": 40, "mirostat": 0, "mirostat_tau": 5.0, "num_predict": 200}  # noqa: RUF012
    cases, best = 3, 0.6

    def __init__(self) -> None:
        self.asked: list[dict] = []

    def truth(self, options) -> float:
        assert ("mirostat_tau" in options) <= (options["mirostat"] == 1 or options is self.baseline)
        score = 0.3 - 0.1 * abs(options["temperature"] - 0.2) + 0.1 * math.log10(options["top_k"])
        return score + (options["mirostat"] == 1) * 0.01 * options.get("mirostat_tau", 5.0)

    def draw(self, options, case, rng) -> float:
        return self.truth(options)

    def draw_block(self, options, repeats, rng):
        self.asked.append(dict(options))
        return np.full((self.cases, repeats), self.truth(options))


# ---- figures


def test_needed_generations_by_hand(bench) -> None:
    needed = bench.summary.needed_generations
    budgets, falling = (100, 200, 400), (0.04, 0.02, 0.01)
    assert needed(budgets, falling, 0.03) == pytest.approx(100 * math.sqrt(2))
    assert needed(budgets, falling, 0.02) == pytest.approx(200)
    assert needed(budgets, falling, 0.0125) == pytest.approx(200 * 2**0.75)
    assert needed(budgets, falling, 0.05) == 100
    assert needed(budgets, falling, 0.009) == math.inf
    # .03 and .04 are out of order and become .035 both; half of the way from there to .01 is .0225
    assert needed(budgets, (0.03, 0.04, 0.01), 0.0225) == pytest.approx(200 * math.sqrt(2))


def test_ratio_of_means_and_medians_by_hand(bench) -> None:
    budgets = (300, 600, 1200)
    ours = np.array([[0.04, 0.02, 0.02], [0.04, 0.02, 0.02], [0.10, 0.08, 0.05]])
    reference = np.array([0.03, 0.03, 0.06])
    mean = bench.summary.ratio(ours, reference, budgets)  # means .06, .04, .03 against .04
    assert (mean["value"], mean["at_most"]) == (pytest.approx(0.5), False)
    median = bench.summary.ratio(ours, reference, budgets, np.median)  # medians .04, .02, .02 against .03
    assert median["value"] == pytest.approx(0.25 * math.sqrt(2))
    made = np.array([[300, 500, 800.0]] * 3)
    assert bench.summary.ratio(ours, reference, budgets, made=made)["value"] == pytest.approx(500 / 1200)


def test_ratio_bounds_and_errors(bench) -> None:
    budgets, low = (300, 1200), np.array([[0.01, 0.01]] * 5)
    easy = bench.summary.ratio(low, np.full(5, 0.02), budgets)
    assert easy == {"value": 0.25, "se": 0.0, "at_most": True}
    assert bench.summary.ratio(low, np.full(5, 0.005), budgets) == {"value": None, "se": None, "at_most": False}
    varied = np.array([[0.04, 0.02]] * 4 + [[0.03, 0.01]] * 4)
    both = bench.summary.ratio(varied, varied[:, 0] - 0.01, budgets)  # rivals move together: half way in any sample
    assert both["se"] == pytest.approx(0, abs=1e-9)
    assert bench.summary.ratio(varied, np.full(8, 0.025), budgets)["se"] > 0.01  # not together


def test_half_width_by_hand(bench) -> None:
    values = np.arange(1, 101, dtype=float)  # the 16th and the 85th of 100
    assert bench.summary.half_width(values) == (85 - 16) / 2
    assert bench.summary.half_width(np.r_[values[:90], [math.inf] * 10]) == (85 - 16) / 2
    assert bench.summary.half_width(np.r_[values[:80], [math.inf] * 20]) is None


def test_shares_and_means_by_hand(bench) -> None:
    assert bench.summary.share([True, False, False, False]) == (0.25, pytest.approx(math.sqrt(0.25 * 0.75 / 4)))
    assert bench.summary.mean([1.0, None, 3.0, math.nan]) == (2.0, pytest.approx(1.0))
    assert bench.summary.mean([None]) == (None, None)
    found = bench.summary.means([{"a": 1.0, "b": math.nan}, {"a": 3.0, "b": 2.0}])
    assert found == {"a": 2.0, "se_a": pytest.approx(1.0), "b": 2.0, "se_b": pytest.approx(math.nan, nan_ok=True)}


def made_up(kind: str, gain: float, finalist: float, outcome: str, reported: float, rival: float) -> dict:
    """A record whose baseline is .40; both budgets alike, but the verdict of the smaller one is not `better`."""
    states = {}
    for budget, verdict in (("300", "equivalent"), ("1200", outcome)):
        better = verdict == "better"
        states[budget] = {
            "used": int(budget) - 4, "outcome": verdict, "recommended": finalist,
            "claimed": finalist if better else 0.40, "finalist": finalist, "reported": reported,
            "effect": reported - 0.40, "wall": 2.0, "cpu": 1.0,
        }  # fmt: skip
    peer = {"used": 288, "trials": 8, "truth": rival, "reported": rival + 0.05, "claims": True}
    return {
        "number": 0, "kind": kind, "seed": 1, "cases": 4, "gain": gain, "best": 0.40 + gain, "baseline": 0.40,
        "budgets": [300, 1200], "sweep": states, "peers": {"tpe-3": {"300": peer, "1200": peer, "cpu": 1.0}},
    }  # fmt: skip


def test_figures_of_made_up_replications(bench) -> None:
    records = [
        made_up("smooth", 0.05, 0.44, "better", 0.45, 0.43),
        made_up("smooth", 0.05, 0.39, "better", 0.42, 0.43),
        made_up("smooth", 0.02, 0.41, "not distinguishable", 0.40, 0.41),
        made_up("smooth", 0.02, 0.42, "better", 0.42, 0.39),
    ]
    found = bench.summary.figures(records)["smooth"]
    assert (found["false_claims"], found["worse_claims"]) == (1 / 8, 1 / 8)
    assert found["worse_claims_by_budget"] == {"300": 0.0, "1200": 0.25}
    assert found["optimism"]["1200"] == pytest.approx((0.01 + 0.03 - 0.01 + 0.0) / 4)
    assert found["power"] == {"0.02": 0.5, "0.05": 1.0}
    assert found["power_by_budget"]["300"] == {"0.02": 0.0, "0.05": 0.0}
    # of finalists near .02 (.41, .42) one is claimed, near .05 (.44) that one; .39 is near none
    assert found["power_found"] == {"0.02": 0.5, "0.05": 1.0}
    assert found["n_power_found"] == {"0.02": 2, "0.05": 1}
    assert found["generations"] == {"300": 296, "1200": 1196}
    assert (found["seconds_wall"], found["seconds_cpu"]) == (2.0, 1.0)
    recommended, claimed = found["methods"]["sweep, recommended"], found["methods"]["sweep, claimed"]
    assert recommended["1200"]["regret"] == pytest.approx((0.01 + 0.06 + 0.01 + 0.0) / 4)
    assert recommended["1200"]["median_regret"] == pytest.approx(0.01)
    assert recommended["1200"]["captured"] == pytest.approx(1 - 0.08 / 0.14)
    assert claimed["300"]["regret"] == pytest.approx(0.035)
    assert claimed["1200"]["regret"] == pytest.approx((0.01 + 0.06 + 0.02 + 0.0) / 4)
    rival = found["methods"]["tpe-3"]["1200"]
    assert (rival["claims"], rival["false"], rival["worse"]) == (1.0, 0.25, 0.25)
    assert rival["regret"] == pytest.approx((0.02 + 0.02 + 0.01 + 0.03) / 4)
    assert rival["optimism"] == pytest.approx(0.05)
    # the rival's regret is .02; claims go from .035 at 300 to .0225 at 1200, recommendations have .02 at both
    # which takes 296 generations, since 4 of each budget are left
    assert (found["ratio_recommend"], found["ratio_claim"]) == (pytest.approx(296 / 1200), None)
    assert found["ratio_recommend_budget"] == 0.25
    assert "ratio_recommend" in found["at_most"]


def test_ratio_of_blocks_by_hand(bench) -> None:
    ours, reference = np.array([[0.06, 0.03]] * 4 + [[0.0, 0.0]]), np.array([0.04] * 4 + [0.02])
    two_to_one = [(4, 2 / 3), (1, 1 / 3)]  # means .04 and .02 against .0333
    mixed = bench.summary.ratio(ours, reference, (300, 1200), blocks=two_to_one)
    assert mixed["value"] == pytest.approx(0.25 * 4 ** (1 / 3))
    assert mixed["se"] == 0  # within a block all are alike, and the blocks keep their sizes
    assert bench.summary.ratio(ours, reference, (300, 1200))["value"] == pytest.approx(0.25 * 4 ** (0.012 / 0.024))
    few = [(1, 2 / 3), (4, 1 / 3)]  # two thirds of the weight are on the first row, though most rows are others
    ours, reference = np.array([[0.06, 0.03]] + [[0.0, 0.0]] * 4), np.array([0.04] + [0.02] * 4)
    middle = bench.summary.ratio(ours, reference, (300, 1200), np.median, blocks=few)
    assert middle["value"] == pytest.approx(0.25 * 4 ** (2 / 3))


def test_mix_of_surfaces_with_and_without_gain(bench) -> None:
    smooth = [made_up("smooth", 0.05, 0.44, "better", 0.45, 0.43), made_up("smooth", 0.05, 0.42, "better", 0.4, 0.41)]
    flat = [made_up("flat", 0.0, 0.40, "equivalent", 0.4, 0.40)]
    best = [made_up("default-best", 0.0, 0.40, "equivalent", 0.4, 0.34)] * 3
    without_rival = [made_up("default-best", 0.0, 0.10, "better", 0.4, 0.34) | {"peers": {}}]
    found = bench.summary.figures([*smooth, *flat, *best, *without_rival])
    mix = found["mixed"]["smooth"]
    # two thirds of .02 recommended, .05 claimed at 300 and .02 at 1200; the rival: two thirds of .03, a sixth of .06
    assert mix["regret_recommended"]["300"] == pytest.approx(2 / 3 * 0.02)
    assert mix["regret_claimed"] == {"300": pytest.approx(2 / 3 * 0.05), "1200": pytest.approx(2 / 3 * 0.02)}
    assert mix["regret"]["1200"] == pytest.approx(2 / 3 * 0.03 + 0.06 / 6)
    assert (mix["ratio_recommend"], mix["at_most_recommend"]) == (pytest.approx(296 / 1200), True)
    way = (2 / 3 * 0.05 - 0.03) / (2 / 3 * 0.03)
    assert mix["ratio_claim_budget"] == pytest.approx(0.25 * 4**way)
    assert mix["generations"] == {"300": pytest.approx(296), "1200": pytest.approx(1196)}
    assert mix["ratio_claim"] == pytest.approx(296 / 1200 * (1196 / 296) ** way)
    assert "rough" not in found["mixed"]
    assert "two of three surfaces smooth" in bench.text.table(found)


@pytest.mark.parametrize("kind", ["flat", "default-best"])
def test_every_claim_on_a_surface_without_gain_is_false(bench, kind: str) -> None:
    finalist = 0.40 if kind == "flat" else 0.37
    records = [made_up(kind, 0.0, finalist, "better", 0.41, finalist) for _ in range(3)]
    records.append(made_up(kind, 0.0, finalist, "equivalent", 0.41, finalist) | {"peers": {}})
    found = bench.summary.figures(records)[kind]
    worse = 0.75 if kind == "default-best" else 0.0
    assert found["false_claims_by_budget"] == {"300": 0.0, "1200": 0.75}
    assert found["worse_claims_by_budget"] == {"300": 0.0, "1200": worse}
    assert (found["false_claims"], found["power"], found["ratio_recommend"]) == (0.375, {}, None)
    rival = found["methods"]["tpe-3"]["300"]
    assert (rival["false"], rival["worse"]) == (1.0, 1.0 if worse else 0.0)
    assert kind in bench.text.table(bench.summary.figures(records))


# ---- rivals


@pytest.mark.parametrize("name", ["tpe-1", "tpe-3", "tpe-5", "tpe-wilcoxon", "random", "one-factor", "hyperband"])
def test_rivals_keep_to_their_budgets(bench, name: str) -> None:
    problem = bench.arena.SurfaceProblem(make_surface("rough", seed=9, cases=3))
    budgets = (15, 50, 101)
    found = bench.peers.run_peer(name, problem, budgets, 5)
    trials = list(bench.peers.PEERS[name](problem, 101, 5))
    spent = np.cumsum([trial.cost for trial in trials])
    assert spent[-1] <= 101
    for state in found:
        assert state.used == max(spent[spent <= state.budget])
        assert state.trials == np.sum(spent <= state.budget)
        complete = [trial for trial in trials[: state.trials] if trial.whole]
        best = max(complete, key=lambda trial: trial.score)
        assert (state.reported, state.options) == (best.score, best.options)
        assert state.truth == problem.truth(best.options)
        assert state.claims == (best.score > trials[0].score)
    active = {k: v for k, v in problem.baseline.items() if k != "mirostat_tau"}
    assert trials[0].options == active  # the baseline comes first, without what does nothing there
    assert found == bench.peers.run_peer(name, problem, budgets, 5)
    with pytest.raises(ValueError, match="does not hold one trial"):
        bench.peers.run_peer(name, problem, (2, 50), 5)


def test_equal_costs_fill_the_budget(bench) -> None:
    assert [s.used for s in bench.peers.run_peer("tpe-5", Ladder(), (15, 44, 60), 1)] == [15, 30, 60]


def test_the_pruner_saves_generations_and_its_winner_is_whole(bench) -> None:
    class Cliff(Ladder):
        """Everything but the baseline is far worse."""

        def draw_block(self, options, repeats, rng):
            worse = dict(options) != {k: v for k, v in self.baseline.items() if k != "mirostat_tau"}
            return 0.5 - 0.3 * worse + 0.01 * rng.random((self.cases, repeats))

    trials = list(bench.peers.PEERS["tpe-wilcoxon"](Cliff(), 100, 3))
    assert (trials[0].cost, trials[0].whole) == (9, True)
    assert all(2 <= trial.cost < 9 and not trial.whole for trial in trials[1:])
    assert bench.peers.run_peer("tpe-wilcoxon", Cliff(), (100,), 3)[0].claims is False


@pytest.mark.parametrize("name", ["race", "token-aware"])
def test_rivals_with_a_plan_recommend_what_they_name(bench, name: str) -> None:
    problem = Ladder()
    trials = list(bench.peers.PEERS[name](problem, 60, 5))
    active = {k: v for k, v in problem.baseline.items() if k != "mirostat_tau"}
    assert trials[0].options == active  # the baseline comes first, without what does nothing there
    assert 54 < sum(trial.cost for trial in trials) <= 60
    (found,) = bench.peers.run_peer(name, problem, (60,), 5)
    assert (found.options, found.reported) == (trials[-1].options, trials[-1].score)
    assert found.claims
    assert found.truth > problem.truth(problem.baseline) + 0.05
    assert bench.peers.run_peer(name, problem, (9, 60), 5)[1] == found  # a run of its own for each budget
    with pytest.raises(ValueError, match="does not hold one trial"):
        bench.peers.run_peer(name, problem, (2,), 5)


def test_a_race_drops_what_is_worse(bench) -> None:
    from benchmarks.search.peers.races import Runner, _survivors

    even = [Runner(np.zeros(1), {}, [0.5 + 0.1 * (i % 2) for i in range(6)]) for _ in range(2)]
    worse = Runner(np.zeros(1), {}, [0.3 + 0.1 * (i % 2) + 0.01 * (i % 3) for i in range(6)])
    ahead = Runner(np.zeros(1), {}, [*worse.scores, 0.2])
    assert _survivors([*even, worse, ahead], 6, kept=1) == [*even, ahead]
    assert _survivors([even[0], worse], 6, kept=2) == [even[0], worse]


def test_one_factor_climbs_option_by_option(bench) -> None:
    problem = Ladder()
    (found,) = bench.peers.run_peer("one-factor", problem, (90,), 1)  # the baseline and nine more
    # thirds of temperature have their middles at .2, .6, 1 (of top_k: 22, 100, 464)
    tried = [(o["temperature"], o["top_k"], o["mirostat"], o.get("mirostat_tau")) for o in problem.asked]
    assert tried == [
        (0.8, 40, 0, None),
        (pytest.approx(0.2), 40, 0, None), (pytest.approx(0.6), 40, 0, None), (pytest.approx(1.0), 40, 0, None),
        (pytest.approx(0.2), 22, 0, None), (pytest.approx(0.2), 100, 0, None), (pytest.approx(0.2), 464, 0, None),
        (pytest.approx(0.2), 464, 1, 5.0),
        (pytest.approx(0.2), 464, 1, pytest.approx(1 + 8 / 6)), (pytest.approx(0.2), 464, 1, pytest.approx(1 + 40 / 6)),
    ]  # fmt: skip
    assert found.options["mirostat_tau"] == pytest.approx(1 + 40 / 6)
    assert found.truth == pytest.approx(0.3 + 0.1 * math.log10(464) + 0.01 * (1 + 40 / 6))


# ---- the product's side


def test_the_file_says_the_problem(bench) -> None:
    text = bench.arena.toml_of(Ladder(), 300, 7, {"search": {"sampler": "tpe"}})
    config = parse_config(text, None)
    assert config.space.distributions() == Ladder.distributions
    assert {d.name: d.when for d in config.space if d.when} == Ladder.active_when
    assert (config.budget.generations, config.search.sampler, config.study.seed) == (300, "tpe", 7)
    assert config.baseline.options["num_predict"] == 200


def test_texts_score_what_is_drawn(bench) -> None:
    cases = synthetic_cases(3)
    objective = make_objective({"score": "counted"})
    write = bench.arena._writer(Ladder(), cases)
    options = {"temperature": 0.2, "top_k": 100, "mirostat": 0}  # .5 in truth
    for case in cases:
        assert objective.score(case, write(case, options, np.random.default_rng(1))).score == pytest.approx(0.5)


def test_replications_are_balanced(bench) -> None:
    cells = [bench.selection.cell(number) for number in range(36)]
    assert Counter(kind for kind, *_ in cells) == dict.fromkeys(bench.selection.KINDS, 9)
    assert len({(kind, cases, gain) for kind, _, cases, gain in cells}) == 36
    for kind in bench.selection.KINDS:
        ran = Counter(name for index in range(27) for name in bench.selection.peers_of(kind, index))
        everywhere = ("tpe-3", "random", "tpe-3-independent") if kind in ("smooth", "rough") else ("tpe-3",)
        assert ran == {name: 27 if name in everywhere else 9 for name in bench.peers.PEERS}


@pytest.mark.slow
def test_one_replication_of_everything(bench) -> None:
    budgets = (80, 110)
    record = json.loads(json.dumps(bench.selection.replication(0, budgets)))
    surface = make_surface("smooth", seed=30_000, gain=0.02, cases=4)
    assert (record["kind"], record["gain"], record["cases"]) == ("smooth", 0.02, 4)
    assert record["best"] - record["baseline"] == pytest.approx(surface.gain)
    for budget in budgets:
        swept = record["sweep"][str(budget)]
        assert budget / 2 < swept["used"] <= budget
        assert swept["outcome"] in ("better", "worse", "equivalent", "not distinguishable")
        belief = None if swept["believed"] is None else Prior(swept["believed"], swept["believed_sd"])
        likely = probability_better(swept["fresh_effect"], swept["fresh_error"], belief) >= RECOMMEND
        given = swept["fresh_effect"] > 0 and (likely or swept["outcome"] == "better")
        assert swept["recommended"] == (swept["finalist"] if given else record["baseline"])
        assert swept["claimed"] == (swept["finalist"] if swept["outcome"] == "better" else record["baseline"])
        assert abs(swept["reported"] - swept["finalist"]) < 0.2
    assert set(record["peers"]) == set(bench.peers.PEERS)
    found = bench.summary.figures([record])
    assert set(found["smooth"]["optimism"]) == {"80", "110"}
    assert "smooth: 1 replications" in bench.text.table(found)


def test_a_stopped_run_goes_on(bench, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def replication(number: int, budgets, rivals) -> dict:
        kind, index, *_ = bench.selection.cell(number)
        chosen = bench.selection.peers_of(kind, index) if rivals is None else rivals
        return {"number": number, "budgets": list(budgets), "peers": dict.fromkeys(chosen)}

    def numbers(records) -> list[int]:
        return [record["number"] for record in records]

    monkeypatch.setattr(bench.selection, "replication", replication)
    out, budgets = tmp_path / "records.jsonl", (80, 90, 100, 110)
    run = bench.selection.run(range(4), budgets, 1, out)
    assert [next(run)["number"], next(run)["number"]] == [0, 1]
    run.close()
    with out.open("a") as file:
        file.write('{"number": 2, "bud')  # stopped while it wrote
    assert numbers(bench.selection.read(out)) == [0, 1]
    assert numbers(bench.selection.run(range(4), budgets, 1, out)) == [2, 3]
    assert numbers(bench.selection.read(out, budgets)) == [0, 1, 2, 3]
    assert numbers(bench.selection.run(range(4), budgets, 1, out)) == []
    (alone,) = bench.selection.run([4], budgets, 1, out, ("tpe-3",))
    assert list(alone["peers"]) == ["tpe-3"]
    with pytest.raises(SystemExit, match=r"replication 4 has the rivals tpe-3, and not .*random.*--rivals tpe-3"):
        bench.selection.run(range(5), budgets, 1, out)
    assert list(bench.selection.run(range(5), budgets, 1, out, ("tpe-3",))) == []  # that all of them have
    with pytest.raises(SystemExit, match="holds budgets"):
        bench.selection.read(out, (80, 120))
