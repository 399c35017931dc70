"""The record of an audit: what was sent to each host, and what came back. Everything else is computed from it.

One record is one JSON file. Records of several hosts, taken at other places or times, are joined by `joined`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from analysis.files.pipes import ENDLESS, is_endless
from sweeps.errors import ConfigError, SweepError
from sweeps.options import OptionValue

if TYPE_CHECKING:
    import pandas as pd

FORMAT = "slm-sweeps audit"
VERSION = 1

Mode = Literal["production", "baseline"]
"""The options that are used, or temperature 0 with a fixed seed; the same words as for an export."""

MODES: tuple[Mode, ...] = ("production", "baseline")


class _Part(BaseModel):
    """A part of the record. Keys of newer versions are kept."""

    model_config = ConfigDict(frozen=True, extra="allow")


class Answer(_Part):
    """One request and its answer.

    Attributes:
        mode: The mode.
        experiment: Its experiment, such as `repeat`, `first run`, `in flight` or `seeds`.
        arm: Its side of the experiment, such as `cold` and `warm` (see `sweeps.audits.experiments`).
        case: Name of the case.
        seed: The seed that was sent.
        repeat: 0, or the index of a deliberate repeat of the same request.
        order: Position among all requests to the host, from 0.
        path: `native` or `openai`.
        options: Options that were sent, by Ollama's names.
        text: The answer without a thought.
        thought: The thought.
        finish: As in `sweeps.engines.base.Generation`; "" after an error.
        prompt_tokens: Tokens of the prompt; None where not reported.
        output_tokens: Generated tokens; None where not reported.
        cached_tokens: Prompt tokens from the cache; None where not reported.
        seconds: Duration of the request.
        load_seconds: The part that loaded the model.
        score: Coverage, 0 to 1; None where it was not scored.
        items: Probability that the text covers an item, by item.
        error: Why there is no answer; "" with one.
        truncated: Whether the server cut the prompt, as far as is known.
    """

    mode: Mode
    experiment: str
    arm: str
    case: str
    seed: int
    repeat: int = 0
    order: int = 0
    path: Literal["native", "openai"] = "native"
    options: Mapping[str, OptionValue] = Field(default_factory=dict)
    text: str = ""
    thought: str = ""
    finish: str = ""
    prompt_tokens: int | None = None
    output_tokens: int | None = None
    cached_tokens: int | None = None
    seconds: float = 0.0
    load_seconds: float = 0.0
    score: float | None = None
    items: Mapping[str, float] = Field(default_factory=dict)
    error: str = ""
    truncated: bool = False

    @property
    def whole_text(self) -> str:
        """Everything that the model wrote: its thought, and the text."""
        return f"{self.thought}\0{self.text}" if self.thought else self.text


class Alternatives(_Part):
    """Log probabilities of the first token of an answer.

    Attributes:
        prompt: Name of the prompt.
        arm: `warm`, `cold`, or a change of numerics such as `num_batch 64`.
        repeat: Index of the repeat.
        logprobs: Natural log of the probability by token, for the most probable ones (at most 20).
    """

    prompt: str
    arm: str = "warm"
    repeat: int = 0
    logprobs: Mapping[str, float]


class RenderedPrompt(_Part):
    """A prompt as the host's template renders it.

    Attributes:
        prompt: Name of the prompt.
        text: The rendered text; None where the host does not tell.
        tokens: Its number of tokens; None where not reported.
    """

    prompt: str
    text: str | None = None
    tokens: int | None = None


class NotDone(_Part):
    """An experiment that a host could not do, with the reason."""

    experiment: str
    reason: str
    mode: Mode | None = None


class HostRecord(_Part):
    """One host.

    Attributes:
        label: Its name for people, such as `wk-01`.
        fingerprint: Facts of its fingerprint, as `Fingerprint.facts`.
        digest: Digest of the fingerprint.
        path: The API path that is used there in production.
        num_ctx: The effective context window; None where not reported.
        taken: When it was measured, UTC, as ISO text.
        answers: Its requests with their answers.
        first_tokens: Log probabilities of first tokens.
        rendered: Rendered prompts.
        not_done: Experiments that it could not do.
    """

    label: str
    fingerprint: Mapping[str, Any]
    digest: str
    path: Literal["native", "openai"] = "native"
    num_ctx: int | None = None
    taken: str = ""
    answers: tuple[Answer, ...] = ()
    first_tokens: tuple[Alternatives, ...] = ()
    rendered: tuple[RenderedPrompt, ...] = ()
    not_done: tuple[NotDone, ...] = ()


class Bisected(_Part):
    """A bisection of two hosts: which settings, made alike, removed the difference of their texts.

    Attributes:
        hosts: Labels of the two; one label twice for two settings of one host.
        mode: The mode.
        status: `isolated` only if an experiment with `factors` made alike removed the difference.
        factors: The smallest set that was found.
        values: Values of these factors on either side, as text.
        differing: Pairs of texts that differed before.
        n: Pairs that were compared before.
        fresh: Pairs of fresh seeds that confirmed the set.
        why: The reason where nothing was isolated; what the difference is consistent with.
        path: The path on which both hosts were asked, where one of them uses the other path; "" if as they are used.
    """

    hosts: tuple[str, str]
    mode: Mode = "baseline"
    status: Literal["no difference", "isolated", "not isolated", "not decided"]
    factors: tuple[str, ...] = ()
    values: Mapping[str, tuple[str, str]] = Field(default_factory=dict)
    differing: int = 0
    n: int = 0
    fresh: int = 0
    why: str = ""
    path: Literal["", "native", "openai"] = ""


class AuditItem(_Part):
    """An item of a rubric: its name, text and level (1 is essential)."""

    name: str
    text: str
    level: int


class AuditCase(_Part):
    """A case: its name, the digest of prompt and rubric, and the rubric's items."""

    name: str
    digest: str
    items: tuple[AuditItem, ...] = ()


