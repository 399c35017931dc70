"""The interface of engines: one request in, one answer out, typed errors, facts for the fingerprint."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol, Self, runtime_checkable

from sweeps.errors import SweepError
from sweeps.options import OptionValue


@dataclass(frozen=True)
class Prompt:
    """A chat prompt: the user's message and, optionally, a system message."""

    user: str
    system: str | None = None


@dataclass(frozen=True)
class Timing:
    """Seconds of one request by part. `queue` is the time that no other part explains."""

    total: float
    queue: float = 0.0
    load: float = 0.0
    prefill: float = 0.0
    decode: float = 0.0


@dataclass(frozen=True)
class Generation:
    """One answer of an engine.

    Attributes:
        text: The generated text without a thought that the engine gives apart, otherwise unchanged (possibly empty).
        finish: `stop` (the model ended), `length` (num_predict cut it off) or `repeat` (the engine stopped a
            degenerate repetition).
        prompt_tokens: Tokens of the prompt, cached ones included; None where not reported.
        output_tokens: Generated tokens, those of a thought included; None where not reported (Ollama's repeat abort
            reports none).
        cached_tokens: Prompt tokens taken from the prefix cache; None where not reported.
        timing: Seconds by part.
        effective: Options as the engine applied them, where it reports that (for example a clamped num_ctx).
        truncated: Whether the engine cut the prompt, as far as is known. Such a text does not answer the prompt.
        dropped: Names of requested options that this engine cannot send.
        thought: The thought that the engine gives apart from the text; "" for none.
        thinking_tokens: The part of `output_tokens` that is thought (see `thinking_share`); None where not known.
    """

    text: str
    finish: str
    prompt_tokens: int | None
    output_tokens: int | None
    timing: Timing
    cached_tokens: int | None = None
    effective: Mapping[str, OptionValue] = field(default_factory=dict)
    truncated: bool = False
    dropped: tuple[str, ...] = ()
    thought: str = ""
    thinking_tokens: int | None = None


class EngineError(SweepError):
    """Base of engine failures.

    Attributes:
        retryable: Whether the same request may succeed if sent again (connection faults only).
    """

    exit_code = 3
    retryable = False


class EngineUnreachable(EngineError):
    """Nothing answers at the address, or the connection broke."""

    retryable = True


class EngineBusy(EngineUnreachable):
    """The server, or a proxy before it, answers that it cannot take the request now.

    Attributes:
        retry_after: Seconds to wait as the server says; None if it does not say.
    """

    def __init__(self, message: str, retry_after: float | None = None) -> None:
        super().__init__(message)
        self.retry_after = retry_after


class UsageLimit(EngineError):
    """No requests are wanted for minutes or longer: a usage limit is reached, or the server is being worked on.

    Attributes:
        retry_after: Seconds to wait as the server says; None if it does not say.
    """

    def __init__(self, message: str, retry_after: float | None = None) -> None:
        super().__init__(message)
        self.retry_after = retry_after


class AccessRefused(EngineError):
    """The server wants another key or password, or none fits."""

    exit_code = 2


class EngineTimeout(EngineError):
    """The request took longer than the time limit."""


class EngineProtocolError(EngineError):
    """Something answers, but not as this engine does (an HTML page, truncated JSON, another service)."""


class ModelMissing(EngineError):
    """The host does not have the model; the message lists those it has."""

    exit_code = 2


class OptionRefused(EngineError):
    """The engine refused an option's value; `option` names it where known."""

    exit_code = 2

    def __init__(self, message: str, option: str | None = None) -> None:
        super().__init__(message)
        self.option = option


class PromptTooLong(EngineError):
    """The prompt does not fit num_ctx; nothing was generated and nothing was cut."""

    exit_code = 2

    def __init__(self, message: str, prompt_tokens: int | None = None, num_ctx: int | None = None) -> None:
        super().__init__(message)
        self.prompt_tokens = prompt_tokens
        self.num_ctx = num_ctx


class EngineFailure(EngineError):
    """A failure that the engine reports: out of memory, a crashed runner, a model that does not load."""


class OutOfMemory(EngineFailure):
    """The model does not fit into the host's memory with these options (num_ctx, num_batch, num_gpu)."""


class NotInstalled(EngineError):
    """A package that the engine needs is missing; the message says how to install it."""

    exit_code = 2


class Unsupported(EngineError):
    """The engine or the model lacks an ability (embeddings, answers bound to a schema)."""

    exit_code = 2


