"""The versions of Ollama that the double can be, and the models that it serves."""

from __future__ import annotations

import functools
import hashlib
import json
import random
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

RECORDINGS = Path(__file__).parent.parent / "data" / "ollama-wire"
OLDEST, DEFAULT, NEWEST = "0.6.8", "0.32.15", "0.33.0-rc2"
NAME = "smollm2:135m"

_LONG_GONE = frozenset({"tfs_z", "penalize_newline"})
_MIROSTAT = frozenset({"mirostat", "mirostat_tau", "mirostat_eta"})


@dataclass(frozen=True)
class Abilities:
    """What a version of Ollama does with a request.

    Attributes:
        folder: Folder of its recordings.
        inert: Options accepted and ignored.
        truncate: Whether `truncate` and `shift` are known; older servers always cut.
        cut_to_half: Whether a cut prompt has about half of num_ctx (else all of it).
        think: Whether `think` is known.
        logprobs: Whether `logprobs` and `top_logprobs` are known.
        render: Whether `_debug_render_only` is known.
        capabilities: Whether `/api/tags` names capabilities, and `/api/ps` the context length.
        repeat_penalty: Its value where neither request nor model has one.
        penalties_are_one: Whether the frequency penalty counts as presence penalty too.
        slots: Requests that run at once. With several, texts made at once differ from texts made alone.
        first_run: Fewest tokens of a prompt whose first text differs from the later ones; None for no such prompt.
        prompts: How many prompts stay cached, which are not first runs again.
        pull_it: Whether the error for an unknown model in a chat says to pull it.
        reason_first: Whether `done_reason` stands before `done`.
        slow_unload: Whether `/api/ps` shows a model once more after it was unloaded.
    """

    folder: str
    inert: frozenset[str] = _LONG_GONE | _MIROSTAT
    truncate: bool = True
    cut_to_half: bool = True
    think: bool = True
    logprobs: bool = True
    render: bool = True
    capabilities: bool = True
    repeat_penalty: float = 1.0
    penalties_are_one: bool = False
    slots: int = 1
    first_run: int | None = None
    prompts: int = 8
    pull_it: bool = False
    reason_first: bool = False
    slow_unload: bool = False


BY_VERSION = {
    OLDEST: Abilities(
        "0.6.8", _LONG_GONE | {"typical_p", "presence_penalty", "draft_num_predict"}, truncate=False,
        cut_to_half=False, think=False, logprobs=False, render=False, capabilities=False, repeat_penalty=1.1,
        penalties_are_one=True, slots=2, first_run=0, prompts=1, pull_it=True, reason_first=True, slow_unload=True,
    ),
    DEFAULT: Abilities(""),
    # The effect of the first run was measured with 150 tokens; recorded prompts of 22 tokens do not show it.
    NEWEST: Abilities("0.33.0-rc2", first_run=100),
}  # fmt: skip


def abilities(version: str) -> Abilities:
    """Return the abilities of the newest version in the table that is no newer than this one."""

    def numbers(text: str) -> tuple[int, ...]:
        return tuple(int(part) for part in text.partition("-")[0].split("."))

    known = [name for name in BY_VERSION if numbers(name) <= numbers(version)]
    return BY_VERSION[max(known, key=numbers, default=OLDEST)]


@functools.cache
def _text(folder: str, name: str) -> str:
    return (RECORDINGS / folder / f"{name}.json").read_text()


def recorded(folder: str, name: str) -> Any:
    """Return the body that a version answered."""
    return json.loads(_text(folder, name))["response"]["body"]


@dataclass(frozen=True)
class Thought:
    """What a model writes before its answer.

    Attributes:
        text: The thought.
        opening: What stands before it where nobody takes it out: a tag, a channel's marker, or nothing.
        closing: What stands after it there.
        parsed: Whether a server that knows `think` takes it out of the content, into `message.thinking`.
    """

    text: str
    opening: str = "<think>\n"
    closing: str = "\n</think>\n\n"
    parsed: bool = True


