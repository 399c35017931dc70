"""The finalist of a study as an export set, with its provenance."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from analysis import Verdict
from analysis.export.export_set import NATIVE, OPENAI
from analysis.export.formats import ExportSet
from sweeps.engines.sent_options import sent_options
from sweeps.errors import SweepError
from sweeps.fingerprints.fingerprint import Fingerprint
from sweeps.options import Configuration
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
    prompt = study.config.prompts[configuration.prompt]
    judged: dict[str, Any] = {}
    cautions = copying_notes(study.fresh_rows, study.baseline.key, configuration.key)
    cautions += _elsewhere(study.config.engine.kind, configuration)
    if verdict is not None:
        numbers = ("effect", "ci_low", "ci_high", "level", "p_value", "n_per_arm", "n_finalist", "n_baseline")
        names = ("outcome", "claim", *numbers)
        judged = {name: getattr(verdict, name) for name in names}
        cautions += verdict.cautions
    return ExportSet(
        **_as_sent(study, configuration),
        model=configuration.model,
        prompt=configuration.prompt,
        system=prompt.system,
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
        **_measured_on(study, configuration),
        version=__version__,
        **judged,
    )


def modelfile_options(study: StudyData, configuration: Configuration) -> frozenset[str] | None:
    """Options that a Modelfile may name: the engine sends them, and the Ollama that reads the file has them.

    That Ollama is of the study's own versions, or a current one where the study ran on another engine.

    Args:
        study: The study.
        configuration: The configuration.

    Returns:
        Names of options; None where the study's record is older than these names.
    """
    honoured = study.stored.record.honoured
    if honoured is None:
        return None
    engines = [each.facts["engine"] for each in _fingerprints(study, configuration)]
    versions = [each.get("version") if each.get("name") == "ollama" else None for each in engines]
    ignored = [surely_ignored(engine="ollama", version=version) for version in versions]
    return frozenset(honoured).difference(*ignored)


@dataclass(frozen=True)
class SentConfiguration:
    """A configuration under its own key, with all options that its requests had.

    Attributes:
        key: Key of the configuration.
        model: The model's name.
        prompt: The prompt's name.
        options: Options by Ollama's names.
    """

    key: str
    model: str
    prompt: str
    options: Mapping[str, Any]


def sent_configuration(study: StudyData, configuration: Configuration) -> SentConfiguration:
    """Return a configuration as it was measured: with the options that the engine adds, without those that it drops."""
    options = _as_sent(study, configuration)["options"]
    return SentConfiguration(configuration.key, configuration.model, configuration.prompt, options)


def _as_sent(study: StudyData, configuration: Configuration) -> dict[str, Any]:
    """The options that the finalist's requests had, and the path that they took."""
    engine = study.config.engine
    found = _fingerprints(study, configuration)
    thinks = bool(found) and all(each.facts["model"].get("thinks") for each in found)
    sent = sent_options(engine.kind, engine.options, configuration.options, thinks=thinks)
    return {
        "options": sent,
        "path": OPENAI if engine.kind == "openai" else NATIVE,
        "left_out": [name for name in configuration.options if name not in sent],
        "keep_alive": engine.options.get("keep_alive") if engine.kind == "ollama" else None,
    }


def _measured_on(study: StudyData, configuration: Configuration) -> dict[str, Any]:
    """Model, engine and host that wrote the finalist's fresh texts; of several hosts each that differs."""
    found = _fingerprints(study, configuration)

    def each(facts: Iterable[object]) -> str:
        return ", ".join(dict.fromkeys(str(fact) for fact in facts if fact))

    return {
        "model_digest": each(one.model_digest for one in found),
        "weights_sha256": each(one.facts["model"].get("weights_sha256") for one in found),
        "engine": each(one.facts["engine"].get("name") for one in found),
        "engine_version": each(one.facts["engine"].get("version") for one in found),
        "host_digest": each(one.host_digest for one in found),
        "host": " and ".join(dict.fromkeys(one.summary for one in found)),
    }


def _fingerprints(study: StudyData, configuration: Configuration) -> list[Fingerprint]:
    """The fingerprints of the hosts that wrote the finalist's fresh texts; the first host's where none is known."""
    fresh = study.stage("confirm")
    digests = set(fresh.loc[fresh["configuration"] == configuration.key, "host"])
    models = [host[configuration.model] for host in study.hosts.values() if configuration.model in host]
    return [each for each in models if each.digest in digests] or models[:1]


def _elsewhere(kind: str, configuration: Configuration) -> list[str]:
    """Cautions where a current Ollama, which reads the files, would not do as the embedded engine did."""
    if kind != "llamacpp":
        return []
    cautions = []
    if configuration.options.get("mirostat") and "mirostat" in surely_ignored(engine="ollama", version=None):
        cautions.append(
            "measured with mirostat, which Ollama ignores since v0.7.0; there top_k and top_p act instead. Run the"
            " sweep on your server before you use these settings there"
        )
    if Path(configuration.model).suffix == ".gguf":
        cautions.append(
            "the model is a file. For a server of Ollama write its whole path behind FROM in the Modelfile, run `ollama"
            " create NAME -f` with it, and put NAME in the model's place"
        )
    return cautions
