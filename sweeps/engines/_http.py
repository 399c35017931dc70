"""Shared parts of the engines behind HTTP: retries, and failed requests as typed errors."""

from __future__ import annotations

import email.utils
import json
import logging
import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import TypeVar

import httpx
import stamina

from sweeps.engines._ollama_client import CONNECT_SECONDS, ResponseError, StatusError
from sweeps.engines._proxies import through
from sweeps.engines.base import (
    AccessRefused,
    BaseEngine,
    EngineBusy,
    EngineError,
    EngineProtocolError,
    EngineTimeout,
    EngineUnreachable,
    ModelMissing,
    OptionRefused,
    Prompt,
    Unsupported,
    UsageLimit,
    excerpt,
)
from sweeps.engines.llama import errors as llama_errors
from sweeps.engines.spec import API_KEY
from sweeps.options import OptionValue, as_number

T = TypeVar("T")

FEWEST_TOKENS_PER_CHARACTER = 1 / 8
"""Below this share a prompt was probably cut: plain English has about 1/4, and no natural text so few."""

_OPTION_TYPE = re.compile(r'option "(?P<option>\w+)" must be of type (?P<type>\w+)')
_NO_MODEL = re.compile(r"""model ["'][^"']*["'] not found""")
_NO_THINKING = "does not support thinking"
_TOO_LONG = "longer than the context length"
_USAGE_LIMIT = re.compile(
    r"usage limit|quota|billing|credit|upgrade|payment|(?:hour|da|week|month)(?:ly|y) .{0,30}limit", re.I
)
_TITLE = re.compile(r"<(title|h1)[^>]*>\s*(.+?)\s*</\1>", re.I | re.S)

LONGEST_WAIT = 60.0
"""Most seconds to wait for a server that names a time; with a longer one nothing is sent again."""

BUSY = {429: "too many requests", 502: "bad gateway", 503: "busy", 504: "gateway timeout"}
"""Statuses that pass by themselves."""

# Retries are logged only where logging is set up: a line on the terminal would break the display.
logging.getLogger("stamina").addHandler(logging.NullHandler())


class HttpEngine(BaseEngine):
    """Base of the engines behind HTTP.

    Args:
        address: The server's URL.
        timeout: Seconds that one request may take.
        attempts: Most times that a request is sent while the connection fails or the server is busy.
        wait: Seconds before the second attempt; doubled each time, up to 16. A time that the server names is kept to.
    """

    def __init__(self, address: str, *, timeout: float, attempts: int, wait: float) -> None:
        self.address = address
        self._timeout, self._attempts, self._wait = timeout, attempts, wait

    def models(self) -> list[str]:
        """See `Engine.models`."""
        raise NotImplementedError

    def _retrying(self, call: Callable[[], T], *, only_busy: bool = False) -> T:
        """Run a call, and repeat it after faults that pass by themselves; other failures are raised at once.

        Args:
            call: The call.
            only_busy: Repeat it only for a busy server: a question of which the answer is wanted at once.
        """

        def waits(error: Exception) -> bool | float:
            if not isinstance(error, EngineBusy if only_busy else EngineUnreachable):
                return False
            named = error.retry_after if isinstance(error, EngineBusy) else None
            return True if named is None else max(named, self._wait)

        for attempt in stamina.retry_context(
            on=waits,
            attempts=self._attempts,
            timeout=None,
            wait_initial=self._wait,
            wait_max=16.0,
            wait_jitter=self._wait / 2,
        ):
            with attempt:
                return call()
        raise AssertionError("no attempt was made")

    @contextmanager
    def translated_errors(
        self, model: str, timeout: float, options: Mapping[str, OptionValue] | None = None
    ) -> Iterator[None]:
        """See `translated`; for a missing model, the message lists the models of the host."""
        try:
            with translated(self.address, timeout, options):
                yield
        except ModelMissing:
            raise self._missing(model) from None

    def _missing(self, model: str) -> ModelMissing:
        try:
            listed = f"it has {', '.join(self.models()) or 'none at all'}"
        except EngineError as error:
            listed = f"its models cannot be listed ({error})"
        return ModelMissing(f"{self.address} has no model {model!r}; {listed}; get it with `ollama pull {model}`")