@runtime_checkable
class Engine(Protocol):
    """A place that generates text. Used by one thread at a time.

    Every engine passes the suite `tests/conformance/engines.py`, which states the contract in full.

    Attributes:
        name: `ollama`, `openai`, `llamacpp` or `scripted`.
        address: Where it is: a URL, or `in process`.
        honours: Names of the options that this engine sends (a probe finds out whether each one acts).
        reload_options: Options whose change reloads the model, slowest first; the schedule groups by them.
    """

    name: str
    address: str
    honours: frozenset[str]
    reload_options: Sequence[str]

    def generate(
        self, prompt: Prompt, options: Mapping[str, OptionValue], *, model: str, timeout: float | None = None
    ) -> Generation:
        """Send one request with every option explicit and return the answer.

        Args:
            prompt: The chat prompt.
            options: All options by Ollama's names, the seed included.
            model: The model's name on this host (for `llamacpp`: a GGUF path or a known name).
            timeout: Seconds before `EngineTimeout`; None for the engine's default.

        Raises:
            EngineError: One of the typed failures of this module.
        """
        ...

    def warm_up(
        self, prompt: Prompt, options: Mapping[str, OptionValue], *, model: str, timeout: float | None = None
    ) -> Generation:
        """Make the prompt warm for the next requests with one uncounted token; see `generate` for the arguments.

        An engine may take the prompt's evaluation from an earlier request instead, where the texts stay the same.
        """
        ...

    def models(self) -> list[str]:
        """Names of the models that this host can serve."""
        ...

    def identify(self, model: str) -> dict[str, Any]:
        """Facts for the fingerprint, as `{"engine": {...}, "model": {...}}` (JSON types only).

        Raises:
            ModelMissing: If the host does not have the model.
            EngineUnreachable: If nothing answers.
        """
        ...

    def revision(self, model: str) -> dict[str, Any]:
        """Return the facts of `identify` that change with engine or model; asked after each answer.

        Returns:
            A part of the facts of `identify`, in the same form, with the engine's version and the model's digest.

        Raises:
            ModelMissing: If the host does not have the model.
            EngineUnreachable: If nothing answers.
        """
        ...

    def capabilities(self, model: str) -> frozenset[str] | None:
        """Return a model's abilities, among them `thinking`; None where the engine does not tell.

        Raises:
            EngineError: If the engine tells them and cannot be asked.
        """
        ...

    def count_tokens(self, prompt: Prompt, *, model: str, options: Mapping[str, OptionValue]) -> int:
        """Ask the engine for the number of the prompt's tokens in the model's own template.

        Args:
            prompt: The chat prompt.
            model: The model's name.
            options: All options; only the reload options (such as num_ctx) matter here.

        Raises:
            EngineError: One of the typed failures; `PromptTooLong` only where the engine does not report the count.
        """
        ...

    def embed(self, texts: Sequence[str], *, model: str) -> list[list[float]]:
        """Return one vector per text.

        Raises:
            Unsupported: If the engine or the model gives no embeddings.
        """
        ...

    def chat_json(
        self, prompt: Prompt, schema: Mapping[str, Any], *, options: Mapping[str, OptionValue], model: str
    ) -> dict[str, Any]:
        """Return one answer bound to a JSON schema (an object at the top), parsed.

        Raises:
            Unsupported: If the engine cannot bind its output to a schema.
            EngineProtocolError: If the answer is no JSON object, for example because num_predict cut it off.
        """
        ...

    def close(self) -> None:
        """Free what the engine holds. Idempotent."""
        ...


class BaseEngine:
    """Base of the engines: the general ways to give a revision, count tokens and refuse, and use in a `with`."""

    name: str
    address: str
    honours: frozenset[str]
    reload_options: Sequence[str]

    def generate(
        self, prompt: Prompt, options: Mapping[str, OptionValue], *, model: str, timeout: float | None = None
    ) -> Generation:
        """See `Engine.generate`."""
        raise NotImplementedError

    def warm_up(
        self, prompt: Prompt, options: Mapping[str, OptionValue], *, model: str, timeout: float | None = None
    ) -> Generation:
        """See `Engine.warm_up`: a request for one token."""
        return self.generate(prompt, {**options, "num_predict": 1}, model=model, timeout=timeout)

    def identify(self, model: str) -> dict[str, Any]:
        """See `Engine.identify`."""
        raise NotImplementedError

    def revision(self, model: str) -> dict[str, Any]:
        """See `Engine.revision`: all facts, for engines that need no request for them."""
        return self.identify(model)

    def capabilities(self, model: str) -> frozenset[str] | None:
        """See `Engine.capabilities`: not told."""
        del model
        return None

    def count_tokens(self, prompt: Prompt, *, model: str, options: Mapping[str, OptionValue]) -> int:
        """See `Engine.count_tokens`: generate one token; a refusal that reports the count serves as well."""
        try:
            answer = self.generate(prompt, {**options, "num_predict": 1}, model=model)
        except PromptTooLong as error:
            if error.prompt_tokens is None:
                raise
            return error.prompt_tokens
        if answer.truncated:
            raise PromptTooLong(
                f"{self.name} at {self.address} cut the prompt, so its tokens cannot be counted; raise num_ctx"
            )
        if answer.prompt_tokens is None:
            raise EngineProtocolError(f"{self.name} at {self.address} did not report the number of prompt tokens")
        return answer.prompt_tokens

    def embed(self, texts: Sequence[str], *, model: str) -> list[list[float]]:
        """See `Engine.embed`."""
        raise Unsupported(f"the {self.name} engine gives no embeddings (asked for {len(texts)} texts, model {model})")

    def chat_json(
        self, prompt: Prompt, schema: Mapping[str, Any], *, options: Mapping[str, OptionValue], model: str
    ) -> dict[str, Any]:
        """See `Engine.chat_json`."""
        del prompt, schema, options
        raise Unsupported(f"the {self.name} engine cannot bind the answers of {model} to a JSON schema")

    def close(self) -> None:
        """See `Engine.close`."""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.close()


def thinking_share(output_tokens: int | None, thought: float, text: float) -> int | None:
    """Return how many of the generated tokens are thought, since engines report the sum only.

    Args:
        output_tokens: The sum; None where not reported.
        thought: Size of the thought: its streamed pieces, which are about one token each, else its bytes.
        text: Size of the text, in the same unit.
    """
    if not thought:
        return 0
    return None if output_tokens is None else round(output_tokens * thought / (thought + text))


def messages(prompt: Prompt) -> list[dict[str, str]]:
    """Return the prompt as chat messages: the system message, if any, then the user's."""
    system = [] if prompt.system is None else [{"role": "system", "content": prompt.system}]
    return [*system, {"role": "user", "content": prompt.user}]


def excerpt(text: str, limit: int = 120) -> str:
    """Return the start of a text on one line, quoted, for messages."""
    flat = " ".join(text.split())
    return repr(flat if len(flat) <= limit else flat[: limit - 3] + "...")
