"""Differences between fingerprints."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from sweeps.fingerprints.fingerprint import Fingerprint, diff, in_digest, known, readable


def fingerprints_from(record: Mapping[str, Any]) -> dict[str, Fingerprint]:
    """Read the fingerprints that `host_record` wrote."""
    return {model: Fingerprint.from_json(json.dumps(facts)) for model, facts in record.items()}


UNRECORDED = "not recorded"

FILE_FIELDS = ("model.digest", "model.weights_sha256")
"""Facts about a model's files. Newer versions of Ollama rewrite a file whose tensors stay the same."""

_BESIDE_WEIGHTS = ("template_sha256", "system_sha256", "quantization")


def equal_weights(a: Fingerprint, b: Fingerprint) -> bool | None:
    """Whether two models have the same weights: the same file, or the same tensors in it; None where it is unknown."""
    one, other = a.facts["model"], b.facts["model"]
    if known(one.get("weights_sha256")) and one.get("weights_sha256") == other.get("weights_sha256"):
        return True
    if not known(one.get("tensors_sha256")) or not known(other.get("tensors_sha256")):
        return None
    return bool(one["tensors_sha256"] == other["tensors_sha256"])


def equal_models(a: Fingerprint, b: Fingerprint) -> bool:
    """Whether two models are known to have the same weights, template, system prompt and parameters."""
    one, other = a.facts["model"], b.facts["model"]
    rest = all(one.get(name) == other.get(name) for name in _BESIDE_WEIGHTS)
    parameters = [sorted(str(facts.get("parameters_text") or "").splitlines()) for facts in (one, other)]
    return rest and parameters[0] == parameters[1] and equal_weights(a, b) is True


def weights_note(a: Fingerprint, b: Fingerprint) -> str:
    """Return what unequal digests of two models say about their weights."""
    equal = equal_weights(a, b)
    if equal is None:
        return "unequal digests may hold equal weights, since Ollama's versions write one model in different files"
    return "the weights are equal" if equal else "the weights differ"


def fingerprint_changes(old: Mapping[str, Fingerprint], new: Mapping[str, Fingerprint], host: str = "") -> list[str]:
    """Return one line for each difference, in the fields of the digest, between fingerprints of the same models."""
    lines = []
    for model in dict.fromkeys([*old, *new]):
        if model not in old or model not in new:
            lines.append(f"model {model}: {'is new' if model in new else 'is gone'}")
        elif old[model].digest != new[model].digest:
            note = f" ({weights_note(old[model], new[model])})"
            lines += [
                f"{change.field}: was {readable(change.a) or UNRECORDED}, is {readable(change.b) or UNRECORDED}"
                + (note if change.field == "model.digest" and change.a and change.b else "")
                for change in diff(old[model], new[model])
                if in_digest(change.field)
            ]
    return [f"{host}: {line}" if host else line for line in lines]
