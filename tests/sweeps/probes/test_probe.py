import itertools
import json
from dataclasses import replace

import pytest

from sweeps.config.file import parse_config
from sweeps.config.space import Space
from sweeps.config.space_table import parse_space
from sweeps.engines.base import OptionRefused
from sweeps.engines.embedded_model import EMBEDDED_MODEL, embedded_model_path
from sweeps.engines.llamacpp import LlamaCppEngine
from sweeps.engines.ollama import OllamaEngine
from sweeps.engines.openai import OpenAIEngine
from sweeps.engines.scripted.engine import ScriptedEngine
from sweeps.engines.server_defaults import parse_version
from sweeps.errors import ConfigError
from sweeps.fingerprints.capture import take
from sweeps.fingerprints.fingerprint import Fingerprint
from sweeps.ledger.ledger import Ledger
from sweeps.options import OPTIONS
from sweeps.probes.contexts import EXTREMES, NEUTRAL, complete, extreme_for, levels, reason
from sweeps.probes.experiment import PROMPTS
from sweeps.probes.known_facts import changed_defaults, explain, surely_ignored
from sweeps.probes.probe import PROBEABLE, ProbeResult, probe, probe_cost
from tests.doubles.ollama import OllamaDouble

SAMPLING = ("seed", "temperature", "top_k", "top_p", "min_p", "repeat_penalty", "presence_penalty", "frequency_penalty")
MIROSTAT = ("mirostat", "mirostat_tau", "mirostat_eta")


def by_name(results):
    return {result.option: result for result in results}


def space_of(raw, baseline=None):
    space, problems = parse_space(raw, prompts=["p"], baseline={**complete({}), **(baseline or {})})
    assert not problems
    return space


@pytest.fixture
def ollama():
    with OllamaDouble() as server:
        engine = OllamaEngine(server.url, attempts=1)
        yield server, engine
        engine.close()


def run(engine, names, baseline=None, **more):
    model = "smollm2:135m" if engine.name != "scripted" else "scripted"
    return by_name(probe(engine, model, names, baseline or {}, **more))


class TestOllama:
    def test_mirostat_and_its_companions_are_inert_with_the_fact_that_explains_it(self, ollama):
        server, engine = ollama
        found = run(engine, MIROSTAT, fingerprint=take(engine, "smollm2:135m"))
        for name in MIROSTAT:
            assert found[name].verdict == "inert", found[name]
            assert (found[name].changed, found[name].tried) == (0, 4)
            assert "v0.7.0" in found[name].fact
            assert "10581" in found[name].fact
        sent = [body["options"] for body in server.bodies()]
        assert {options["mirostat"] for options in sent} >= {0, 2}

    def test_sampling_options_and_the_seed_are_alive(self, ollama):
        found = run(ollama[1], SAMPLING)
        assert {name: result.verdict for name, result in found.items()} == dict.fromkeys(SAMPLING, "alive")
        assert all(result.evidence == "changed 2 of 2" for result in found.values())

    def test_every_probe_is_warm_and_at_a_fixed_seed(self, ollama):
        server, engine = ollama
        run(engine, ["top_k"])
        bodies = server.bodies()
        previous = None
        for body in bodies:
            prompt = body["messages"][-1]["content"]
            if prompt != previous:
                assert body["options"]["num_predict"] == 1
            previous = prompt
        real = [body["options"] for body in bodies if body["options"]["num_predict"] != 1]
        for (_, seed), group in itertools.groupby(real, key=lambda o: (o["num_predict"], o["seed"])):
            assert {o["seed"] for o in group} == {seed}
        assert len({o["seed"] for o in real}) == 2

    @pytest.mark.parametrize("option", ["seed", "top_k", "top_p", "min_p"])
    def test_at_temperature_0_it_is_inert_here_because_greedy(self, ollama, option):
        result = run(ollama[1], [option], {"temperature": 0.0})[option]
        assert result.verdict == "inert"
        assert (result.changed, result.tried, result.context) == (0, 4, "baseline")
        assert "inert here because decoding is greedy" in result.why
        assert "acts with temperature 1" in result.why

    def test_at_temperature_0_it_is_alive_if_the_sweep_changes_the_temperature(self, ollama):
        space = space_of({"temperature": {"low": 0.0, "high": 0.9}, "top_k": [1, 40]})
        result = run(ollama[1], ["top_k"], {"temperature": 0.0}, space=space)["top_k"]
        assert (result.verdict, result.context) == ("alive", "sweep")
        assert "temperature 0.9" in result.why

    def test_num_ctx_by_the_value_that_the_server_reports(self, ollama):
        result = run(ollama[1], ["num_ctx"], {"num_ctx": 2048})["num_ctx"]
        assert (result.verdict, result.extreme, result.effective) == ("alive", 512, 512)

    def test_num_ctx_above_the_training_length_is_clamped(self, ollama):
        space = space_of({"num_ctx": [2048, 65536]})
        result = run(ollama[1], ["num_ctx"], {"num_ctx": 2048}, space=space)["num_ctx"]
        assert (result.verdict, result.extreme, result.effective) == ("clamped", 65536, 8192)
        assert (
            "clamped to it"
            in by_name(probe(ollama[1], "smollm2:135m", ["num_ctx"], {"num_ctx": 2048}, space=space))["num_ctx"].fact
        )

    def test_num_predict_by_the_tokens_that_come(self, ollama):
        result = run(ollama[1], ["num_predict"])["num_predict"]
        assert (result.verdict, result.effective) == ("alive", 4)

    def test_options_of_the_load_are_not_called_inert(self, ollama):
        found = run(ollama[1], ["num_thread", "num_batch"])
        assert {result.verdict for result in found.values()} == {"untestable"}

    def test_the_other_path_drops_options_unsent(self):
        with OllamaDouble() as server:
            engine = OpenAIEngine(server.url, attempts=1)
            found = run(engine, ["top_k", "temperature", "repeat_penalty"])
            engine.close()
        assert {n: r.verdict for n, r in found.items()} == {
            "top_k": "inert", "repeat_penalty": "inert", "temperature": "alive",
        }  # fmt: skip
        assert "does not send it" in found["top_k"].why
        assert "native path" in found["top_k"].fact


