"""Bisecting: the smallest set of settings whose alignment removes the difference between two ways to ask.

Each way is a set of values, one per factor (host, API path, options, requests in flight). One or several factors are
aligned, the same requests are sent, and the texts of equal seeds are compared. The rule is that of delta debugging:
single factors first, then all of them, of which each that is not needed is taken back. A. Zeller, R. Hildebrandt:
Simplifying and isolating failure-inducing input, IEEE Transactions on Software Engineering 28(2), 2002.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

Value = object
"""A factor's value; None for an option that is left out."""

Pair = tuple[str, int]
"""Case and seed of one request."""

Values = Mapping[str, Value]

Ask = Callable[[Values, Sequence[Pair], int], Sequence[str] | None]
"""Send the requests of some pairs with these values, as the repeat of that index; None if no host can do so."""

HOST = "host"
"""The factor that stands for all that a request cannot change: machine, version, weights, template, settings there."""

LEAST_DIFFERING = 3
"""Pairs with unequal texts below which nothing is named: chance could align so few."""

ASKS = 2
"""Times that a request is sent to see whether a host repeats its text; twice as often if one did not repeat all."""

Status = Literal["no difference", "isolated", "not isolated", "not decided"]


@dataclass(frozen=True)
class Alignment:
    """One experiment: factors set alike, and the texts that agreed then.

    Attributes:
        factors: The factors that were aligned.
        identical: Pairs whose texts were identical.
        n: Pairs that were compared; 0 if no host could be asked so.
    """

    factors: tuple[str, ...]
    identical: int
    n: int

    @property
    def removed(self) -> bool:
        """Whether the difference was gone."""
        return 0 < self.n == self.identical

    @property
    def was_done(self) -> bool:
        """Whether a host could be asked so."""
        return self.n > 0


@dataclass(frozen=True)
class Bisection:
    """The result of bisecting two ways to ask.

    Attributes:
        status: `isolated` if aligning `factors` removed the difference, also on fresh pairs.
        factors: The smallest set that was found; () without one.
        values: Values of these factors on either side.
        differing: Pairs of the first look whose texts differed.
        n: Pairs of the first look.
        repeated: Pairs of the first look whose text each side repeated.
        fresh: Fresh pairs that confirmed the set.
        experiments: The alignments in their order.
        why: The reason where nothing was isolated.
    """

    status: Status
    factors: tuple[str, ...] = ()
    values: Mapping[str, tuple[Value, Value]] = field(default_factory=dict)
    differing: int = 0
    n: int = 0
    repeated: tuple[int, int] = (0, 0)
    fresh: int = 0
    experiments: tuple[Alignment, ...] = ()
    why: str = ""


def bisect(a: Values, b: Values, ask: Ask, pairs: Sequence[Pair], fresh: Sequence[Pair]) -> Bisection:
    """Find the smallest set of factors whose alignment removes the difference of texts between two ways to ask.

    Args:
        a: Value by factor on one side.
        b: Value by factor on the other side, with the same factors.
        ask: Sends requests; equal values and the same repeat may be answered from what was sent before.
        pairs: Cases and seeds of the search. The second half is used only if few texts of the first half differ.
        fresh: Cases and seeds that no part of the search sees; they confirm its result.

    Returns:
        The result. `isolated` is said only of factors that were changed in an experiment that removed the difference.
    """
    return _Search(a, b, ask, tuple(pairs)).run(tuple(fresh))


