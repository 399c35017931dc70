"""The settings to use now, as a verdict has it."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, Literal

from analysis.formatting import decimals, option_text, p_text
from analysis.verdict.recommendation import RECOMMEND, Recommendation, recommendation

if TYPE_CHECKING:
    from analysis.verdict.verdict import Verdict

NEW, CURRENT = "Use the new settings", "Keep your current settings"


@dataclass(frozen=True)
class UseNow:
    """The settings to use now, and why.

    Attributes:
        settings: "new" or "current".
        change: Each value of the new settings that differs, such as `temperature 0.8 → 0.3`; () for "current".
        why: The reason to keep the current settings, as a clause; "" for "new".
        gamble: How far settings are ahead that are not shown better, as a sentence; "" where none are.
        headline: The answer in a few words.
    """

    settings: Literal["new", "current"]
    change: tuple[str, ...] = ()
    why: str = ""
    gamble: str = ""
    headline: str = ""

    def __post_init__(self) -> None:
        object.__setattr__(self, "headline", self.headline or (NEW if self.settings == "new" else CURRENT))

    @property
    def parts(self) -> tuple[str, ...]:
        """The pieces that follow the headline: the changes, or the reason."""
        return self.change or tuple(filter(None, [self.why]))

    @property
    def text(self) -> str:
        """The answer on one line."""
        return f"{self.headline}: {', '.join(self.parts)}" if self.parts else self.headline

    def as_dict(self) -> dict[str, Any]:
        """Return the fields, ready for JSON."""
        return {"text": self.text, **asdict(self), "change": list(self.change)}


def changes(current: Mapping[str, object], new: Mapping[str, object]) -> tuple[str, ...]:
    """Name each value that differs from the current settings, such as `top_k 40 → 20`."""
    different = {name: value for name, value in new.items() if current.get(name) != value}
    return tuple(
        f"{name} {option_text(current.get(name, '–'))} → {option_text(value)}" for name, value in different.items()
    )


def use_now_for(
    verdict: Verdict,
    change: Sequence[str] = (),
    *,
    effect: float | None = None,
    broken: Sequence[str] = (),
    baseline_broken: Sequence[str] = (),
    name: str = "",
    recommended: Recommendation | None = None,
) -> UseNow:
    """Return the settings to use after a verdict.

    Args:
        verdict: The finalist against the baseline, which is the current settings.
        change: See `changes`.
        effect: How far the finalist's mean lies above that of all fresh generations of the baseline; by default the
            verdict's effect.
        broken: Limits that the finalist breaks, as `breaks words: 171 on average, limit 150`.
        baseline_broken: Limits that the baseline breaks.
        name: Name of the finalist, if it is a named candidate.
        recommended: Whether it is recommended; by default as `recommendation` has it without a search's belief.
    """
    if verdict.outcome == "better" and not broken:
        return UseNow("new", tuple(change), headline=f"Use {name}" if name else "")
    ahead = verdict.effect if effect is None else effect
    if broken:
        return UseNow("current", why=_beyond_limits(verdict, broken, baseline_broken, name or "the finalist"))
    why = _why(verdict, name or "the finalist")
    if name and verdict.comparisons > 1:
        why = f"none of the {verdict.comparisons} candidates was shown to be better"
    if verdict.effect > 0 >= ahead:
        why += f"; against all fresh generations of the baseline the difference is {_signed(verdict, ahead)}"
    recommended = recommended or recommendation(verdict, effect=ahead, luck=verdict.optimism)
    return UseNow("current", why=why, gamble=_gamble(verdict, change, ahead, recommended))


def use_now_for_table(verdicts: Sequence[Verdict], recommend: float = RECOMMEND) -> UseNow:
    """Return the configuration of a table to use, by its label.

    Args:
        verdicts: At least one.
        recommend: The least probability of being truly better with which one that is ahead is offered.
    """
    baseline, shown = verdicts[0].baseline, [verdict for verdict in verdicts if verdict.outcome == "better"]
    best = max(shown or verdicts, key=lambda verdict: verdict.effect)
    label = best.configuration
    if shown:
        return UseNow("new", headline=f"Use {label} instead of {baseline}")
    why = _why(best, label) if len(verdicts) == 1 else "none of the others was shown to be better"
    gamble = _gamble(best, (label,), best.effect, recommendation(best, recommend=recommend, luck=best.optimism))
    return UseNow("current", why=why, gamble=gamble, headline=f"Keep {baseline}")


def without_verdict(why: str) -> UseNow:
    """Return the answer of a study that has no verdict, or none yet."""
    return UseNow("current", why=why)


def _beyond_limits(verdict: Verdict, broken: Sequence[str], baseline_broken: Sequence[str], name: str) -> str:
    limits = " and ".join(broken)
    if baseline_broken:
        return f"neither they nor {name} keep all limits ({name} {limits})"
    return f"{name} {'scores better, but ' if verdict.outcome == 'better' else ''}{limits}"


def _why(verdict: Verdict, name: str) -> str:
    """Say in plain words why a configuration within the limits does not replace the baseline."""
    if math.isnan(verdict.p_value):
        return "no score varies, so that luck cannot be told from a gain"
    if verdict.outcome == "worse":
        return f"{name} is worse"
    if verdict.outcome == "equivalent":
        return f"{name} is as good, not better"
    if verdict.withheld == "missing rows":
        return "the rows that are missing could make the difference"
    if verdict.withheld == "drift":
        return "they did not run at the same time, and scores drift"
    if verdict.p_value <= verdict.alpha:
        return "too many generations have no score to say which is better"
    if verdict.overtaken:
        return f"{name} was behind at the end of the run-off"
    if verdict.given_up:
        return "the comparison ended early, because a gain had become unlikely"
    return "no gain beyond luck was found" if verdict.effect > 0 else "no gain was found"


def _gamble(verdict: Verdict, change: Sequence[str], ahead: float, recommended: Recommendation) -> str:
    """Offer a finalist that is merely ahead and recommended, with how likely luck is."""
    tested = not math.isnan(verdict.p_value)
    lacking = verdict.missing_baseline or verdict.missing_finalist
    if (
        not recommended.is_given
        or (lacking and verdict.effect_with_missing <= 0)
        or verdict.outcome != "not distinguishable"
        or ahead <= 0
        or (tested and verdict.p_value <= verdict.alpha)
    ):
        return ""
    luck = "which may be luck: nothing was tested"
    if tested:
        luck = f"which luck alone can explain ({p_text(verdict.p_value, verdict.alpha)})"
    settings = ", ".join(change) or verdict.configuration
    return f"If you want to gamble: {settings}. That scored {_signed(verdict, ahead)[1:]} higher here, {luck}."


def _signed(verdict: Verdict, effect: float) -> str:
    digits = decimals(effect, *(end for end in (verdict.ci_low, verdict.ci_high) if math.isfinite(end)))
    return f"{effect:+.{digits if round(effect, digits) else decimals(effect)}f}"
