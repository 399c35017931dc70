"""The experiment of a probe: its generations, and the results drawn from them."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from sweeps.config.space import Space
from sweeps.engines.base import Engine, Generation, OptionRefused, OutOfMemory, Prompt, PromptTooLong
from sweeps.options import OPTIONS, OptionValue, as_number
from sweeps.probes.contexts import EXTREMES, Level, Options, difference, extreme_for, reason, value_text
from sweeps.probes.result import PROBE_TOKENS, ProbeCost, ProbeResult
from sweeps.scoring.answers import answer_of

PROMPTS = (
    Prompt("Write a short story about a lighthouse keeper. She finds a strange machine on the beach."),
    Prompt("List unusual names for a pumping station. Then repeat the list. Then repeat the list once more."),
)
SEEDS = (101, 202, 303, 404)
PAIRS = ((0, 101), (1, 202), (1, 101), (0, 202))
MORE_PAIRS = ((0, 303), (1, 303), (1, 404), (0, 404))
"""(prompt, seed), ordered for few changes of prompt. The second set is for hosts that do not repeat their texts."""

_FAR = 1024
"""Stands for an unknown value of a reload option: beyond every extreme."""

MOST_TOKENS = 16 * PROBE_TOKENS
"""Tokens of one generation at most, where a model thinks first."""

SIGNIFICANCE = 0.05


@dataclass
class _Attempt:
    """An option in one of its contexts."""

    option: str
    level: Level
    reference: Options
    moved: Options
    changed: int = 0
    tried: int = 0
    self_changed: int = 0
    self_tried: int = 0
    blank: int = 0
    refusal: str = ""
    last_change: tuple[Options, tuple[int, int]] | None = None

    @property
    def values(self) -> tuple[OptionValue | None, OptionValue | None]:
        return self.reference.get(self.option), self.moved.get(self.option)


class Experiment:
    """The generations of one probe. Each is sent once, or twice to see whether the host repeats its texts.

    Args:
        engine: The open engine.
        model: The model.
        timeout: Seconds per request.
        cost: The cost, for `announce`.
        announce: Called with the cost before the first request, and with the time after the first generation.

    Attributes:
        repeatable: Whether the host has repeated every text so far.
        tokens: Tokens of one generation: more than `PROBE_TOKENS` for a model that thinks first.
    """

    def __init__(
        self,
        engine: Engine,
        model: str,
        timeout: float | None,
        cost: ProbeCost,
        announce: Callable[[str], None] | None,
    ) -> None:
        self.engine, self.model, self.timeout = engine, model, timeout
        self.cost, self.announce = cost, announce
        self.repeatable = True
        self.tokens = PROBE_TOKENS
        self._texts: dict[tuple[str, int, int, bool], Generation] = {}
        self._warm: tuple[Any, ...] | None = None
        if announce:
            announce(cost.text)

    def run(
        self, plans: Mapping[str, list[Level]], baseline: Options, space: Space
    ) -> Iterable[tuple[str, ProbeResult]]:
        """Yield results as they become known: options of the text, then the length, then reload options."""
        texts = {name: plan for name, plan in plans.items() if plan}
        if texts or "num_predict" in plans:
            self._look_at_host(baseline)
        yield from self._texts_of(texts, baseline).items()
        if "num_predict" in plans:
            yield "num_predict", self._length(baseline)
        for name in plans:
            if name == "num_ctx":
                yield name, self._context_window(baseline, space)
            elif name in EXTREMES and OPTIONS[name].reload:
                yield name, self._reload(name, baseline)

    # ---- sending

    def send(self, options: Options, pair: tuple[int, int], *, again: bool = False) -> Generation:
        """Return one generation from a warm model; the same request is sent again only with `again`."""
        prompt, seed = pair
        sent = {**options, "seed": options.get("seed", seed)}
        sent.setdefault("num_predict", self.tokens)
        key = (json.dumps(sent, sort_keys=True), prompt, seed, again)
        if key not in self._texts:
            need = (prompt, *(sent.get(name) for name in self.engine.reload_options))
            if need != self._warm:
                self._warm = None
                self._generate(PROMPTS[prompt], {**sent, "num_predict": 1})
            generation = self._generate(PROMPTS[prompt], sent)
            self._warm = need
            self._texts[key] = generation
        return self._texts[key]

    def _generate(self, prompt: Prompt, options: Options) -> Generation:
        return self.engine.generate(prompt, options, model=self.model, timeout=self.timeout)

    def _look_at_host(self, baseline: Options) -> None:
        """Find out whether the host repeats the reference's text, and announce the time of one generation."""
        reference = {name: value for name, value in baseline.items() if name != "num_predict"}
        while _only_thinks(self.send(reference, PAIRS[0])) and self.tokens < MOST_TOKENS:
            self.tokens *= 4
        if self.tokens > PROBE_TOKENS and self.announce:
            self.announce(f"the model thinks first, so each generation has up to {self.tokens} tokens")
        for pair in PAIRS[:2]:
            first = self.send(reference, pair)
            if pair == PAIRS[0] and self.announce:
                self.announce(self.cost.time_text(first.timing.total - first.timing.load))
            if said(self.send(reference, pair, again=True)) != said(first):
                self.repeatable = False

    # ---- options whose effect shows in the text

    def _texts_of(self, plans: Mapping[str, list[Level]], baseline: Options) -> dict[str, ProbeResult]:
        results: dict[str, ProbeResult] = {}
        hidden: dict[str, _Attempt] = {}
        for depth in range(max(map(len, plans.values()), default=0)):
            attempts = [
                _attempt(name, plan[depth]) for name, plan in plans.items() if name not in results and depth < len(plan)
            ]
            self._try(attempts)
            for attempt in attempts:
                result = _result(attempt, baseline, hidden.get(attempt.option))
                if result.verdict == "inert" and depth + 1 < len(plans[attempt.option]):
                    hidden[attempt.option] = attempt
                else:
                    results[attempt.option] = result
        return results

    def _try(self, attempts: Sequence[_Attempt]) -> None:
        for i, pair in enumerate(PAIRS):
            for attempt in attempts:
                if not (self.repeatable and attempt.changed and i >= 2):
                    self._try_pair(attempt, pair)
        for attempt in attempts:
            self._send_lone_change_again(attempt)
        if not self.repeatable:
            for pair in MORE_PAIRS:
                for attempt in attempts:
                    self._try_pair(attempt, pair)

    def _try_pair(self, attempt: _Attempt, pair: tuple[int, int]) -> None:
        if attempt.refusal:
            return
        try:
            reference = self.send(attempt.reference, pair)
            moved = attempt.moved if attempt.option != "seed" else {**attempt.moved, "seed": pair[1] + 5}
            answer = self.send(moved, pair)
            changed = said(answer) != said(reference)
        except OptionRefused as error:
            attempt.refusal = str(error)
            self._warm = None
            return
        attempt.tried += 1
        attempt.changed += changed
        attempt.last_change = (moved, pair) if changed else attempt.last_change
        attempt.blank += not (said(answer).strip() or said(reference).strip())
        if changed or not self.repeatable:
            attempt.self_tried += 1
            same = said(self.send(attempt.reference, pair, again=True)) == said(reference)
            attempt.self_changed += not same
            self.repeatable = self.repeatable and same

    def _send_lone_change_again(self, attempt: _Attempt) -> None:
        """Send the only changed text of an option again: an odd text of a host that seldom gives one is no effect."""
        if not self.repeatable or attempt.changed != 1 or attempt.last_change is None:
            return
        same = said(self.send(*attempt.last_change, again=True)) == said(self.send(*attempt.last_change))
        attempt.self_tried += 1
        attempt.self_changed += not same
        self.repeatable = same

    # ---- the others

    def _length(self, baseline: Options) -> ProbeResult:
        """Probe num_predict by the number of generated tokens."""
        short = 4
        result = ProbeResult("num_predict", "untestable", self.tokens, short, context="baseline")
        plain = {name: value for name, value in baseline.items() if name != "num_predict"}
        for pair in PAIRS[:2]:
            reference = self.send(plain, pair)
            if (reference.output_tokens or 0) < 2 * short:
                continue
            try:
                cut = self.send({**plain, "num_predict": short}, pair)
            except OptionRefused as error:
                return replace(result, verdict="refused", why=str(error))
            fewer = cut.output_tokens is not None and cut.output_tokens <= short
            verdict, why = "alive", f"{cut.output_tokens} tokens generated, finish {cut.finish}"
            if not fewer:
                verdict = "inert" if cut.output_tokens == reference.output_tokens else "clamped"
            return replace(result, verdict=verdict, changed=int(fewer), tried=1, effective=cut.output_tokens, why=why)
        return replace(result, why=f"the model's own answers are shorter than {2 * short} tokens")

    def _context_window(self, baseline: Options, space: Space) -> ProbeResult:
        """Probe num_ctx by the value that the engine reports, otherwise by the refusal of a long prompt."""
        reference = baseline["num_ctx"]
        values = [512 if reference != 512 else 1024]
        if "num_ctx" in space:
            values = [int(as_number(v)) for v in space["num_ctx"].extremes() if v != reference] or values
            values = [min(values), max(values)] if len(values) > 1 else values
        applied: dict[OptionValue, OptionValue | None] = {}
        result = ProbeResult("num_ctx", "alive", reference, values[-1], context="sweep", tried=1 + len(values))
        for value in (reference, *values):
            try:
                answer = self._generate(PROMPTS[0], {**baseline, "num_ctx": value, "num_predict": 1, "seed": 1})
            except OptionRefused as error:
                return replace(result, verdict="refused", extreme=value, why=str(error))
            except PromptTooLong:
                applied[value] = value  # the refusal shows that the engine uses it
                continue
            except OutOfMemory as error:
                if value == reference:
                    raise
                result = replace(result, verdict="untestable", why=f"no memory for {value}: {error}")
                continue
            finally:
                self._warm = None
            applied[value] = answer.effective.get("num_ctx")
        if len(applied) < 2:
            return result
        result = replace(result, verdict="alive", why="", extreme=list(applied)[-1])
        if None in applied.values():
            return self._refuses_long(result, baseline)
        return _applied_contexts(result, applied)

    def _refuses_long(self, result: ProbeResult, baseline: Options) -> ProbeResult:
        long = Prompt(" ".join(f"item {n}" for n in range(400)))
        try:
            answer = self._generate(long, {**baseline, "num_ctx": 256, "num_predict": 1, "seed": 1})
        except PromptTooLong:
            return replace(result, changed=1, tried=1, extreme=256, why="a prompt longer than num_ctx is refused")
        finally:
            self._warm = None
        if answer.truncated:
            return replace(result, changed=1, tried=1, extreme=256, why="a prompt longer than num_ctx is cut")
        why = "the engine does not report the value that it applies, and accepted a prompt longer than num_ctx 256"
        return replace(result, verdict="untestable", tried=1, extreme=256, why=why)

    def _reload(self, option: str, baseline: Options) -> ProbeResult:
        """Probe a reload option with one pair only, since each change loads the model."""
        plain = {name: value for name, value in baseline.items() if name != "num_predict"}
        extreme = extreme_for(option, plain.get(option, _FAR))
        result = ProbeResult(option, "untestable", plain.get(option), extreme, context="baseline", tried=1)
        reference = self.send(plain, PAIRS[0])
        try:
            moved = self.send({**plain, option: extreme}, PAIRS[0])
        except OptionRefused as error:
            return replace(result, verdict="refused", tried=0, why=str(error))
        except OutOfMemory as error:
            return replace(result, tried=0, why=str(error))
        finally:
            self._warm = None
        effective = moved.effective.get(option)
        result = replace(result, effective=effective)
        if said(moved) != said(reference) and self.repeatable:
            return replace(result, verdict="alive", changed=1, why="changes the text of a seed (another numeric path)")
        if effective is not None:
            verdict = "alive" if effective == extreme else "clamped"
            return replace(result, verdict=verdict, why=f"the engine reports that it applied {value_text(effective)}")
        return replace(result, why="changes how fast the model runs, which a text does not show")