class Refusing(ScriptedEngine):
    """Refuses a repeat_penalty above 1.5."""

    def generate(self, prompt, options, *, model, timeout=None):
        if options.get("repeat_penalty", 1.0) > 1.5:
            raise OptionRefused("repeat_penalty must be at most 1.5", "repeat_penalty")
        return super().generate(prompt, options, model=model, timeout=timeout)


class Forgetful(ScriptedEngine):
    """An engine that gives another text each time, except where `steady` is true."""

    def __init__(self, steady=lambda options, n: False, **settings):
        super().__init__(**settings)
        self.steady = steady

    def generate(self, prompt, options, *, model, timeout=None):
        answer = super().generate(prompt, options, model=model, timeout=timeout)
        if self.steady(options, self.counts.calls):
            return answer
        return replace(answer, text=f"{answer.text} {self.counts.calls}")


class Fixed(ScriptedEngine):
    """A server with a context window of its own."""

    def generate(self, prompt, options, *, model, timeout=None):
        answer = super().generate(prompt, options, model=model, timeout=timeout)
        return replace(answer, effective={"num_ctx": 4096})


class Mute(ScriptedEngine):
    """Does not tell which num_ctx it applied."""

    def generate(self, prompt, options, *, model, timeout=None):
        return replace(super().generate(prompt, options, model=model, timeout=timeout), effective={})


