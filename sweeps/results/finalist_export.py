"""The finalist of a study as an export set, with its provenance."""

from __future__ import annotations

from typing import Any

from analysis import Verdict
from analysis.export.formats import ExportSet
from sweeps.errors import SweepError
from sweeps.probes.known_facts import surely_ignored
from sweeps.results.study_data import StudyData
from sweeps.scoring.copied_text import copying_notes
from sweeps.search.trial import Proposal
from sweeps.version import __version__
from sweeps.workspace.study_lock import standing_of


def export_set(study: StudyData, finalist: Proposal | None, verdict: Verdict | None) -> ExportSet:
    """The finalist with its provenance.

    Args:
        study: The study.
        finalist: The finalist; None while there is none.
        verdict: Its verdict; None while there is none.

    Raises:
        SweepError: If there is no finalist yet.
    """
    if finalist is None:
        status = standing_of(study.workspace, study.name, study.status)
        raise SweepError(f"study {study.name!r} has no finalist yet (status: {status}); run it to the end first")
    configuration = finalist.configuration
    fingerprint = study.fingerprints[configuration.model]
    prompt = study.config.prompts[configuration.prompt]
    engine = fingerprint.facts["engine"]
    judged: dict[str, Any] = {}
    cautions = copying_notes(study.fresh_rows, study.baseline.key, configuration.key)
    if verdict is not None:
        numbers = ("effect", "ci_low", "ci_high", "level", "p_value", "n_per_arm", "n_finalist", "n_baseline")
        names = ("outcome", "claim", *numbers)
        judged = {name: getattr(verdict, name) for name in names}
        cautions += verdict.cautions
    return ExportSet(
        options=configuration.options,
        model=configuration.model,
        prompt=configuration.prompt,
        system=prompt.system or "",
        user=prompt.user,
        study=study.name,
        configuration=configuration.key,
        date=(study.stored.record.confirmed or study.stored.updated)[:10],
        shown_better=verdict is not None and verdict.outcome == "better",
        broken=study.limits.broken(configuration.key),
        cautions=cautions,
        trial=None if study.is_comparison else finalist.number,
        candidate=finalist.name,
        seeds=sorted({int(seed) for seed in study.stage("confirm")["seed"]}),
        model_digest=fingerprint.model_digest,
        weights_sha256=fingerprint.facts["model"].get("weights_sha256"),
        engine=str(engine.get("name", "")),
        engine_version=str(engine.get("version", "")),
        host_digest=fingerprint.host_digest,
        host=fingerprint.summary,
        version=__version__,
        **judged,
    )


def modelfile_options(study: StudyData, model: str) -> frozenset[str] | None:
    """Options that a Modelfile may name: the engine sends them, and the Ollama that reads the file has them.

    That Ollama is the study's own version, or a current one where the study ran on another engine.

    Args:
        study: The study.
        model: Name of the model.

    Returns:
        Names of options; None where the study's record is older than these names.
    """
    honoured = study.stored.record.honoured
    engine = study.fingerprints[model].facts["engine"]
    version = engine.get("version") if engine.get("name") == "ollama" else None
    return None if honoured is None else frozenset(honoured) - surely_ignored(engine="ollama", version=version)