class AuditRecord(_Part):
    """An audit.

    Attributes:
        format: `FORMAT`.
        version: `VERSION`.
        model: Name of the model.
        modes: Options of each mode.
        cases: The cases.
        objective: Digest of the objective that scored the texts; "" for none.
        margin: The largest difference of coverage that does not matter.
        hosts: The hosts; the first is the one that others are compared with.
        bisections: Bisections of hosts whose texts differ.
        absent: Hosts that were named and not measured to the end, with the reason, by label.
    """

    format: Literal["slm-sweeps audit"] = "slm-sweeps audit"
    version: int = VERSION
    model: str
    modes: Mapping[Mode, Mapping[str, OptionValue]]
    cases: tuple[AuditCase, ...]
    objective: str = ""
    margin: float = 0.05
    hosts: tuple[HostRecord, ...]
    bisections: tuple[Bisected, ...] = ()
    absent: Mapping[str, str] = Field(default_factory=dict)

    @property
    def labels(self) -> list[str]:
        """Names of the hosts."""
        return [host.label for host in self.hosts]

    def host(self, label: str) -> HostRecord:
        """Return a host by its label."""
        return next(host for host in self.hosts if host.label == label)

    def answers(self) -> pd.DataFrame:
        """Return one row per answer: the fields of `Answer` and the host's label as `host`."""
        import pandas as pd

        names = ["host", *Answer.model_fields]
        rows = [{"host": host.label, **dict(answer)} for host in self.hosts for answer in host.answers]
        return pd.DataFrame(rows, columns=names)

    def to_json(self) -> str:
        """Return the record as JSON text."""
        return self.model_dump_json(indent=1) + "\n"


def read_record(path: Path) -> AuditRecord:
    """Read the record of an audit.

    Raises:
        SweepError: If the file cannot be read.
        ConfigError: If it is no record, or one of a newer version; the message names the key.
    """
    if is_endless(path):
        raise SweepError(f"{path}: {ENDLESS}; give a file of `sweeps audit --out`")
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise SweepError(f"{path}: cannot be read ({getattr(error, 'strerror', None) or error})") from None
    try:
        record = AuditRecord.model_validate_json(text)
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(map(str, first["loc"]))
        raise ConfigError(
            f"{path}: is no record of an audit ({place or 'file'}: {first['msg']}); write one with `sweeps audit --out`"
        ) from None
    if record.version > VERSION:
        raise ConfigError(f"{path}: is of version {record.version}; update slm-sweeps to read it")
    return record


def joined(records: Sequence[AuditRecord]) -> AuditRecord:
    """Join records of several hosts; settings and cases are those of the first.

    Raises:
        ConfigError: If two hosts have one label; if options, cases, model or objective differ, since their texts could
            not be compared.
    """
    first = records[0]
    for other in records[1:]:
        require_alike(first, other)
    hosts = [host for record in records for host in record.hosts]
    labels = [host.label for host in hosts]
    if twice := sorted({label for label in labels if labels.count(label) > 1}):
        raise ConfigError(f"two hosts are called {', '.join(twice)}; name each one: --host NAME=URL")
    bisections = tuple(each for record in records for each in record.bisections)
    return first.model_copy(update={"hosts": tuple(hosts), "bisections": bisections})


def require_alike(first: AuditRecord, other: AuditRecord) -> None:
    """Require that the texts of two audits can be compared.

    Raises:
        ConfigError: If options, cases, model or objective differ; the message names what does.
    """
    names = f"{', '.join(other.labels)} against {', '.join(first.labels)}"
    advice = "audit all hosts with one file"
    for name in ("model", "modes", "objective"):
        one, two = getattr(first, name), getattr(other, name)
        if one != two:
            raise ConfigError(f"{names}: {name} is {two!r} instead of {one!r}; {advice}")
    known, cases = ({case.name: case.digest for case in record.cases} for record in (first, other))
    if wrong := sorted({name for name, _ in known.items() ^ cases.items()}):
        raise ConfigError(f"{names}: not the same cases ({', '.join(wrong)}); {advice}")