def said(generation: Generation) -> str:
    """Return everything that a model wrote: its thought, and the text."""
    return f"{generation.thought}\0{generation.text}" if generation.thought else generation.text


def _only_thinks(generation: Generation) -> bool:
    answer = answer_of(generation)
    return answer.is_empty and bool(answer.thought)


def _attempt(option: str, level: Level) -> _Attempt:
    if option == "seed":
        return _Attempt(option, level, level.options, level.options)
    reference = level.options.get(option)
    return _Attempt(option, level, level.options, {**level.options, option: extreme_for(option, reference)})


def _result(attempt: _Attempt, baseline: Options, hidden: _Attempt | None) -> ProbeResult:
    """Return the result of one context; `hidden` is the nearer context in which no text changed, or None."""
    result = _found(attempt, "inert")
    if attempt.refusal:
        return replace(result, verdict="refused", why=attempt.refusal)
    because = reason(attempt.option, attempt.level.options)
    if attempt.blank and attempt.blank == attempt.tried:
        return replace(result, verdict="untestable", why="all texts are empty, so that no change can show")
    if not attempt.changed:
        return replace(result, why=because or "moving it to an extreme changed no text in any context tried")
    if attempt.self_changed and not _more_often(attempt):
        why = "the host gives another text for the same request just as often, so a change proves nothing"
        return replace(result, verdict="untestable", why=why)
    apart = difference(attempt.level.options, baseline)
    if attempt.level.name != "open" or hidden is None:
        return replace(result, verdict="alive", why=f"acts with {apart}" if apart else "")
    because = reason(attempt.option, hidden.level.options)
    if because:
        why = f"inert here because {because}; it acts with {apart} ({result.evidence})"
        return replace(_found(hidden, "inert"), why=why)
    return replace(result, verdict="alive", why=f"shows little beside the baseline's options; seen with {apart}")


