"""The pace of requests, and the expected time of a plan."""

from dataclasses import replace

import pytest

from objectives import load_cases
from sweeps.budget.pace import Pace, expected_groups, measured_pace, readable_time
from sweeps.budget.plan import Plan
from sweeps.config.file import load_config
from sweeps.engines.base import Generation, Timing
from sweeps.engines.scripted.engine import ScriptedEngine
from sweeps.hosts.timed_engine import prefill_rate, timed
from tests.sweeps.sweep_files import write_sweep


class TestTime:
    PLAN = Plan(cases=3, floor_seeds=4, seeds=2, trials=8, confirm_seeds=5)

    def test_without_reloads(self, tmp_path):
        config = load_config(write_sweep(tmp_path, search={"batch": 4}))
        time = Pace(2.0, 1.0, 10.0).estimate(self.PLAN, config)
        # One load; each of floor, two batches and confirmation warms up three prompts; 12 + 48 + 30 generations.
        assert (time.loads, time.prefills, time.generations) == (1, 12, 90)
        assert time.seconds == 10 + 12 + 180

    def test_with_two_windows(self, tmp_path):
        config = load_config(write_sweep(tmp_path, space={"num_ctx": [1024, 2048]}, search={"batch": 2}))
        time = Pace(2.0, 1.0, 10.0).estimate(self.PLAN, config)
        # Two draws from two values are 1.5 groups on average: four batches are 6 loads, then one for the other arm.
        assert time.loads == 1 + 6 + 1
        assert time.prefills == 3 * (1 + 6 + 2)

    def test_trials_with_some_of_the_cases(self, tmp_path):
        config = load_config(write_sweep(tmp_path, space={"num_ctx": [1024, 2048]}, search={"batch": 2}))
        plan = Plan(cases=12, floor_seeds=4, seeds=1, trials=8, confirm_seeds=5, parts=2)
        time = Pace(2.0, 1.0, 10.0).estimate(plan, config)
        # In each of four batches two trials of 6 cases warm up 12 prompts, whether they share a window or not.
        assert time.prefills == 12 * (1 + 2) + 4 * 12
        batched = Pace(2.0, 1.0, 10.0).estimate(replace(plan, together=2), config)
        # If they have the same 6 cases, these are warmed up once per window, of which a batch has 1.5 on average.
        assert batched.prefills == 12 * (1 + 2) + 4 * 9

    def test_looks_hosts_and_the_time_that_is_taken_warm_up_anew(self, tmp_path):
        config = load_config(write_sweep(tmp_path, search={"batch": 4}, budget={"minutes": 10.0}))
        plan = replace(self.PLAN, look_seeds=(3,), hosts=2)
        time = Pace(2.0, 1.0, 10.0, hosts=2).estimate(plan, config)
        # Two hosts load and warm up three prompts each: twice for the floor, once per look; two batches share theirs.
        assert (time.loads, time.prefills) == (2, 3 * 2 * (2 + 2) + 2 * 3)

    def test_hosts_share_the_work(self, tmp_path):
        config = load_config(write_sweep(tmp_path))
        one, two = (Pace(2, 1, 10, hosts=n).estimate(self.PLAN, config) for n in (1, 2))
        assert two.seconds == one.seconds / 2

    def test_kept_prompts_are_evaluated_once_and_lanes_share_the_generations(self, tmp_path):
        config = load_config(write_sweep(tmp_path, search={"batch": 4}))
        pace = Pace(2.0, 1.0, 10.0, at_once=2, keeps_prompts=True)
        time = pace.estimate(self.PLAN, config)
        # One load, three prompts, and 90 generations of 2 s, two at a time.
        assert (time.loads, time.prefills, time.seconds) == (1, 3, 10 + 3 + 90)
        assert time.text.endswith("90 generations 1.5 min, 2 at a time")
        # A new process evaluates the prompts again, however much is left; with nothing left, none.
        assert pace.estimate(self.PLAN, config, {"floor": 12, "explore": 24}).prefills == 3
        assert pace.estimate(self.PLAN, config, {"floor": 12, "explore": 48, "confirm": 30}).seconds == 0

    def test_texts_may_be_as_long_as_their_limit(self, tmp_path):
        config = load_config(write_sweep(tmp_path, baseline={"num_predict": 50}))
        answers = [
            Generation("x", "stop", 9, tokens, Timing(0.5 + tokens * 0.1, prefill=0.5, decode=tokens * 0.1))
            for tokens in (10, 30)
        ]
        _, watcher = timed(ScriptedEngine())
        watcher.warmups.append(Generation("x", "length", 100, 1, Timing(0.1, prefill=0.1), cached_tokens=0))
        pace = measured_pace(answers, [watcher], config, [], [ScriptedEngine()])
        assert (pace.decode, pace.longest) == (pytest.approx(2.5), pytest.approx(5.5))  # 20 and 50 tokens of .1 s
        time = replace(pace, prefill=0.0, load=0.0).estimate(self.PLAN, config)
        assert time.text.startswith("about 3.8 min (up to 8.2 min, since texts may be longer than the baseline's): ")

    @pytest.mark.parametrize(
        ("change", "at_once", "keeps"),
        [({}, 2, True), ({"space": {"num_ctx": [512, 1024]}}, 2, False), ({"space": {"num_thread": [1, 2]}}, 1, False),
         ({"constraints": {"seconds": 9.0}}, 1, True)],
    )  # fmt: skip
    def test_what_the_engine_offers_counts_where_the_sweep_can_use_it(self, tmp_path, change, at_once, keeps):
        class Offers(ScriptedEngine):
            def at_once(self, model, options):
                return 2

            def keeps_prompts(self, tokens, *, model):
                return tokens == 27  # three cases of 9

        _, watcher = timed(ScriptedEngine())
        watcher.warmups.append(Generation("x", "length", 100, 1, Timing(0.1, prefill=0.1), cached_tokens=0))
        config = load_config(write_sweep(tmp_path, **change))
        answer = Generation("x", "stop", 9, 10, Timing(1.0, decode=1.0))
        pace = measured_pace([answer], [watcher], config, load_cases(tmp_path / "cases"), [Offers()])
        assert (pace.at_once, pace.keeps_prompts) == (at_once, keeps)

    def test_kept_prompts_of_a_space_with_two(self, tmp_path):
        config = load_config(
            write_sweep(tmp_path, prompts={"p": "A {log}", "q": "B {log}"}, space={"prompt": ["p", "q"]})
        )
        time = Pace(2.0, 1.0, 10.0, keeps_prompts=True).estimate(self.PLAN, config)
        # Three for the floor, and 2.98 since hardly ever none of 8 trials has the other prompt; rounded up.
        assert time.prefills == 6

    @pytest.mark.parametrize(("values", "draws", "groups"), [(1, 4, 1), (2, 2, 1.5), (float("inf"), 4, 4), (3, 1, 1)])
    def test_groups(self, values, draws, groups):
        assert expected_groups(values, draws) == pytest.approx(groups)

    def test_prefill_of_cached_prompts_does_not_count(self):
        def answer(tokens, cached, seconds):
            return Generation("x", "length", tokens, 1, Timing(seconds, prefill=seconds), cached_tokens=cached)

        assert prefill_rate([answer(100, 99, 0.5), answer(100, 0, 0.2), answer(300, 0, 0.2)]) == pytest.approx(0.001)
        assert prefill_rate([answer(400, None, 0.01), answer(400, None, 0.8)]) == pytest.approx(0.002)
        assert prefill_rate([answer(100, 99, 0.1)]) is None

    @pytest.mark.parametrize(("seconds", "text"), [(4.21, "4.2 s"), (45, "45 s"), (210, "3.5 min"), (7560, "2.1 h")])
    def test_readable(self, seconds, text):
        assert readable_time(seconds) == text
