"""The interface of inspectors. Each ability is optional: without it the method raises `Unsupported` with the reason."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, Self

from sweeps.engines.base import Engine, Generation, Prompt, Unsupported
from sweeps.options import OptionValue

TOP = 20
"""Most alternatives of a first token; Ollama refuses more."""

Request = tuple[Prompt, Mapping[str, OptionValue]]
"""A prompt, and the options that are sent with it."""


@dataclass(frozen=True)
class Way:
    """How a request reaches a model, apart from its options.

    Attributes:
        path: Ollama's own API, or `openai` for its OpenAI-compatible path.
        stream: Whether the answer is streamed. The OpenAI path is never streamed here.
        kv_type: Type of the KV cache, such as `q8_0`; "" for the engine's own choice.
        cuts: Whether a prompt that is longer than the context may be cut, as the OpenAI path does.
    """

    path: Literal["native", "openai"] = "native"
    stream: bool = True
    kv_type: str = ""
    cuts: bool = False


PLAIN = Way()
"""The way in which sweeps send."""


class Inspector:
    """An engine with the abilities of this room; this base has those of every engine.

    Args:
        engine: The open engine; the inspector closes it.

    Attributes:
        engine: The engine.
    """

    def __init__(self, engine: Engine) -> None:
        self.engine = engine

    def generate(
        self,
        prompt: Prompt,
        options: Mapping[str, OptionValue],
        *,
        model: str,
        way: Way = PLAIN,
        timeout: float | None = None,
    ) -> Generation:
        """Send one request. Options that are left out keep the defaults of model and server.

        Raises:
            Unsupported: If the engine has no such way.
            EngineError: As `Engine.generate` raises.
        """
        if way != PLAIN:
            raise self._lacks("other ways to send a request")
        return self.engine.generate(prompt, options, model=model, timeout=timeout)

    def together(
        self, requests: Sequence[Request], *, model: str, timeout: float | None = None, warm: bool = True
    ) -> list[Generation]:
        """Send requests at once, and return their answers in order.

        Args:
            requests: The requests.
            model: The model.
            timeout: Seconds for each of them.
            warm: Whether their prompts are sent before, so that only the generation of texts is at once. Otherwise
                prompts that are not cached are evaluated together.

        Raises:
            Unsupported: If the engine takes one request at a time.
            EngineError: As `Engine.generate` raises.
        """
        del requests, model, timeout, warm
        raise self._lacks("requests at once")

    def first_token(
        self,
        prompt: Prompt,
        options: Mapping[str, OptionValue],
        *,
        model: str,
        way: Way = PLAIN,
        timeout: float | None = None,
    ) -> dict[str, float]:
        """Return the natural logs of the probabilities of an answer's first token, for up to `TOP` tokens.

        Raises:
            Unsupported: If the engine does not give them.
            EngineError: As `Engine.generate` raises.
        """
        del prompt, options, model, way, timeout
        raise self._lacks("log probabilities")

    def rendered(self, prompt: Prompt, options: Mapping[str, OptionValue], *, model: str) -> str:
        """Return the prompt as the model's template renders it.

        Raises:
            Unsupported: If the engine does not show it.
            EngineError: As `Engine.generate` raises.
        """
        del prompt, options, model
        raise self._lacks("the rendered prompt")

    def unload(self, model: str) -> None:
        """Take the model out of the memory, so that the next request loads it and prefills its whole prompt.

        Raises:
            Unsupported: If the engine cannot.
            EngineError: As `Engine.generate` raises.
        """
        del model
        raise self._lacks("unloading")

    def drafts(self, model: str) -> bool:
        """Whether the model has a draft head, as far as is known."""
        del model
        return False

    def close(self) -> None:
        """Close the engine, and all others that were opened. Idempotent."""
        self.engine.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.close()

    def _lacks(self, ability: str) -> Unsupported:
        return Unsupported(f"the engine {self.engine.name} at {self.engine.address} lacks {ability}")


def alternatives(entries: Sequence[Mapping[str, object]]) -> dict[str, float]:
    """Return log probabilities by token; of tokens that read alike (parts of a character) the most probable one."""
    found: dict[str, float] = {}
    for entry in entries:
        found.setdefault(str(entry["token"]), float(str(entry["logprob"])))
    return found
