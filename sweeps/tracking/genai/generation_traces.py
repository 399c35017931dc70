"""Generations as MLflow traces, as pure functions of rows and answers; MLflow is imported where traces are made."""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any, Literal

import pandas as pd

from sweeps.config.tables import PromptTable
from sweeps.engines.base import Prompt
from sweeps.options import OPTIONS
from sweeps.tracking.metric_steps import KEYS

if TYPE_CHECKING:
    from mlflow.entities import Assessment, Span, TraceInfo

Traced = Literal["failures", "confirm", "all", "none"]
"""The generations that get a trace: the failed ones, those of the confirmation and the failed ones, all, or none."""

EVAL_REQUEST = "mlflow.eval.requestId"
_PHASES = ("queue", "load", "prefill", "decode")
_NUMBERS = ("words", "prompt_tokens", "output_tokens", "answer_tokens", "thinking_tokens", "seconds")


@dataclass(frozen=True)
class Generated:
    """A generation as its trace shows it.

    Attributes:
        row: Its row of the observations table.
        answer: Its answer (`sweeps.scoring.rows.answer_row`); {} after a failed request.
        prompt: The prompt that was sent; None if it is not known.
        request: Identifies the request among those of other configurations: case, seed, stage and place of the host.
    """

    row: Mapping[str, Any]
    answer: Mapping[str, Any]
    prompt: Prompt | None
    request: str

    @property
    def digest(self) -> str:
        """Digest of everything that may change: the score, and whether there is an answer."""
        return _hex([self.request, str(self.row["score"]), str(self.row.get("text_sha256") or "")], 16)


def chosen(
    rows: pd.DataFrame,
    texts: pd.DataFrame | None,
    mode: Traced,
    prompts: Mapping[str, PromptTable],
    logs: Mapping[str, str],
) -> list[Generated]:
    """Choose the generations of a configuration that get a trace.

    Args:
        rows: Its rows.
        texts: Its answers.
        mode: Which of them.
        prompts: The sweep's prompts by name.
        logs: The cases' logs by name.
    """
    wanted = _wanted(rows, mode)
    if not any(wanted):
        return []
    found: list[dict[Any, Any]] = [] if texts is None else texts.to_dict("records")
    keys = [key for key in KEYS if texts is None or key in texts.columns]
    answers = {tuple(answer[key] for key in keys): answer for answer in found}
    hosts = sorted(set(map(str, rows["host"])))
    made = []
    for row in rows[wanted].to_dict("records"):
        table, log = prompts.get(str(row["prompt"])), logs.get(str(row["case"]))
        prompt = None if table is None or log is None else table.fill(log)
        place = [row["stage"], row["case"], row["seed"], row["repeat"], hosts.index(str(row["host"]))]
        answer = answers.get(tuple(row[key] for key in keys), {})
        made.append(Generated({str(name): value for name, value in row.items()}, answer, prompt, _hex(place, 32)))
    return made


def _wanted(rows: pd.DataFrame, mode: Traced) -> list[bool]:
    """Whether each row gets a trace.

    A generation failed if there is none, or its text is empty, cut off, repeats itself, answers a cut prompt, or has no
    score.
    """
    if mode in ("all", "none"):
        return [mode == "all"] * len(rows)
    columns = (rows[name].tolist() for name in ("finish", "truncated", "score", "stage"))
    return [
        finish != "stop" or cut is True or _missing(score) or (mode == "confirm" and stage == "confirm")
        for finish, cut, score, stage in zip(*columns, strict=True)
    ]


def traces_digest(made: Sequence[Generated]) -> str:
    """Digest of traces as `count:digest`, to recognise those that were written already."""
    return f"{len(made)}:{_hex(sorted(each.digest for each in made), 16)}"


def trace_id(run_id: str, generated: Generated) -> str:
    """Id of a generation's trace in a run; the same one whenever it is written."""
    return "tr-" + _hex([run_id, generated.digest], 32)


def trace_info(run_id: str, experiment_id: str, generated: Generated, begin: int) -> TraceInfo:
    """Describe a trace with its assessments.

    Args:
        run_id: The run of its configuration.
        experiment_id: The experiment.
        generated: The generation.
        begin: When the request began, milliseconds since 1970.
    """
    from mlflow.entities import TraceInfo, TraceLocation, TraceState

    row, answer = generated.row, generated.answer
    took = _number(row.get("seconds")) or 0.0
    tags = {name: str(row[name]) for name in ("stage", "case", "seed", "trial", "host", "finish", "configuration")}
    error = str(row.get("error") or "")
    return TraceInfo(
        trace_id=trace_id(run_id, generated),
        trace_location=TraceLocation.from_experiment_id(experiment_id),
        request_time=begin,
        execution_duration=round(1000 * took),
        state=TraceState.OK if answer else TraceState.ERROR,
        request_preview=_preview("" if generated.prompt is None else generated.prompt.user),
        response_preview=_preview(str(answer.get("text") or error)),
        client_request_id=generated.request,
        trace_metadata={"mlflow.sourceRun": run_id, "mlflow.trace.tokenUsage": json.dumps(_usage(row))},
        tags=tags | {"mlflow.traceName": f"{row['case']}, seed {row['seed']}", EVAL_REQUEST: generated.request},
        assessments=list(_assessments(run_id, generated)),
    )


