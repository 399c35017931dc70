"""The suite for engines (`sweeps.engines.base.Engine`)."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any, ClassVar

import pytest

from sweeps.engines.base import Engine, ModelMissing, OptionRefused, Prompt, PromptTooLong, Unsupported

LOG = (
    "Ann: the coolant pump tripped at 3.2 bar after 40 minutes. Ben: the valve was replaced, but the seal still leaks. "
    "Ann: then we order two seals from the supplier, 85 euro each. Ben: delivery is on Thursday. Ann: until then the "
    "line runs at half load, and Carl logs the pressure every hour. Ben: agreed, I tell the night shift."
)
PROMPT = Prompt(f"Summarise this conversation in three sentences.\n\n{LOG}", "You write short, exact summaries.")
OTHER = Prompt("Name three fruits and say where each one grows.", "You write short, exact summaries.")
LONG = Prompt("The pump runs at half load. " * 150)
OPTIONS: dict[str, int | float] = {
    "temperature": 0.8, "top_k": 40, "top_p": 0.9, "min_p": 0.0, "repeat_penalty": 1.1, "repeat_last_n": 64,
    "presence_penalty": 0.0, "frequency_penalty": 0.0, "mirostat": 0, "num_ctx": 512, "num_predict": 16, "seed": 1,
}  # fmt: skip
SCHEMA = {"type": "object", "properties": {"covered": {"type": "boolean"}}, "required": ["covered"]}


class EngineSuite:
    """The contract of an engine.

    - It names itself, its address, its models and the options that it passes on. Facts about engine and model are JSON
      and hold no path.
    - An answer is complete: text, reason of its end, tokens, seconds by part, and the options that were left out.
    - The same prompt, options and seed give the same text, also in a new engine and after other prompts. Different
      seeds give different texts, except at temperature 0. Sampling options and the system prompt act.
    - A prompt longer than num_ctx is refused, never cut without a word. An unknown model and a refused option are typed
      errors that name them, and the engine goes on afterwards.
    - Embeddings and answers bound to a schema work or are `Unsupported`.
    - `close` may be called twice.

    A subclass supplies the fixture `make`, which opens a new engine, and the class attributes.

    Attributes:
        name: The engine's name.
        model: A model that it has, able to write about 20 tokens.
        refuses_long_prompts: Whether this path reports a prompt that is too long.
        answers_json: Whether it binds answers to a schema.
        embeds: Whether it gives embeddings.
    """

    model: ClassVar[str]
    name: ClassVar[str]
    refuses_long_prompts: ClassVar[bool] = True
    answers_json: ClassVar[bool] = True
    embeds: ClassVar[bool] = True

    @pytest.fixture
    def make(self) -> Callable[[], Engine]:
        raise NotImplementedError

    @pytest.fixture
    def engine(self, make: Callable[[], Engine]) -> Any:
        engine = make()
        yield engine
        engine.close()

    def options(self, **changes: float) -> dict[str, int | float]:
        return {**OPTIONS, **changes}

    def ask(self, engine: Engine, prompt: Prompt = PROMPT, **changes: float) -> str:
        """The text of a request to a model that is loaded and has seen the prompt."""
        engine.warm_up(prompt, self.options(**changes), model=self.model)
        return engine.generate(prompt, self.options(**changes), model=self.model).text

    def test_it_is_an_engine(self, engine: Engine) -> None:
        assert isinstance(engine, Engine)
        assert engine.name == self.name
        assert engine.address
        assert set(engine.reload_options) <= engine.honours
        assert {"temperature", "top_p", "num_predict", "seed"} <= engine.honours

    def test_it_lists_its_models(self, engine: Engine) -> None:
        assert self.model in engine.models()

    def test_it_identifies_engine_and_model_without_paths(self, engine: Engine) -> None:
        facts = engine.identify(self.model)
        assert facts["engine"]["name"] == self.name
        assert facts["engine"]["version"]
        assert facts["engine"]["api"]
        assert facts["model"]["name"] == self.model
        assert facts["model"]["digest"]
        text = json.dumps(facts)  # JSON types only
        assert "/blobs/" not in text
        assert ".gguf" not in text
        assert engine.identify(self.model) == facts

    def test_a_revision_is_a_part_of_the_identity(self, engine: Engine) -> None:
        facts, revision = engine.identify(self.model), engine.revision(self.model)
        assert set(revision) == {"engine", "model"}
        assert revision["engine"]["version"]
        assert revision["model"]["digest"]
        for part, asked in revision.items():
            assert asked == {name: facts[part][name] for name in asked}

    def test_an_unknown_model_is_named_along_with_the_known_ones(self, engine: Engine) -> None:
        for call in (
            lambda: engine.identify("nosuch:1b"),
            lambda: engine.revision("nosuch:1b"),
            lambda: engine.generate(PROMPT, OPTIONS, model="nosuch:1b"),
        ):
            with pytest.raises(ModelMissing) as caught:
                call()
            assert "nosuch:1b" in str(caught.value)
            assert self.model in str(caught.value)
            assert caught.value.exit_code == 2

    def test_an_answer_is_complete(self, engine: Engine) -> None:
        answer = engine.generate(PROMPT, OPTIONS, model=self.model)
        assert answer.text.strip()
        assert answer.finish == "length"
        assert answer.output_tokens == 16
        assert answer.prompt_tokens is not None
        assert answer.prompt_tokens > len(PROMPT.user.split())
        assert answer.cached_tokens is None or 0 <= answer.cached_tokens <= answer.prompt_tokens
        assert answer.timing.total > 0
        assert min(answer.timing.queue, answer.timing.load, answer.timing.prefill, answer.timing.decode) >= 0
        assert not answer.truncated
        assert set(answer.dropped) == set(OPTIONS) - engine.honours
        assert answer.effective.get("num_ctx", 512) == 512

    def test_a_text_that_ends_by_itself_says_stop(self, engine: Engine) -> None:
        answer = engine.generate(OTHER, self.options(num_predict=400, temperature=0.0), model=self.model)
        assert answer.finish == "stop"
        assert answer.output_tokens is not None
        assert answer.output_tokens < 400

    def test_a_seed_gives_its_text_again_also_in_a_new_engine(self, engine: Engine, make: Callable[[], Engine]) -> None:
        texts = [self.ask(engine), self.ask(engine)]
        self.ask(engine, OTHER)  # another prompt in between changes nothing
        texts.append(self.ask(engine))
        fresh = make()
        texts.append(self.ask(fresh))
        fresh.close()
        assert len(set(texts)) == 1

    def test_seeds_differ_unless_greedy(self, engine: Engine) -> None:
        assert len({self.ask(engine, seed=seed) for seed in (1, 2, 3)}) > 1
        assert len({self.ask(engine, seed=seed, temperature=0.0) for seed in (1, 2, 3)}) == 1

    def test_sampling_options_act(self, engine: Engine) -> None:
        reference = self.ask(engine)
        assert self.ask(engine, temperature=2.0) != reference
        assert self.ask(engine, top_p=0.05) != reference

    def test_the_system_prompt_counts(self, engine: Engine) -> None:
        bare = Prompt(PROMPT.user, "Du bist ein Pirat.")
        assert self.ask(engine, bare) != self.ask(engine)

    def test_a_prompt_longer_than_num_ctx_is_refused(self, engine: Engine) -> None:
        if not self.refuses_long_prompts:
            pytest.skip("this path cuts; see its own tests")
        with pytest.raises(PromptTooLong) as caught:
            engine.generate(LONG, OPTIONS, model=self.model)
        assert caught.value.prompt_tokens is not None
        assert caught.value.prompt_tokens > 700
        assert caught.value.num_ctx == 512
        assert "num_ctx" in str(caught.value)
        assert str(caught.value.prompt_tokens) in str(caught.value)

    def test_tokens_are_counted_as_the_model_sees_them(self, engine: Engine) -> None:
        counted = engine.count_tokens(PROMPT, model=self.model, options=OPTIONS)
        assert counted == engine.generate(PROMPT, OPTIONS, model=self.model).prompt_tokens
        if self.refuses_long_prompts:
            assert engine.count_tokens(LONG, model=self.model, options=OPTIONS) > 700

    def test_a_refused_option_is_named(self, engine: Engine) -> None:
        if "repeat_penalty" not in engine.honours:
            pytest.skip("this path has no repeat_penalty")
        with pytest.raises(OptionRefused) as caught:
            engine.generate(PROMPT, self.options(repeat_penalty=0.0), model=self.model)
        assert caught.value.option == "repeat_penalty"
        assert not caught.value.retryable
        # and the engine goes on afterwards
        assert engine.generate(PROMPT, OPTIONS, model=self.model).text

    def test_embeddings(self, engine: Engine) -> None:
        if not self.embeds:
            with pytest.raises(Unsupported):
                engine.embed(["pump"], model=self.model)
            return
        rows = engine.embed(["the pump failed", "lunch is at noon", "the pump failed"], model=self.model)
        assert len(rows) == 3
        assert len({len(row) for row in rows}) == 1
        assert rows[0] == pytest.approx(rows[2], abs=1e-4)
        assert rows[0] != pytest.approx(rows[1], abs=1e-4)
        assert engine.embed([], model=self.model) == []

    def test_answers_bound_to_a_schema(self, engine: Engine) -> None:
        prompt = Prompt("Does the text say that the pump failed? Text: The pump failed.")
        options = self.options(num_predict=64, temperature=0.0)
        if not self.answers_json:
            with pytest.raises(Unsupported):
                engine.chat_json(prompt, SCHEMA, options=options, model=self.model)
            return
        answer = engine.chat_json(prompt, SCHEMA, options=options, model=self.model)
        assert set(answer) == {"covered"}
        assert isinstance(answer["covered"], bool)

    def test_closing_twice_is_fine(self, make: Callable[[], Engine]) -> None:
        engine = make()
        engine.close()
        engine.close()
