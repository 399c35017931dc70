"""Values of the ledger: keys, entries, places and observations."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cached_property
from typing import Any, Literal

from sweeps.engines.base import Generation, Prompt, Timing
from sweeps.ledger.damage import sealed_record
from sweeps.options import OptionValue

_KEY = ("fingerprint", "model_digest", "prompt_sha256", "options", "seed", "repeat")


@dataclass(frozen=True)
class Key:
    """Everything that a generation's text depends on.

    Attributes:
        fingerprint: Digest of host, engine and model.
        model_digest: Digest of the model alone.
        prompt: The filled prompt.
        options: Options without the seed.
        seed: The seed that was sent.
        repeat: 0, or the index of a deliberate repeat of the same request.
    """

    fingerprint: str
    model_digest: str
    prompt: Prompt
    options: Mapping[str, OptionValue]
    seed: int
    repeat: int = 0

    @cached_property
    def prompt_sha256(self) -> str:
        """SHA-256 of system and user message, in hex."""
        return prompt_sha256(self.prompt)

    @cached_property
    def options_json(self) -> str:
        """The options as canonical JSON."""
        return json.dumps(dict(self.options), sort_keys=True)

    @cached_property
    def sha256(self) -> str:
        """SHA-256 of the whole key, in hex."""
        parts = [getattr(self, "options_json" if name == "options" else name) for name in _KEY]
        return hashlib.sha256(json.dumps(parts).encode()).hexdigest()


LATER = ("thought", "thinking_tokens")
"""Fields of a generation that older ledgers lack."""


def storable(text: str) -> str:
    """Return a text in a form that every database can hold.

    Half of a surrogate pair, from a stream that was cut within a character, becomes "?"; NUL, which PostgreSQL does not
    take, becomes U+FFFD.
    """
    return text.encode(errors="replace").decode().replace("\0", "\ufffd")


def text_sha256(generation: Generation) -> str:
    """SHA-256 of a generation's text as it is stored, in hex; with a thought apart, of both: equal draws are equal."""
    parts = filter(None, [storable(generation.thought), storable(generation.text)])
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()


def prompt_sha256(prompt: Prompt) -> str:
    """SHA-256 of a prompt's system and user message, in hex."""
    return hashlib.sha256(json.dumps([prompt.system, prompt.user]).encode()).hexdigest()


@dataclass(frozen=True)
class Entry:
    """A generation as the ledger holds it.

    Attributes:
        id: Its number.
        generation: The answer.
        text_sha256: Digest of its text.
        created: When it arrived, ISO time, UTC; whole seconds in ledgers of older versions.
    """

    id: int
    generation: Generation
    text_sha256: str
    created: str = ""


@dataclass(frozen=True)
class Place:
    """The place of an observation in its study.

    Attributes:
        stage: `floor`, `explore` or `confirm`.
        trial: Number of the trial, -1 for the baseline.
        host: Digest of the fingerprint of its host, engine and model.
        case: Name of the case.
        seed: The seed.
        repeat: 0, or the index of a deliberate repeat.
    """

    stage: str
    trial: int
    host: str
    case: str
    seed: int
    repeat: int = 0

    @property
    def on_any_host(self) -> tuple[str, int, str, int, int]:
        """The place without its host: stage, trial, case, seed and repeat."""
        return self.stage, self.trial, self.case, self.seed, self.repeat


@dataclass(frozen=True)
class Observed:
    """An observation of a study, with its generation.

    Attributes:
        place: Its place, with the host that generated it.
        configuration: Key of its configuration.
        entry: Its generation.
        error: Why the last try to score its text failed; "" if it succeeded, or was not made.
    """

    place: Place
    configuration: str
    entry: Entry
    error: str


def now(timespec: Literal["seconds", "milliseconds"] = "seconds") -> str:
    """The time, UTC, as ISO text."""
    return datetime.now(UTC).isoformat(timespec=timespec)


def generation_of(row: Mapping[str, Any]) -> Generation:
    """The generation in a row of the ledger's table."""
    timing = Timing(*(row[f"{part}seconds"] for part in ("", "queue_", "load_", "prefill_", "decode_")))
    plain = ("text", "finish", "prompt_tokens", "output_tokens", "cached_tokens", "truncated", *LATER)
    return Generation(timing=timing, effective=json.loads(row["effective"]), **{name: row[name] for name in plain})


def entry_of(row: Any) -> Entry:
    """The entry in a row of generations."""
    return Entry(row.id, generation_of(row._mapping), row.text_sha256, row.created)


def proposal_rows(study: str, first: int, records: Sequence[object], created: str) -> list[dict[str, object]]:
    """Return rows of the ledger for the records of proposals, numbered from `first` on."""
    return [
        {"study": study, "number": number, "record": sealed_record(number, record), "created": created}
        for number, record in enumerate(records, first)
    ]
