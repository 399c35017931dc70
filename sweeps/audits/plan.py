"""The requests that an audit sends to a host, in their order, and their number: known before anything is sent.

Experiments that need no reload come first. Everything else loads the model again, so it has few texts. Experiments
are made with the first two cases; all cases have the texts by which hosts are compared (`seeds`).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from sweeps.audits.experiments import COLD, HOST_EXPERIMENTS, SEEDS, WARM
from sweeps.audits.hosts import HostAbilities
from sweeps.audits.prompts import PROMPTS
from sweeps.audits.record import MODES, Mode, NotDone
from sweeps.audits.requests import Setting, Warmth, other_num_ctx
from sweeps.engines.inspection import Way
from sweeps.engines.openai import OpenAIEngine
from sweeps.options import OptionValue

PER_HOST, PER_HOST_QUICK = 100, 19
"""Most generations on a host with two cases; three hosts then have at most 300, or 57."""

PER_FURTHER_CASE = 8
"""Most generations more on a host for each case beyond the second."""

MOST_SEEDS, QUICK_SEEDS = 12, 3
"""Seeds per case in production mode, each sent twice; in baseline mode the seed does nothing and there is one."""

SMALL_BATCH, USUAL_BATCH = 64, 512
EXPERIMENT_CASES = 2
ALL_LAYERS = 999
"""`num_gpu` for all layers of any model."""


@dataclass(frozen=True)
class Step:
    """Requests that are sent together; one, unless they are to run at once.

    Attributes:
        experiment: The experiment.
        arm: Its side of the experiment.
        setting: The setting.
        requests: (case, seed) of each.
        repeat: See `sweeps.audits.requests.send`.
    """

    experiment: str
    arm: str
    setting: Setting
    requests: tuple[tuple[str, int], ...]
    repeat: int = 0


@dataclass(frozen=True)
class TokenStep:
    """One request for the log probabilities of a first token.

    Attributes:
        prompt: Name of the prompt.
        arm: Its arm, as in `sweeps.audits.record.Alternatives`.
        repeat: Index of the repeat.
        setting: The setting.
    """

    prompt: str
    arm: str
    repeat: int
    setting: Setting


@dataclass(frozen=True)
class HostPlan:
    """What a host is asked.

    Attributes:
        steps: Generations, in their order.
        tokens: Requests for log probabilities, in their order.
        not_done: Experiments that it cannot do.
    """

    steps: tuple[Step, ...]
    tokens: tuple[TokenStep, ...]
    not_done: tuple[NotDone, ...]

    @property
    def generations(self) -> int:
        """Number of generations; warm-ups and requests for one token are not among them."""
        return sum(len(step.requests) for step in self.steps)


@dataclass(frozen=True)
class Modes:
    """The options of both modes.

    Attributes:
        production: Options that are used, without the seed.
        named: Names of those that the user names; a host on `/v1` gets no others.
        seed: The fixed seed; production uses it and the ones after it.
    """

    production: Mapping[str, OptionValue]
    named: frozenset[str] = frozenset()
    seed: int = 42

    def options(self, mode: Mode) -> dict[str, OptionValue]:
        """Return the options of a mode. Baseline is temperature 0, without mirostat, which would draw."""
        if mode == "production":
            return dict(self.production)
        kept = {name: value for name, value in self.production.items() if not name.startswith("mirostat")}
        return {**kept, "temperature": 0.0}

    def is_greedy(self, mode: Mode) -> bool:
        """Whether the seed does nothing in a mode."""
        options = self.options(mode)
        return options.get("temperature") == 0 and not options.get("mirostat")

    def as_record(self) -> dict[Mode, dict[str, OptionValue]]:
        """Return the options of each mode, for the record."""
        return {mode: self.options(mode) for mode in MODES}

    def by_default(self, mode: Mode) -> dict[str, OptionValue]:
        """Return what goes to a host on `/v1`: the named options that it takes, and in baseline mode temperature 0."""
        taken = (self.named & OpenAIEngine.honours) | {"num_predict"}
        if mode == "baseline":
            taken |= {"temperature"}
        return {name: value for name, value in self.options(mode).items() if name in taken}

    def all_taken(self, mode: Mode) -> dict[str, OptionValue]:
        """Return all options that `/v1` takes."""
        return {name: value for name, value in self.options(mode).items() if name in OpenAIEngine.honours}

    def setting(self, mode: Mode, path: str = "native") -> Setting:
        """Return the reference setting of a mode on a host with that path."""
        if path == "openai":
            return Setting(mode, self.by_default(mode), Way("openai"))
        return Setting(mode, self.options(mode))


def plan_for(host: HostAbilities, cases: Sequence[str], modes: Modes, *, quick: bool = False) -> HostPlan:
    """Return what a host is asked.

    Args:
        host: What decides the plan.
        cases: Names of the cases.
        modes: Options of both modes.
        quick: Whether to leave out all that loads the model again, but for the first run.
    """
    some = list(cases[:EXPERIMENT_CASES])
    rest: list[Step] = []
    for mode in MODES:
        rest += _experiments(host, some, modes, mode, quick=quick)
    greedy = [step for mode in MODES for step in _greedy_repeats(host, some, modes, mode, quick=quick)]
    missing, tried = _not_done(host, quick=quick), {"repeat", *(step.experiment for step in rest)}
    per_host = PER_HOST_QUICK if quick else PER_HOST
    room = per_host + PER_FURTHER_CASE * max(0, len(cases) - EXPERIMENT_CASES) - len(cases)
    room -= sum(len(step.requests) for step in (*rest, *greedy))
    seeds = max(2, min(QUICK_SEEDS if quick else MOST_SEEDS, room // (2 * len(cases))))
    first = [step for mode in MODES for step in _seeds(host, cases, modes, mode, seeds)]
    # A request that is not repeated says little about two hosts: nobody knows whether one host alone repeats it.
    drawn = [step for step in first if not modes.is_greedy(step.setting.mode)]
    again = greedy + [replace(step, experiment="repeat", arm="again", repeat=1) for step in drawn]
    # Within a mode the texts of the seeds come first: the experiments are compared with them. Repeats come last, after
    # loads in between: they are to show all noise that the host has.
    steps = [step for mode in MODES for step in (*first, *rest, *again) if step.setting.mode == mode]
    return HostPlan(
        tuple(steps),
        tuple(_tokens(host, modes, quick=quick)),
        tuple(each for each in missing if each.experiment not in tried or each.mode is not None),
    )


def _seeds(host: HostAbilities, cases: Sequence[str], modes: Modes, mode: Mode, seeds: int) -> list[Step]:
    setting, seeds = modes.setting(mode, host.path), 1 if modes.is_greedy(mode) else seeds
    return [Step(SEEDS, WARM, setting, ((case, modes.seed + n),)) for case in cases for n in range(seeds)]


def _experiments(host: HostAbilities, cases: Sequence[str], modes: Modes, mode: Mode, *, quick: bool) -> list[Step]:
    """Return the experiments of a mode, those without a reload first."""
    base, seed = modes.setting(mode, host.path), modes.seed
    ones, first = [(case, seed) for case in cases], [(cases[0], seed)]
    two = ones if modes.is_greedy(mode) or quick else [(case, seed + n) for case in cases for n in range(2)]
    native = host.path == "native"
    found: list[Step] = []
    if not quick and native and host.server:
        found += [Step("streaming", "not streamed", replace(base, way=Way(stream=False)), (each,)) for each in ones]
    if not quick:
        found += _in_state("prompt switch", "alternating", base, "after another prompt", two)
    if native:
        found += _in_flight(base, modes, cases, (2,) if quick else (2, 4), quick=quick and mode == "baseline")
    if not (quick and mode == "baseline"):
        cold = ones if quick else two
        found += _in_state("first run", COLD, base, "after a load", cold)
        if native and not quick and len(cold) > 1:
            at_once = replace(base, in_flight=len(cold), warmth="after a load")
            found.append(Step("at once, cold", str(len(cold)), at_once, tuple(cold)))
    found += _paths(host, modes, mode, first if quick else ones, quick=quick)
    if not quick and native:
        found += _reloads(host, base, ones, first)
    return found


def _greedy_repeats(host: HostAbilities, cases: Sequence[str], modes: Modes, mode: Mode, *, quick: bool) -> list[Step]:
    """Return the repeats of a greedy mode: it has one request per case, so each is repeated twice."""
    if not modes.is_greedy(mode):
        return []
    setting = modes.setting(mode, host.path)
    return [
        Step("repeat", "again", setting, ((case, modes.seed),), number)
        for number in range(1, 2 if quick else 3)
        for case in (cases[:1] if quick else cases)
    ]


def _in_state(
    experiment: str, arm: str, base: Setting, warmth: Warmth, requests: Sequence[tuple[str, int]]
) -> list[Step]:
    return [Step(experiment, arm, replace(base, warmth=warmth), (each,)) for each in requests]


def _in_flight(base: Setting, modes: Modes, cases: Sequence[str], sizes: Sequence[int], *, quick: bool) -> list[Step]:
    if quick:
        return []
    found, seed = [], modes.seed
    for size in sizes:
        requests = tuple((cases[n % len(cases)], seed + n // len(cases)) for n in range(size))
        if modes.is_greedy(base.mode):
            requests = tuple((case, seed) for case, _ in requests)
        found.append(Step("in flight", str(size), replace(base, in_flight=size), requests))
    return found


def _paths(
    host: HostAbilities, modes: Modes, mode: Mode, requests: Sequence[tuple[str, int]], *, quick: bool
) -> list[Step]:
    if not host.server:
        return []
    openai = Way("openai")
    arms = {
        "/v1, its defaults": Setting(mode, modes.by_default(mode), openai),
        "/v1, all it takes": Setting(mode, modes.all_taken(mode), openai),
        "native": modes.setting(mode),
    }
    del arms["/v1, its defaults" if host.path == "openai" else "native"]
    names = list(arms)[:1] if quick else list(arms)
    return [Step("api path", name, arms[name], (each,)) for name in names for each in requests]


def _reloads(
    host: HostAbilities, base: Setting, ones: Sequence[tuple[str, int]], first: Sequence[tuple[str, int]]
) -> list[Step]:
    """Return the experiments that load the model with other settings."""
    found = _in_state("num_ctx", "changed and back", base, "after another num_ctx", ones)

    def changed(experiment: str, arm: str, requests: Sequence[tuple[str, int]], **options: OptionValue) -> None:
        setting = replace(base, options={**base.options, **options})
        found.extend(Step(experiment, arm, setting, (each,)) for each in requests)

    changed("num_ctx", "other", ones, num_ctx=other_num_ctx(base.options, host.context_length))
    left_out = replace(base, options={name: value for name, value in base.options.items() if name != "num_ctx"})
    found += [Step("num_ctx", "unset", left_out, (each,)) for each in ones]
    threads = max(1, (host.threads or 4) // 2)
    changed("num_thread", f"num_thread {threads}", ones, num_thread=threads)
    batch = SMALL_BATCH if base.options.get("num_batch") != SMALL_BATCH else USUAL_BATCH
    changed("num_batch", f"num_batch {batch}", ones, num_batch=batch)
    if host.gpu:
        changed("num_gpu", "none", ones, num_gpu=0)
        changed("num_gpu", "all", ones, num_gpu=ALL_LAYERS)
    if host.drafts:
        changed("draft", "off", first, draft_num_predict=0)
        changed("draft", "on", first, draft_num_predict=4)
    if host.thinks:
        changed("think", "on", first, think=True)
        changed("think", "off", first, think=False)
    return found


_EMBEDDED = {
    "api path": "the embedded engine has one path",
    "streaming": "the embedded engine has no network to stream over",
}
_ON_V1 = {
    **{name: f"/v1 does not take {name}" for name in ("num_ctx", "num_thread", "num_batch", "num_gpu")},
    **dict.fromkeys(("in flight", "at once, cold"), "requests at once are sent on the native path only"),
    "streaming": "answers on /v1 are taken in one piece",
    "draft": "/v1 does not take draft_num_predict",
}
_NOT_QUICK = (
    *("prompt switch", "at once, cold", "num_ctx", "num_thread", "num_batch"),
    *("num_gpu", "streaming", "draft", "think"),
)


def _not_done(host: HostAbilities, *, quick: bool) -> list[NotDone]:
    """Return the experiments that a host cannot do, or that a quick audit leaves out."""
    found = {**({} if host.server else _EMBEDDED), **(_ON_V1 if host.path == "openai" else {})}
    if not host.gpu:
        found.setdefault("num_gpu", "there is no GPU" if host.gpu is False else "it is not known whether it has a GPU")
    if not host.drafts:
        found.setdefault("draft", "the model has no draft head, as far as its facts tell")
    if not host.thinks:
        found["think"] = "the model does not think, as far as its facts tell"
    elif host.path == "openai":
        found["think"] = "thinking is switched on the native path only"
    for name in _NOT_QUICK if quick else ():
        found.setdefault(name, "left out by --quick")
    for each in HOST_EXPERIMENTS:
        found.setdefault(each.name, "it takes two cases")
    return [NotDone(experiment=name, reason=reason) for name, reason in found.items()]


def _tokens(host: HostAbilities, modes: Modes, *, quick: bool) -> list[TokenStep]:
    """Return the requests for log probabilities: each prompt cold and warm in one load, then with other numerics."""
    # The options of sampling change no log probability; those of loading do.
    base = Setting("baseline", {**modes.options("baseline"), "seed": modes.seed})
    found = []
    for number, name in enumerate(PROMPTS):
        cold = replace(base, warmth="after a load" if number == 0 else "after another prompt")
        found.append(TokenStep(name, "cold", 0, cold))
        found += [TokenStep(name, WARM, repeat, base) for repeat in range(2)]
    if quick:
        return found
    batch = replace(base, options={**base.options, "num_batch": SMALL_BATCH})
    found += [TokenStep(name, f"num_batch {SMALL_BATCH}", 0, batch) for name in PROMPTS]
    if not host.server:
        kv_type = replace(base, way=Way(kv_type="q8_0"))
        found += [TokenStep(name, "KV cache q8_0", 0, kv_type) for name in PROMPTS]
    return found