@contextmanager
def translated(address: str, timeout: float, options: Mapping[str, OptionValue] | None = None) -> Iterator[None]:
    """Turn the exceptions of httpx and of the Ollama client into typed errors.

    Args:
        address: Where the request goes, for the messages.
        timeout: The time limit that was set, in seconds.
        options: The options that were sent.
    """
    try:
        yield
    except httpx.ConnectTimeout:
        raise unreachable(address, f"no connection within {CONNECT_SECONDS:g} s") from None
    except httpx.TimeoutException:
        raise timed_out(address, timeout) from None
    except (httpx.ConnectError, ConnectionError, httpx.UnsupportedProtocol) as error:
        raise unreachable(address, str(error) or type(error).__name__) from None
    except httpx.RequestError as error:  # of these also bodies that cannot be unpacked, and too many redirects
        raise broken(address, error) from None
    except StatusError as error:
        raise refused(address, error.status, error.text, options, retry_after(error.headers)) from None
    except ResponseError as error:
        raise refused(address, error.status_code, error.error, options) from None
    except json.JSONDecodeError as error:
        raise EngineProtocolError(f"{address} answered something that is not JSON: {excerpt(error.doc)}; "
                                  + _WHO_ANSWERS) from None  # fmt: skip
    except (AttributeError, TypeError, LookupError, ValueError, ArithmeticError, RecursionError) as error:
        # The client assumes the shape of an answer.
        raise EngineProtocolError(f"{address} answered JSON of an unknown shape ({error}); {_WHO_ANSWERS}") from None


_WHO_ANSWERS = "check that an Ollama server answers there, not a proxy in front of it"


def unreachable(address: str, reason: str) -> EngineUnreachable:
    """Return the error for an address where nothing answers."""
    return EngineUnreachable(
        f"no answer from {address}{through(address)} ({reason}); start the server with `ollama serve`, or name another"
        " address with the key `host` or the variable OLLAMA_HOST"
    )


def broken(address: str, error: Exception | str) -> EngineError:
    """Return the error for a connection that broke during a request, or at a proxy."""
    reason = str(error) or type(error).__name__
    if isinstance(error, httpx.ProxyError):
        return _no_access(address, 407, reason) if "407" in reason else unreachable(address, reason)
    return EngineUnreachable(f"the connection to {address} broke ({reason}); check that the server still runs")


def timed_out(address: str, timeout: float) -> EngineTimeout:
    """Return the error for a request that took longer than its time limit."""
    return EngineTimeout(
        f"{address} gave no complete answer within {timeout:g} s; raise the time limit, or lower num_predict"
    )


def refused(
    address: str,
    status: int,
    text: object,
    options: Mapping[str, OptionValue] | None,
    wait: float | None = None,
) -> EngineError:
    """Return the typed error for a status other than 200, or for an error within a stream (status -1).

    Args:
        address: The server that answered.
        status: HTTP status.
        text: The body, or the content of its `error` field.
        options: The options that were sent; the message shows the value of the refused one.
        wait: Seconds to wait before another request, as the server says.
    """
    inner = _unpacked(text)
    message = str(inner.get("message", inner)) if isinstance(inner, Mapping) else str(inner)
    found = _OPTION_TYPE.search(message)
    if option := found["option"] if found else "think" if _NO_THINKING in message else None:
        sent = (options or {}).get(option)
        return OptionRefused(f"{address} refused option {option} = {sent!r}: {message}", option)
    if status in (401, 403, 407):
        return _no_access(address, status, message)
    if status == 402 or status in BUSY:
        return _busy(address, status, message, wait)
    if _NO_MODEL.search(message):
        return ModelMissing(f"{address}: {message}")
    if isinstance(inner, Mapping) and "message" in inner:
        return llama_errors.error_from({"code": status, **inner}, address)
    if _TOO_LONG in message:
        num_ctx = (options or {}).get("num_ctx")
        return llama_errors.prompt_too_long(address, None, None if num_ctx is None else int(as_number(num_ctx)))
    if message.lstrip().startswith("<") or status in (404, 405):
        return EngineProtocolError(f"{address} answered status {status} with {excerpt(message)}; {_WHO_ANSWERS}")
    if status == 501:
        return Unsupported(f"{address}: {message}")
    if status == 400:
        return OptionRefused(f"{address} refused the request: {excerpt(message, 300)}")
    when = "while it answered" if status < 0 else f"with status {status}"
    return llama_errors.failure(f"{address} failed {when}", message)