class _Search:
    def __init__(self, a: Values, b: Values, ask: Ask, pairs: tuple[Pair, ...]) -> None:
        self.sides = (dict(a), dict(b))
        self.ask, self.pairs = ask, pairs
        self.factors = tuple(name for name in a if a[name] != b[name])
        self.done: list[Alignment] = []

    def run(self, fresh: tuple[Pair, ...]) -> Bisection:
        """Look for a difference, then for its cause, then look again on fresh pairs."""
        every, self.pairs = self.pairs, self.pairs[: (len(self.pairs) + 1) // 2]
        first = self._look(self.pairs)
        if first is not None and first.most_differing < LEAST_DIFFERING:
            self.pairs = every
            first = self._look(every)
        if first is None:
            return Bisection("not decided", why="one of the two could not be asked")
        self.first = first
        facts: dict[str, Any] = {"differing": first.most_differing, "n": len(self.pairs), "repeated": first.repeated}
        if not first.most_differing:
            if first.repeated == (len(self.pairs), len(self.pairs)):
                return Bisection("no difference", **facts)
            return Bisection("not decided", why="the hosts do not repeat their own texts more often", **facts)
        if first.most_differing < LEAST_DIFFERING:
            return Bisection("not decided", why="too few texts differ; take more seeds", **facts)
        found = self._smallest()
        if not found:
            return Bisection("not isolated", why=self._why_not(), experiments=tuple(self.done), **facts)
        if len(found) > 1 and not self._align(self.factors).removed:
            why = "a host does not give its own texts of the beginning any more"
            return Bisection("not decided", why=why, experiments=tuple(self.done), **facts)
        confirmed, why = self._confirmed(found, fresh)
        if doubtful := self._doubtful(found):
            confirmed, why = 0, f"without {words(doubtful)} only one text differed, which may be chance"
        if HOST in found:
            with_it = words(tuple(name for name in found if name != HOST))
            why = f"the difference stays with the host{f', together with {with_it}' if with_it else ''}"
        status: Status = "isolated" if confirmed and HOST not in found else "not isolated"
        values = {name: (self.sides[0][name], self.sides[1][name]) for name in found}
        return Bisection(status, found, values, fresh=confirmed, why=why, experiments=tuple(self.done), **facts)

    # ---- experiments

    def _look(self, pairs: tuple[Pair, ...]) -> _Look | None:
        """Send the requests of some pairs to both sides; None if one cannot be asked.

        The sides take turns. Where one change of sides loads the model again, repeats are of several loads, and a host
        that rounds in another way after each load is seen not to repeat its texts.
        """
        texts: tuple[list[Sequence[str]], list[Sequence[str]]] = ([], [])
        for asks in (range(ASKS), range(ASKS, 2 * ASKS)):
            for repeat in asks:
                for side, kept in zip(self.sides, texts, strict=True):
                    answered = self.ask(side, pairs, repeat)
                    if answered is None:
                        return None
                    kept.append(answered)
            look = _Look(*texts)
            if look.repeated == (len(pairs), len(pairs)):
                break
        return look

    def _align(self, factors: Iterable[str]) -> Alignment:
        chosen = tuple(name for name in self.factors if name in set(factors))
        known = next((made for made in self.done if made.factors == chosen), None)
        if known is None:
            known = self._aligned(chosen, self.pairs, self.first)
            self.done.append(known)
        return known

    def _aligned(self, chosen: tuple[str, ...], pairs: tuple[Pair, ...], look: _Look) -> Alignment:
        """Give one side the other's values of some factors, and compare with the texts that the other repeats.

        B is moved towards A; where no host can be asked so, or A repeats too little, A towards B. A text that is not
        the same is asked for as often as in the look, since a host may fail to repeat it.
        """
        first_repeat = 2 * ASKS
        for target, towards in enumerate(self.sides):
            stable, moved = look.stable(target), self.sides[1 - target]
            if len(look.differing(target)) < min(LEAST_DIFFERING, look.most_differing):
                continue
            values = {**moved, **{name: towards[name] for name in chosen}}
            left = dict.fromkeys(stable)
            for repeat in range(first_repeat, first_repeat + len(look.a)):
                asked = tuple(pairs[index] for index in left)
                texts = self.ask(values, asked, repeat) if asked else ()
                if texts is None:
                    break
                same = {i for i, text in zip(left, texts, strict=True) if text == look.text(target, i)}
                left = dict.fromkeys(index for index in left if index not in same)
            else:
                return Alignment(chosen, len(stable) - len(left), len(stable))
        return Alignment(chosen, 0, 0)

    # ---- the search

    def _smallest(self) -> tuple[str, ...]:
        """Return the smallest set that removes the difference; () if none does."""
        for name in self.factors:
            if self._align([name]).removed:
                return (name,)
        needed = next((rest for _, rest in self._rests(self.factors) if self._align(rest).removed), ())
        if not needed:
            # All factors together make one side the other, so this alone says nothing: each must be needed.
            rests = [self._align(rest) for _, rest in self._rests(self.factors)]
            each_needed = len(rests) > 1 and all(rest.was_done for rest in rests)
            return self.factors if each_needed else ()
        for name in reversed(needed):
            rest = tuple(other for other in needed if other != name)
            if rest and self._align(rest).removed:
                needed = rest
        return needed

    def _doubtful(self, found: tuple[str, ...]) -> tuple[str, ...]:
        """Return the members of a set for whose need one text alone speaks."""
        rests = [(name, self._align(rest)) for name, rest in self._rests(found) if rest]
        return tuple(name for name, rest in rests if rest.n - rest.identical < 2)

    @staticmethod
    def _rests(factors: tuple[str, ...]) -> Iterator[tuple[str, tuple[str, ...]]]:
        for name in factors:
            yield name, tuple(other for other in factors if other != name)

    def _confirmed(self, found: tuple[str, ...], fresh: tuple[Pair, ...]) -> tuple[int, str]:
        """Return the number of fresh pairs that confirm the set, and why none does."""
        look = self._look(fresh) if fresh else None
        if look is None or not look.most_differing:
            return 0, "on fresh seeds no text differed; take more seeds"
        again = self._aligned(found, fresh, look)
        self.done.append(again)
        if not again.removed:
            return 0, f"on fresh seeds, with {words(found)} aligned, {again.n - again.identical} of {again.n} differed"
        return again.n, ""

    def _why_not(self) -> str:
        untested = tuple(name for name in self.factors if not self._align([name]).was_done)
        if untested:
            return f"{words(untested)} could not be changed alone"
        return "no set of the settings that can be changed removed the difference"


@dataclass(frozen=True)
class _Look:
    """Texts of both sides on the same pairs; each is a list of repeats."""

    a: Sequence[Sequence[str]]
    b: Sequence[Sequence[str]]

    def stable(self, side: int) -> list[int]:
        """Pairs whose text a side repeated each time."""
        return [index for index, texts in enumerate(zip(*(self.a, self.b)[side], strict=True)) if len(set(texts)) == 1]

    def text(self, side: int, index: int) -> str:
        """The first text of a pair."""
        return (self.a, self.b)[side][0][index]

    def differing(self, target: int) -> list[int]:
        """Pairs whose text the target repeats, and the other side never gives."""
        other = (self.a, self.b)[1 - target]
        return [i for i in self.stable(target) if all(texts[i] != self.text(target, i) for texts in other)]

    @property
    def most_differing(self) -> int:
        return max(len(self.differing(target)) for target in (0, 1))

    @property
    def repeated(self) -> tuple[int, int]:
        return len(self.stable(0)), len(self.stable(1))


def words(names: Sequence[str]) -> str:
    """Return names as one phrase."""
    return " and ".join([", ".join(names[:-1]), names[-1]] if len(names) > 1 else names)