Thinks = Callable[[str, "bool | str", random.Random], "Thought | None"]
"""A way of thinking: from prompt, `think` (true where a request leaves it out) and chance to a thought, or to none."""


def think(prompt: str, wanted: bool | str, chance: random.Random) -> Thought | None:
    """Think in 10, 20, 40 or 80 words, by the effort asked for, unless `think` is false."""
    if wanted is False:
        return None
    words = {"low": 10, "medium": 40, "high": 80}.get(str(wanted), 20)
    return Thought(" ".join(chance.choice(("so", "the", "log", "says", "wait", "maybe")) for _ in range(words)))


@dataclass(frozen=True)
class Model:
    """A model that the double serves.

    Attributes:
        digest: As `/api/tags` shows it; empty for one made of the rest.
        capabilities: As `/api/show` lists them.
        parameters: The modelfile's PARAMETER values, which count where a request sends nothing; a list for `stop`.
        system: The modelfile's system prompt.
        remote_host: The address to which prompts go on.
        remote_model: The model's name there.
        blob: The file of the modelfile's FROM line.
        thinks: How it thinks; None for `think` if it has the capability, else not at all.
    """

    digest: str = ""
    capabilities: tuple[str, ...] = ("completion",)
    parameters: Mapping[str, Any] = field(default_factory=lambda: {"stop": ["<|im_start|>", "<|im_end|>"]})
    system: str = ""
    remote_host: str = ""
    remote_model: str = ""
    blob: str | Path = ""
    thinks: Thinks | None = None

    @property
    def name_of_content(self) -> str:
        """The digest, or one of the facts."""
        known = [self.capabilities, sorted(self.parameters.items()), self.system, str(self.blob)]
        return self.digest or hashlib.sha256(json.dumps(known).encode()).hexdigest()

    def remote(self) -> dict[str, str]:
        """Return the fields that say where prompts go on to."""
        fields = {"remote_model": self.remote_model, "remote_host": self.remote_host}
        return {name: value for name, value in fields.items() if value}

    def thought(self, prompt: str, wanted: bool | str, chance: random.Random) -> Thought | None:
        """Return what it thinks about a prompt."""
        way = self.thinks or (think if "thinking" in self.capabilities else None)
        return None if way is None else way(prompt, wanted, chance)


def recorded_model(folder: str) -> Model:
    """Return the model that the recorded server had."""
    show = recorded(folder, "03_show")
    return Model(
        recorded(folder, "02_tags")["models"][0]["digest"],
        tuple(show["capabilities"]),
        _parameters(show["parameters"]),
        show.get("system", ""),
    )


def _parameters(text: str) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for line in text.splitlines():
        name, value = line.split(None, 1)
        if name == "stop":
            found.setdefault(name, []).append(json.loads(value))
        else:
            found[name] = json.loads(value)
    return found


def show(folder: str, name: str, model: Model, *, verbose: bool = False) -> dict[str, Any]:
    """Return the body of `/api/show`: the recorded one, with this model's facts."""
    body = recorded(folder, "03b_show_verbose" if verbose and not folder else "03_show")
    first, last = body["modelfile"].split("\nFROM ", 1)[0].replace(NAME, name), body["modelfile"].split("\nFROM ", 1)[1]
    path, _, rest = last.partition("\n")
    template = rest[: rest.index('\n"\n') + 3]
    pairs = [(key, each) for key, value in model.parameters.items()
             for each in (value if isinstance(value, list) else [value])]  # fmt: skip
    system = f"SYSTEM {model.system}\n" if model.system else ""
    lines = "".join(f"PARAMETER {key} {value}\n" for key, value in pairs)
    facts = {
        "modelfile": f"{first}\nFROM {model.blob or path}\n{template}{system}{lines}",
        "parameters": "\n".join(
            f"{key:<30} {json.dumps(value) if isinstance(value, str) else value}" for key, value in pairs
        ),
        "system": model.system,
        "capabilities": list(model.capabilities),
    }
    body = {key: facts.get(key, value) for key, value in body.items() if facts.get(key, value) != ""}
    if model.system and "system" not in body:
        body["system"] = model.system
    return body | model.remote()