def _no_access(address: str, status: int, message: str) -> AccessRefused:
    if status == 407:
        todo = "write the proxy as http://USER:PASSWORD@PROXY, or name the host in NO_PROXY"
        return AccessRefused(f"the proxy before {address} refused access (status 407: {_shown(message)}); {todo}")
    return AccessRefused(
        f"{address} refused access (status {status}: {_shown(message)}); set the variable {API_KEY} to its key, write"
        ' the address as http://USER:PASSWORD@HOST, or set engine.headers = { NAME = "$VARIABLE" }'
    )


def _busy(address: str, status: int, message: str, wait: float | None) -> EngineError:
    """Return the error for a server that takes no request now, or takes none for a long time."""
    named = f"status {status}: {_shown(message)}"
    later = "" if wait is None else f" for {_time_text(wait)}"
    if status == 402 or (status == 429 and _USAGE_LIMIT.search(message)):
        return UsageLimit(
            f"{address}: a usage limit is reached ({named}); wait{later}, or use another key or host", wait
        )
    if wait is not None and wait > LONGEST_WAIT:
        return UsageLimit(f"{address} takes no requests{later} ({named}); run the same command again after that", wait)
    what = BUSY[status]
    return EngineBusy(f"{address} is too busy ({what}, {named}); try again later", wait)


def _shown(message: str) -> str:
    """Return an answer for a message: of a page its title, otherwise the start."""
    found = _TITLE.search(message)
    return excerpt(found[2] if found else message)


def _time_text(seconds: float) -> str:
    minutes = round(seconds / 60)
    if seconds < 90:
        return f"{seconds:.0f} s"
    return f"{minutes} minutes" if minutes < 90 else f"{seconds / 3600:.1f} hours"


def retry_after(headers: Mapping[str, str]) -> float | None:
    """Return the seconds that a `Retry-After` header asks for, in seconds or as a date; None without a valid one."""
    value = headers.get("retry-after", "").strip()
    if re.fullmatch(r"\d{1,9}", value, re.ASCII):
        return float(value)
    try:
        date = email.utils.parsedate_to_datetime(value)
    except ValueError:
        return None
    now = datetime.now(UTC)
    return max(0.0, ((date if date.tzinfo else date.replace(tzinfo=UTC)) - now).total_seconds())


def _unpacked(text: object) -> object:
    """Unpack JSON strings inside JSON, down to the innermost."""
    while True:
        if isinstance(text, Mapping) and "error" in text:
            text = text["error"]
        elif isinstance(text, str) and text.lstrip().startswith("{"):
            try:
                text = json.loads(text)
            except (ValueError, RecursionError):
                return text
        else:
            return text


def looks_cut(prompt: Prompt, tokens: int | None) -> bool:
    """Whether so few tokens were counted that the server has probably cut the prompt."""
    characters = len(prompt.user) + len(prompt.system or "")
    return tokens is not None and tokens < characters * FEWEST_TOKENS_PER_CHARACTER


def repeats(pieces: list[str], least: int = 30) -> bool:
    """Whether a text ends in one token repeated at least `least` times, after which Ollama stops by itself.

    Args:
        pieces: The streamed pieces, or the whole text as one piece.
        least: Ollama's limit.
    """
    last = [piece.strip() for piece in pieces[-least:]]
    if len(last) == least and len(set(last)) == 1:
        return True
    return re.search(rf"(\S{{1,24}})(?:\s*\1){{{least - 1},}}\s*$", "".join(pieces)[-2000:]) is not None