class TestScripted:
    @pytest.mark.parametrize("option", [*SAMPLING, "mirostat"])
    def test_an_ignored_option_is_inert_and_the_others_alive(self, option):
        names = [*SAMPLING, "mirostat"]
        found = run(ScriptedEngine(inert=[option]), names)
        assert [name for name in names if found[name].verdict != "alive"] == [option]
        assert found[option].verdict == "inert"

    @pytest.mark.parametrize("mirostat", [1, 2])
    def test_top_k_and_top_p_are_inert_here_under_mirostat(self, mirostat):
        found = run(ScriptedEngine(), ["top_k", "top_p", "mirostat_tau"], {"mirostat": mirostat})
        for name in ("top_k", "top_p"):
            assert found[name].verdict == "inert"
            assert f"inert here because mirostat {mirostat}" in found[name].why
        assert found["mirostat_tau"].verdict == "alive"

    def test_a_server_that_ignores_mirostat_has_top_k_alive_beside_it(self):
        found = run(ScriptedEngine(inert=MIROSTAT), ["top_k", "mirostat"], {"mirostat": 2})
        assert found["top_k"].verdict == "alive"
        assert found["mirostat"].verdict == "inert"

    def test_children_are_probed_with_their_parent_on(self):
        space = space_of({"mirostat": [0, 2], "mirostat_tau": {"low": 1.0, "high": 8.0}})
        found = run(ScriptedEngine(), ["mirostat_tau"], space=space)
        assert (found["mirostat_tau"].verdict, found["mirostat_tau"].context) == ("alive", "sweep")

    def test_a_refusal_is_a_result(self):
        result = run(Refusing(), ["repeat_penalty", "top_k"])
        assert result["repeat_penalty"].verdict == "refused"
        assert "at most 1.5" in result["repeat_penalty"].why
        assert result["top_k"].verdict == "alive"

    def test_a_host_that_does_not_repeat_itself_proves_nothing(self):
        result = run(Forgetful(), ["top_k"])["top_k"]
        assert result.verdict == "untestable"
        assert result.self_changed == result.self_tried == result.tried == 8

    def test_a_host_that_seldom_errs_still_shows_an_effect(self):
        # Only the fourth call, the first repeat of the reference, is off.
        result = run(Forgetful(lambda options, n: n != 3), ["top_k"])["top_k"]
        assert result.verdict == "alive"
        assert (result.changed, result.tried, result.self_changed) == (8, 8, 1)

    def test_one_odd_text_is_no_effect_of_the_option_that_was_moved_then(self):
        moved = itertools.count()
        # Only the first text with another top_k than the reference's is off; the engine ignores the option.
        steady = lambda options, n: options["top_k"] == 40 or options["num_predict"] == 1 or next(moved) > 0  # noqa: E731
        result = run(Forgetful(steady, inert=["top_k"]), ["top_k"])["top_k"]
        assert (result.verdict, result.changed, result.tried) == ("untestable", 1, 6)
        assert "just as often" in result.why

    def test_a_fixed_context_window(self):
        result = run(Fixed(), ["num_ctx"], {"num_ctx": 2048})["num_ctx"]
        assert result.verdict == "inert"
        assert "4096" in result.why

    def test_a_context_window_that_is_not_told_shows_in_a_refusal(self):
        result = run(Mute(), ["num_ctx"])["num_ctx"]
        assert result.verdict == "alive"
        assert "refused" in result.why

    def test_an_unknown_name_is_told_with_the_nearest(self):
        with pytest.raises(ConfigError, match="top_k"):
            run(ScriptedEngine(), ["topk"])


class TestLedger:
    def test_results_are_kept_under_the_fingerprint(self, tmp_path):
        engine = ScriptedEngine(inert=["min_p"])
        ledger = Ledger(tmp_path / "ledger.db")
        about = {"fingerprint": take(engine, "scripted"), "ledger": ledger}
        first = run(engine, ["min_p", "top_k"], **about)
        calls = engine.counts.calls
        second = run(engine, ["min_p", "top_k"], **about)
        assert engine.counts.calls == calls
        assert all(result.cached for result in second.values())
        assert {n: replace(r, cached=False) for n, r in second.items()} == first
        third = run(engine, ["min_p"], again=True, **about)
        assert engine.counts.calls > calls
        assert not third["min_p"].cached
        ledger.close()

    def test_another_version_model_or_baseline_is_probed_anew(self, tmp_path):
        engine = ScriptedEngine()
        ledger = Ledger(tmp_path / "ledger.db")
        here = take(engine, "scripted")
        run(engine, ["top_k"], fingerprint=here, ledger=ledger)
        engine.version = "2.0"
        assert not run(engine, ["top_k"], fingerprint=take(engine, "scripted"), ledger=ledger)["top_k"].cached
        assert not run(engine, ["top_k"], {"temperature": 0.0}, fingerprint=here, ledger=ledger)["top_k"].cached
        assert run(engine, ["top_k"], {"num_ctx": 1024}, fingerprint=here, ledger=ledger)["top_k"].cached
        ledger.close()

    def test_a_result_is_json(self):
        result = run(ScriptedEngine(), ["top_k"])["top_k"]
        assert json.loads(json.dumps(result.as_dict()))["verdict"] == "alive"


class TestCost:
    @pytest.mark.parametrize("inert", [[], list(SAMPLING[1:])])
    def test_what_is_sent_lies_within_what_was_told(self, inert):
        engine = ScriptedEngine(inert=inert)
        announced = []
        run(engine, SAMPLING, announce=announced.append)
        cost = probe_cost(SAMPLING)
        sent = sum(request.options["num_predict"] != 1 for request in engine.requests)
        assert cost.low <= sent <= cost.high
        assert announced[0].startswith(f"{cost.low} to {cost.high} generations")
        assert len(announced) == 2

    def test_the_cost_is_told_before_anything_is_sent(self):
        engine = ScriptedEngine()
        calls = []
        run(engine, ["top_k"], announce=lambda _: calls.append(engine.counts.calls))
        assert calls[0] == 0


