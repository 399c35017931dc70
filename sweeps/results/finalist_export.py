"""The finalist of a study as a set to export, with where it came from."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from analysis.export.formats import ExportSet
from sweeps.errors import SweepError
from sweeps.scoring.copied_text import copying_notes
from sweeps.version import __version__
from sweeps.workspace.study_lock import standing_of

if TYPE_CHECKING:
    from sweeps.results.result import SweepResult


def export_set(result: SweepResult) -> ExportSet:
    """The finalist with its provenance.

    Raises:
        SweepError: If there is no finalist yet.
    """
    finalist = result.finalist
    if finalist is None:
        status = standing_of(result.directory, result.name, result.status)
        raise SweepError(f"study {result.name!r} has no finalist yet (status: {status}); run it to the end first")
    configuration, verdict = finalist.configuration, result.verdict
    fingerprint = result.fingerprints[configuration.model]
    prompt = result.config.prompts[configuration.prompt]
    engine = fingerprint.facts["engine"]
    judged: dict[str, Any] = {}
    cautions = copying_notes(result.fresh_rows, result.baseline.key, configuration.key)
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
        study=result.name,
        configuration=configuration.key,
        date=(result.stored.record.confirmed or result.stored.updated)[:10],
        shown_better=result.shown_better,
        broken=result.broken,
        cautions=cautions,
        trial=finalist.number,
        seeds=sorted({int(seed) for seed in result.stage("confirm")["seed"]}),
        model_digest=fingerprint.model_digest,
        weights_sha256=fingerprint.facts["model"].get("weights_sha256"),
        engine=str(engine.get("name", "")),
        engine_version=str(engine.get("version", "")),
        host_digest=fingerprint.host_digest,
        host=fingerprint.summary,
        version=__version__,
        **judged,
    )