def _assessments(run_id: str, generated: Generated) -> Iterator[Assessment]:
    """The score with the covered and missed items; a failed request has an error in place of the score."""
    from mlflow.entities import AssessmentError, AssessmentSource, Feedback

    row, answer = generated.row, generated.answer
    source = AssessmentSource(source_type="CODE", source_id="slm-sweeps")
    own: dict[str, Any] = {"source": source, "metadata": {"mlflow.assessment.sourceRunId": run_id}}
    if _missing(row["score"]):
        reason = str(row.get("error") or "no score")
        yield Feedback(name="score", error=AssessmentError("NO_SCORE", reason), **own)
        return
    covered, missed = (_items(answer.get(name)) for name in ("covered", "missed"))
    why = f"{len(covered)} of {len(covered) + len(missed)} items are covered"
    yield Feedback(name="score", value=float(row["score"]), rationale=why, **own)
    for name, items in (("covered", covered), ("missed", missed)):
        if items:
            yield Feedback(name=name, value=items, **own)


def _items(value: object) -> list[Any]:
    return [str(item) for item in value] if isinstance(value, (list, tuple)) else []


def spans_of(run_id: str, generated: Generated, begin: int) -> list[Span]:
    """The spans of a trace: the request, and below it queue, load, prefill and decode, one after the other."""
    row, answer, prompt = generated.row, generated.answer, generated.prompt
    options = {name: row[name] for name in OPTIONS if name in row and not _missing(row[name])}
    inputs: dict[str, Any] = {"case": row["case"], "options": options | {"seed": row["seed"]}}
    if prompt is not None:
        roles = (("system", prompt.system), ("user", prompt.user))
        inputs["messages"] = [{"role": role, "content": text} for role, text in roles if text is not None]
    thought = answer.get("thought")
    text = str(answer.get("text", row.get("error") or ""))
    attributes = {
        "mlflow.spanType": "CHAT_MODEL",
        "mlflow.spanInputs": inputs,
        "mlflow.spanOutputs": {"thought": thought, "answer": text} if thought else text,
        "mlflow.llm.model": row["model"],
        "mlflow.llm.provider": "ollama",
        "mlflow.chat.tokenUsage": _usage(row),
        "mlflow.llm.cost": dict.fromkeys(("input_cost", "output_cost", "total_cost"), 0.0),  # else a server asks a list
        "finish": row["finish"],
        **{f"option.{name}": value for name, value in options.items()},
        **{name: row[name] for name in _NUMBERS if name in row and not _missing(row[name])},
    }
    nanoseconds = begin * 1_000_000
    took = int(1e9 * (_number(row.get("seconds")) or 0.0))
    root = _hex([trace_id(run_id, generated), "request"], 16)
    made = [_span(run_id, generated, "request", root, "", nanoseconds, took, attributes, failed=not answer)]
    for phase in _PHASES:
        if length := int(1e9 * (_number(row.get(f"{phase}_seconds")) or 0.0)):
            own = _hex([root, phase], 16)
            made.append(_span(run_id, generated, phase, own, root, nanoseconds, length, {"mlflow.spanType": "TASK"}))
            nanoseconds += length
    return made


def _span(
    run_id: str,
    generated: Generated,
    name: str,
    span_id: str,
    parent: str,
    begin: int,
    length: int,
    attributes: Mapping[str, Any],
    *,
    failed: bool = False,
) -> Span:
    from mlflow.entities import Span
    from opentelemetry.sdk.resources import Resource
    from opentelemetry.sdk.trace import ReadableSpan
    from opentelemetry.trace import SpanContext, Status, StatusCode, TraceFlags

    trace = trace_id(run_id, generated)

    def context(number: str) -> SpanContext:
        return SpanContext(int(trace[3:], 16), int(number, 16), is_remote=False, trace_flags=TraceFlags(1))

    written = {"mlflow.traceRequestId": trace} | dict(attributes)
    return Span(
        ReadableSpan(
            name,
            context=context(span_id),
            parent=context(parent) if parent else None,
            resource=Resource.get_empty(),
            attributes={key: json.dumps(value, default=str, ensure_ascii=False) for key, value in written.items()},
            status=Status(StatusCode.ERROR if failed else StatusCode.OK),
            start_time=begin,
            end_time=begin + length,
        )
    )


def begin_of(generated: Generated, otherwise: int) -> int:
    """When a request began, milliseconds since 1970; `otherwise` where its arrival is not known."""
    created = str(generated.answer.get("created") or "")
    if not created:
        return otherwise
    return int(1000 * (datetime.fromisoformat(created).timestamp() - float(generated.answer["seconds"])))


def _usage(row: Mapping[str, Any]) -> dict[str, int]:
    read, wrote = (int(_number(row.get(name)) or 0) for name in ("prompt_tokens", "output_tokens"))
    return {"input_tokens": read, "output_tokens": wrote, "total_tokens": read + wrote}


def _preview(text: str) -> str:
    return text if len(text) <= 1000 else text[:997] + "..."


def _missing(value: object) -> bool:
    return value is None or value is pd.NA or (isinstance(value, float) and math.isnan(value))


def _number(value: Any) -> float | None:
    return None if _missing(value) else float(value)


def _hex(parts: Sequence[object], digits: int) -> str:
    return hashlib.sha256(json.dumps(parts, default=str).encode()).hexdigest()[:digits]
