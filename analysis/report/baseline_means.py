"""The baseline's means by stage: several samples of one configuration, with the reason why they differ."""

from __future__ import annotations

import math

from analysis.formatting import count_text, decimals
from analysis.observations import views
from analysis.report.data import ReportData

_Z95 = 1.959964
_STAGES = {"floor": "in the floor", "explore": "in the search", "confirm": "in the confirmation"}


def baseline_means_text(data: ReportData) -> str:
    """Each stage's mean of the baseline with its number of generations; "" where there are not two stages.

    The stages use other seeds, so their means differ by chance. The sentence says by how much, so that nobody takes
    that for a change.
    """
    rows = data.observations
    if "stage" not in rows:
        return ""
    own = views.usable(rows[rows["configuration"] == data.baseline])
    parts = {str(stage): views.summary(part).iloc[0] for stage, part in own.groupby("stage", observed=True)}
    found = [(words, parts[stage]) for stage, words in _STAGES.items() if stage in parts]
    if len(found) < 2:
        return ""
    digits = decimals(*(float(part["mean"]) for _, part in found))
    texts = [
        f"{part['mean']:.{digits}f} {'in the comparison' if data.is_comparison and 'confirm' in words else words}"
        f" ({count_text(int(part['n']), 'generation')})"
        for words, part in found
    ]
    text = f"The baseline scored {', '.join(texts[:-1])} and {texts[-1]}: samples of the same settings by other seeds"
    spread = data.noise_sd * math.sqrt(sum(1 / int(part["n"]) for _, part in found[-2:]))
    if spread == 0:
        return f"{text}."
    apart = abs(float(found[-1][1]["mean"]) - float(found[-2][1]["mean"]))
    beyond = (
        f" These differ by {apart:.{digits}f}, which is rare: look at drift, or repeat with more seeds."
        if apart > _Z95 * spread
        else ""
    )
    usual = f"By chance alone such means differ by up to {_Z95 * spread:.{digits}f} in 95 of 100 studies."
    return f"{text}. {usual}{beyond}"
