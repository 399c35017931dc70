"""Options that leave a space before a sweep begins, and stay out when the sweep is resumed."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sweeps.check.checker import check_sweep
from sweeps.config.file import load_config
from sweeps.config.narrowed_space import Narrowing, narrowed
from sweeps.config.space import Dimension, Space
from sweeps.engines.openai import OpenAIEngine
from sweeps.engines.scripted.engine import ScriptedEngine
from sweeps.errors import ConfigError
from sweeps.ledger.ledger import Ledger
from sweeps.probes.capacity import measure_capacity
from sweeps.probes.unsearchable import refuse_unsent
from sweeps.scoring.inputs import load_inputs
from sweeps.study.sweep import Sweep
from tests.doubles.ollama import OllamaDouble
from tests.sweeps.sweep_files import run, write_sweep

MIROSTAT = {
    "temperature": {"low": 0.1, "high": 1.2},
    "mirostat": [0, 1, 2],
    "mirostat_tau": {"low": 1.0, "high": 8.0, "when": {"mirostat": [1, 2]}},
}


class Messages:
    """Progress that keeps the notes."""

    def __init__(self):
        self.notes = []

    def note(self, text, *, warning=False):
        self.notes.append((text, warning))

    def __getattr__(self, name):
        return lambda *args, **kwargs: None

    @property
    def warnings(self):
        return [text for text, warning in self.notes if warning]


@pytest.fixture
def ollama(tmp_path):
    """A sweep with mirostat in its space, on a server that ignores it."""
    with OllamaDouble() as server:
        yield write_sweep(
            tmp_path,
            engine={"kind": "ollama", "host": server.url, "options": None},
            baseline={"model": "smollm2:135m", "num_predict": 30},
            space=MIROSTAT,
            budget={"generations": 50, "floor_seeds": 2},
        )


class TestInert:
    def test_mirostat_is_dropped_aloud_and_the_sweep_goes_on(self, ollama):
        messages = Messages()
        result = run(ollama, progress=messages)
        assert result.status == "done"
        assert [dimension.name for dimension in result.config.space] == ["temperature"]
        assert {p.configuration.options["mirostat"] for p in result.proposals} == {0}
        (parent,) = [text for text in messages.warnings if text.startswith("space.mirostat is dropped")]
        assert "inert (changed 0 of 4)" in parent
        assert "v0.7.0" in parent
        assert any(text.startswith("space.mirostat_tau is dropped") for text in messages.warnings)

    def test_a_resumed_study_has_the_same_space_and_probes_nothing(self, ollama):
        first = run(ollama)
        messages = Messages()
        second = run(ollama, progress=messages)
        assert [d.name for d in second.config.space] == [d.name for d in first.config.space]
        assert not any("probing" in text for text, _ in messages.notes)
        assert any(text.startswith("space.mirostat is dropped") for text in messages.warnings)

    def test_a_second_study_on_the_same_host_uses_the_probes_that_are_there(self, tmp_path):
        engine = ScriptedEngine()
        for name in ("one", "two"):
            path = write_sweep(tmp_path, study={"name": name}, engine={"options": {"inert": ["top_p"]}})
            messages = Messages()
            run(path, progress=messages)
        assert engine.counts.calls == 0
        assert any(text.startswith("space.top_p is dropped") for text in messages.warnings)
        assert not any("probing" in text for text, _ in messages.notes)

    def test_a_scripted_engine_with_other_settings_is_another_host(self, tmp_path):
        run(write_sweep(tmp_path))
        messages = Messages()
        run(write_sweep(tmp_path, study={"name": "u"}, engine={"options": {"inert": ["top_p"]}}), progress=messages)
        assert any(text.startswith("space.top_p is dropped") for text in messages.warnings)
        flat = run(write_sweep(tmp_path, study={"name": "flat"}, engine={"options": {"surface": "flat"}}))
        assert flat.floor is not None
        assert flat.floor.mean > 0.4  # at this temperature the demo surface has 0.24

    def test_strict_refuses_and_generates_nothing(self, ollama):
        with pytest.raises(ConfigError, match=r"space\.mirostat .* refused by --strict") as error:
            run(ollama, strict=True)
        assert any("mirostat_tau" in problem for problem in error.value.problems)
        ledger = Ledger(ollama.parent / "mlruns" / "ledger.db")
        assert ledger.studies.all() == []
        ledger.close()

    def test_strict_in_the_file_refuses_as_well(self, tmp_path):
        path = write_sweep(tmp_path, engine={"options": {"inert": ["top_p"]}}, search={"strict": True})
        with pytest.raises(ConfigError, match=r"space\.top_p"):
            run(path)

    def test_strict_accepts_a_space_that_acts(self, tmp_path):
        assert run(write_sweep(tmp_path), strict=True).status == "done"

    def test_nothing_left_is_an_error(self, tmp_path):
        path = write_sweep(tmp_path, engine={"options": {"inert": ["top_p", "temperature"]}})
        with pytest.raises(ConfigError, match="nothing is left to search") as error:
            run(path)
        assert "space.temperature" in str(error.value)

    def test_without_probing_the_space_is_taken_as_it_is(self, tmp_path):
        path = write_sweep(tmp_path, engine={"options": {"inert": ["top_p"]}}, search={"probe": False})
        messages = Messages()
        result = run(path, progress=messages)
        assert "top_p" in result.config.space
        assert not any("probing" in text for text, _ in messages.notes)

    def test_inert_on_one_of_two_models_is_told_but_kept(self, tmp_path):
        class Partly(ScriptedEngine):
            def _live(self, options):
                live = super()._live(options)
                if self.requests[-1].model == "other":
                    live.pop("top_p", None)
                return live

        path = write_sweep(tmp_path, space={"top_p": [0.5, 0.9], "model": ["scripted", "other"]})
        engine = Partly(load_inputs(load_config(path))[0], models=["scripted", "other"])
        messages = Messages()
        result = run(path, progress=messages, engine=engine)
        assert "top_p" in result.config.space
        assert any("space.top_p does nothing on other" in text for text in messages.warnings)


class TestNothingButTheBaseline:
    @pytest.mark.parametrize(
        ("space", "held", "first"),
        [
            ({"temperature": [1.2]}, "temperature 1.2", "temperature"),
            ({"prompt": ["brief"], "top_k": 40}, "prompt brief, top_k 40", "prompt"),
        ],
    )
    def test_a_space_of_the_baseline_alone_is_refused_before_anything_runs(self, tmp_path, space, held, first):
        path = write_sweep(tmp_path, space=space, baseline={"top_k": 40})
        engine = ScriptedEngine(load_inputs(load_config(path))[0])
        message = rf"sweep\.toml: \[space\] holds only the baseline \({held}\), .*; give space\.{first} other"
        with pytest.raises(ConfigError, match=message):
            run(path, engine=engine)
        report = check_sweep(path, mlruns=tmp_path / "mlruns", engine=engine)
        assert [row.name for row in report.rows] == ["file"]
        assert report.state == "blocked"
        assert "holds only the baseline" in report.rows[0].found
        assert engine.counts.calls == 0
        assert not (tmp_path / "mlruns").exists()

    def test_one_configuration_that_is_another_is_compared(self, tmp_path):
        assert run(write_sweep(tmp_path, space={"temperature": [0.4]}, search={"sampler": "random"})).verdict

    def test_a_space_of_which_only_the_baseline_is_left_is_refused_as_well(self, tmp_path):
        space = {"temperature": [1.2], "top_p": [0.5, 0.9]}
        path = write_sweep(tmp_path, space=space, engine={"options": {"inert": ["top_p"]}})
        with pytest.raises(ConfigError, match="nothing is left to search") as error:
            run(path)
        assert "space.top_p is dropped" in str(error.value)
        assert error.value.problems[-2].strip() == "space.temperature: 1.2 is the baseline's"


class TestUnsent:
    def test_what_a_path_drops_cannot_be_searched(self, tmp_path):
        with OllamaDouble() as server:
            path = write_sweep(
                tmp_path,
                engine={"kind": "openai", "host": server.url, "options": None},
                baseline={"model": "smollm2:135m"},
                space={"top_k": [10, 40], "temperature": {"low": 0.1, "high": 1.0}},
            )
            with pytest.raises(ConfigError, match=r"space\.top_k: the openai engine at .* does not send top_k"):
                Sweep(load_config(path), directory=tmp_path / "mlruns").run()
            engine = OpenAIEngine(server.url, attempts=1)
            with pytest.raises(ConfigError) as error:
                refuse_unsent(engine, load_config(path))
            engine.close()
        assert len(error.value.problems) == 1


class TestCapacity:
    # A log of case 1 has 39 words by the scripted engine's count, so a prompt has a few more.

    def sweep(self, folder, space, **baseline):
        path = write_sweep(folder, space=space, baseline={"num_ctx": 2048, **baseline})
        config = load_config(path)
        cases, _ = load_inputs(config)
        engine = ScriptedEngine(cases)
        engine.count_tokens = lambda prompt, *, model, options: 700
        return path, config, cases, engine

    def test_choices_that_would_cut_a_prompt_are_left_out(self, tmp_path):
        _, config, cases, engine = self.sweep(tmp_path, {"num_ctx": [512, 1024, 2048], "top_p": [0.5, 0.9]})
        capacity = measure_capacity(engine, config, cases)
        assert (capacity.removed, capacity.smallest_ctx, capacity.room) == ((512,), 1024, 324)
        assert capacity.models == {"scripted": 700}

    def test_a_window_of_exactly_the_prompt_has_no_room_for_an_answer(self, tmp_path):
        _, config, cases, engine = self.sweep(tmp_path, {"num_ctx": [700, 701]})
        assert measure_capacity(engine, config, cases).removed == (700,)

    def test_a_range_is_refused_with_the_bound_to_use(self, tmp_path):
        _, config, cases, engine = self.sweep(tmp_path, {"num_ctx": {"low": 512, "high": 4096}})
        with pytest.raises(ConfigError, match=r"space\.num_ctx\.low: .* 700 tokens.* num_ctx 512 .* at least 1024"):
            measure_capacity(engine, config, cases)

    def test_choices_of_which_none_is_left_are_refused(self, tmp_path):
        _, config, cases, engine = self.sweep(tmp_path, {"num_ctx": [256, 512]})
        with pytest.raises(ConfigError, match=r"space\.num_ctx: .* num_ctx 512 holds"):
            measure_capacity(engine, config, cases)

    def test_a_baseline_that_would_be_cut_is_refused(self, tmp_path):
        _, config, cases, engine = self.sweep(tmp_path, {"num_ctx": [512, 2048]}, num_ctx=512)
        with pytest.raises(ConfigError, match=r"baseline\.num_ctx"):
            measure_capacity(engine, config, cases)

    def test_a_sweep_never_asks_for_a_window_that_was_left_out(self, tmp_path):
        path, _, _, engine = self.sweep(tmp_path, {"num_ctx": [512, 1024, 2048], "temperature": [0.2, 0.4, 0.8, 1.2]})
        messages = Messages()
        result = run(path, engine=engine, progress=messages)
        assert {p.configuration.options["num_ctx"] for p in result.proposals} <= {1024, 2048}
        assert any("space.num_ctx: 512 would cut a prompt" in text for text in messages.warnings)


def dimension(name, **more):
    return Dimension(name, choices=more.pop("choices", (1, 2)), **more)


BASELINE = {"mirostat": 0, "top_k": 40, "num_ctx": 2048}


class TestNarrowed:
    def names(self, space, narrowing):
        return [d.name for d in narrowed(space, narrowing, BASELINE)]

    def test_children_go_where_the_baseline_does_not_meet_their_condition(self):
        space = Space((dimension("mirostat"), dimension("mirostat_tau", when={"mirostat": (1, 2)}),
                       dimension("mirostat_eta", when={"mirostat_tau": (1,)})))  # fmt: skip
        assert self.names(space, Narrowing({"mirostat": "inert"})) == []

    def test_children_stay_where_it_does(self):
        space = Space((dimension("mirostat"), dimension("top_k", when={"mirostat": (0,)})))
        left = narrowed(space, Narrowing({"mirostat": "inert"}), BASELINE)
        assert [d.name for d in left] == ["top_k"]
        assert left["top_k"].when == {}

    def test_a_condition_on_a_choice_that_is_gone_cannot_hold(self):
        space = Space((dimension("num_ctx", choices=(512, 1024, 2048)), dimension("top_k", when={"num_ctx": (512,)}),
                       dimension("top_p", when={"num_ctx": (512, 2048)})))  # fmt: skip
        left = narrowed(space, Narrowing(removed={"num_ctx": (512,)}), BASELINE)
        assert [d.name for d in left] == ["num_ctx", "top_p"]
        assert left["num_ctx"].choices == (1024, 2048)
        assert left["top_p"].when == {"num_ctx": (2048,)}

    @pytest.mark.parametrize(("allowed", "left"), [((0, 1), ["top_k"]), ((1, 2), []), ((0,), ["top_k"])])
    def test_a_child_of_what_is_dropped_acts_as_the_baseline_has_it(self, allowed, left):
        space = Space((dimension("mirostat", choices=(0, 1, 2)), dimension("top_k", when={"mirostat": allowed})))
        found = narrowed(space, Narrowing({"mirostat": "inert"}), BASELINE)
        assert [d.name for d in found] == left
        assert all(not d.when for d in found)

    def test_a_single_choice_left_that_is_the_baselines_is_no_dimension(self):
        space = Space((dimension("num_ctx", choices=(512, 2048)),))
        assert self.names(space, Narrowing(removed={"num_ctx": (512,)})) == []

    def test_a_single_choice_that_is_another_or_was_single_from_the_start_is_one(self):
        other = Space((dimension("num_ctx", choices=(512, 4096)),))
        assert self.names(other, Narrowing(removed={"num_ctx": (512,)})) == ["num_ctx"]
        single = Space((dimension("num_ctx", choices=(2048,)), dimension("top_k", when={"num_ctx": (2048,)})))
        assert self.names(single, Narrowing(removed={"num_ctx": (512,)})) == ["num_ctx", "top_k"]

    def test_a_child_of_a_choice_that_became_the_baselines_own(self):
        space = Space((dimension("num_ctx", choices=(512, 2048)), dimension("top_k", when={"num_ctx": (2048,)}),
                       dimension("top_p", when={"num_ctx": (512,)})))  # fmt: skip
        left = narrowed(space, Narrowing(removed={"num_ctx": (512,)}), BASELINE)
        assert [d.name for d in left] == ["top_k"]
        assert left["top_k"].when == {}

    @given(st.dictionaries(st.text(min_size=1), st.text()), st.lists(st.integers(256, 9999)))
    def test_the_record_is_read_back(self, dropped, removed):
        narrowing = Narrowing(dropped, {"num_ctx": tuple(removed)})
        assert Narrowing.from_record(narrowing.as_record()) == narrowing

    def test_a_study_without_a_record_was_not_narrowed(self):
        assert Narrowing.from_record(None) == Narrowing()