class TestContexts:
    def test_extremes_are_valid_and_differ_from_every_reference(self):
        for name, ends in EXTREMES.items():
            for reference in (*ends, OPTIONS[name].default):
                if reference is None:
                    continue
                assert OPTIONS[name].problem(extreme_for(name, reference)) is None
                assert extreme_for(name, reference) != reference

    @pytest.mark.parametrize(("reference", "extreme"), [(40, 1), (0, 1), (1, 0), (4, 0), (100, 1)])
    def test_top_k_goes_to_one_token_or_to_all(self, reference, extreme):
        assert extreme_for("top_k", reference) == extreme

    @pytest.mark.parametrize("option", [name for name in PROBEABLE if name in (*NEUTRAL, "seed", *MIROSTAT)])
    def test_nothing_is_known_to_hide_an_option_in_the_open(self, option):
        last = levels(option, {}, Space(()))[-1]
        assert reason(option, last.options) == ""

    def test_conditions_of_the_space_hold_where_an_option_is_tried(self):
        space = space_of(
            {"mirostat": [0, 1], "top_k": {"choices": [5, 40], "when": {"mirostat": [0]}}}, {"mirostat": 1}
        )
        reached = levels("top_k", {"mirostat": 1}, space)[0]
        assert (reached.name, reached.options["mirostat"]) == ("sweep", 0)


class TestFacts:
    @pytest.mark.parametrize(
        ("text", "version"),
        [("0.32.15", (0, 32, 15)), ("v0.7.0-rc1", (0, 7, 0)), ("0.0.0", None), ("abc", None), (None, None)],
    )
    def test_versions(self, text, version):
        assert parse_version(text) == version

    def test_a_fact_explains_only_the_versions_and_verdicts_that_it_is_about(self):
        assert "v0.7.0" in explain("mirostat", "inert", engine="ollama", version="0.7.0")
        assert explain("mirostat", "inert", engine="ollama", version="0.6.9") == ""
        assert explain("mirostat", "alive", engine="ollama", version="0.32.15") == ""
        assert explain("mirostat", "inert", engine="llamacpp", version="0.32.15") == ""
        assert "15783" in explain("repeat_penalty", "inert", engine="ollama", version="0.12.0")
        assert explain("repeat_penalty", "inert", engine="ollama", version="0.32.15") == ""

    def test_changed_defaults(self):
        assert "1.0" in changed_defaults(["repeat_penalty"], engine="ollama", version="0.32.15")["repeat_penalty"]
        assert changed_defaults(["repeat_penalty"], engine="ollama", version="0.32.9") == {}

    def test_facts_do_not_stand_in_for_a_probe(self):
        """A server of a version that is known to have no mirostat, but has it, is believed."""
        engine = ScriptedEngine()
        engine.name = "ollama"
        known = Fingerprint({"engine": {"name": "ollama", "version": "0.32.15"}})
        (result,) = probe(engine, "scripted", ["mirostat"], {}, fingerprint=known)
        assert (result.verdict, result.fact) == ("alive", "")


def test_prompts_are_short():
    assert all(len(prompt.user.split()) <= 20 for prompt in PROMPTS)


def test_search_keys_are_no_part_of_a_study():
    text = """
    study.name = "s"
    prompts.p = "{log}"
    objective.cases = "c"
    baseline.model = "m"
    space.top_k = [1, 2]
    budget.generations = 10
    """
    plain = parse_config(text)
    changed = parse_config(text + "\nsearch.probe = false\nsearch.strict = true\n")
    assert (plain.search.probe, plain.search.strict) == (True, False)
    assert plain.identity() == changed.identity()


@pytest.mark.long  # the same by texts alone: `test_llamacpp.test_mirostat_is_alive_and_replaces_top_k`
@pytest.mark.model
@pytest.mark.skipif(embedded_model_path() is None, reason="the embedded model is not installed")
def test_the_embedded_engine_has_mirostat_and_top_k_is_inert_under_it():
    with LlamaCppEngine() as engine:
        options = {"num_ctx": 512, "mirostat": 2}
        found = by_name(probe(engine, EMBEDDED_MODEL, ["mirostat", "top_k"], options))
    assert found["mirostat"].verdict == "alive"
    assert (found["top_k"].verdict, found["top_k"].changed, found["top_k"].tried) == ("inert", 0, 4)
    assert "mirostat 2 replaces top_k" in found["top_k"].why
    assert isinstance(found["top_k"], ProbeResult)


@pytest.mark.parametrize(
    ("engine", "version", "ignored"),
    [("ollama", "0.6.8", False), ("ollama", "0.7.0", True), ("ollama", None, True), ("llamacpp", "1", False)],
)
def test_mirostat_is_surely_ignored_since_the_version_that_removed_it(engine, version, ignored):
    names = surely_ignored(engine=engine, version=version)
    assert names == ({"mirostat", "mirostat_tau", "mirostat_eta"} if ignored else set())