def _found(attempt: _Attempt, verdict: str) -> ProbeResult:
    return ProbeResult(
        attempt.option,
        verdict,
        *attempt.values,
        changed=attempt.changed,
        tried=attempt.tried,
        self_changed=attempt.self_changed,
        self_tried=attempt.self_tried,
        context=attempt.level.name,
    )


def _more_often(attempt: _Attempt) -> bool:
    """Whether the extreme changes the text more often than repeating the reference does (Fisher's exact test)."""
    import numpy as np
    from scipy.stats import fisher_exact

    table = np.array(
        [
            [attempt.changed, attempt.tried - attempt.changed],
            [attempt.self_changed, attempt.self_tried - attempt.self_changed],
        ]
    )
    return float(fisher_exact(np.array(table), alternative="greater").pvalue) < SIGNIFICANCE


def _applied_contexts(result: ProbeResult, applied: Mapping[OptionValue, OptionValue | None]) -> ProbeResult:
    off = {asked: got for asked, got in applied.items() if got != asked and got is not None}
    result = replace(result, changed=len(set(applied.values())) - 1, effective=applied[result.extreme or 0])
    if not off:
        return replace(result, why="the engine reports the requested value")
    words = ", ".join(f"{value_text(asked)} became {value_text(got)}" for asked, got in off.items())
    if len(set(applied.values())) == 1:
        return replace(result, verdict="inert", why=f"the engine keeps its own value: {words}")
    asked, got = next(iter(off.items()))
    return replace(result, verdict="clamped", extreme=asked, effective=got, why=words)
