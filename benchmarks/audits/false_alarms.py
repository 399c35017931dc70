"""Audits in which nothing differs: how often one of them raises an alarm.

    python -m benchmarks.audits.false_alarms [--quick] [--json] [--audits N] [--real N] [--store FILE] [--minutes M]

Two hosts are one and the same, and every test of `analysis.sameness.ladder` is made at both modes, with the requests of
a default audit. An alarm is a rung that says "differs" at the audit's level of 5%.

* Simulated audits, in turn of four kinds of hosts: one that repeats itself, one whose first request of all, or of each
  prompt, is cold, and one whose requests fall into batches at random. `rounding_per_load` is a limit: each load of the
  model there has numbers of its own, and all requests of a host are made in one load.
* Real audits: two loads of the embedded model, short prompts, texts of 8 tokens. In half of them no prompt is warmed
  up, so that cold and warm texts mix. The store keeps finished audits, and further calls go on from there.

--quick: 8 simulated audits of each kind, and the real ones that the store has.
"""

from __future__ import annotations

import json
import sys
import time
from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from analysis.comparison.means import share_interval
from analysis.sameness.ladder import Rung, ladder
from benchmarks import command
from benchmarks.audits.simulated import DEFAULTS, KINDS, Design, Model, host_texts, paths_of
from benchmarks.workers import mapped

PRODUCTION, BASELINE = Design(2, 9, 9), Design(2, 1, 1, rounds=2)
"""The requests of `sweeps.audits.plan` on a server without a GPU."""

GREEDY = {**DEFAULTS, "temperature": 0.0}
MARGIN, PROMPTS = 0.1, 6
LIMIT = "rounding_per_load"
STORE = Path("audits.jsonl")


def simulated_audit(kind: str, seed: int) -> list[str]:
    """Audit two hosts of a kind that are the same; return the rungs that raise an alarm."""
    rng = np.random.default_rng([seed, 16])
    model = Model(rng)
    texts, tokens = [], []
    for label in "ab":
        own = "repeats itself" if kind == LIMIT else kind
        paths = int(rng.integers(model.paths)) if kind == LIMIT else 0
        if kind == LIMIT:
            model.logits[0] = model.logits[paths]
        texts.append(host_texts(model, label, own, PRODUCTION, DEFAULTS, rng, first_seed=100 * seed))
        texts.append(host_texts(model, label, own, BASELINE, GREEDY, rng, mode="baseline"))
        tokens += _first_tokens(model, label, own, rng)
    rows = pd.concat(texts, ignore_index=True)
    return alarms(ladder(rows, observations=scored(rows), first_tokens=pd.concat(tokens), margin=MARGIN))


def scored(texts: pd.DataFrame) -> pd.DataFrame:
    """The scored texts of the production mode, one per request."""
    once = texts[(texts["mode"] == "production") & (texts["repeat"] == 0)]
    return once.assign(text_sha256=once["text"]).drop(columns=["text", "repeat", "mode"])


def alarms(rungs: list[Rung]) -> list[str]:
    """Names of the rungs that say that the hosts differ."""
    return [f"{rung.mode} {rung.rung}".strip() for rung in rungs if rung.finding == "differs"]


def _first_tokens(model: Model, host: str, kind: str, rng: np.random.Generator) -> Iterator[pd.DataFrame]:
    """Log probabilities as an audit takes them: warm twice, cold, and with another batch size."""
    prompts = np.arange(PROMPTS)
    for arm, repeat in (("warm", 0), ("warm", 1), ("cold", 0), ("num_batch 64", 0)):
        paths = {"cold": np.full(PROMPTS, 1), "num_batch 64": np.full(PROMPTS, 2)}.get(
            arm, paths_of(kind if kind == "a random batch" else "", prompts, prompts * 0 + 1, rng, model.paths)
        )
        yield model.first_tokens(PROMPTS, paths.tolist()).assign(host=host, arm=arm, repeat=repeat)


# ---- real audits

CASES = {
    "pets": "List three pets.",
    "colours": "Name some colours of the sea.",
}
TOKENS, MODEL = 8, "smollm2:135m"


def real_audit(number: int) -> list[dict[str, Any]]:
    """Texts of two loads of the embedded model; every second audit sends no warm-up."""
    from sweeps.engines.base import Prompt
    from sweeps.engines.llamacpp import LlamaCppEngine

    rows = []
    for host in "ab":
        engine, last = LlamaCppEngine(), ""
        try:
            for mode, options, design in (
                ("production", {"temperature": 0.8, "top_p": 0.9}, Design(2, 4, 4)),
                ("baseline", {"temperature": 0.0}, BASELINE),
            ):
                for case, seed, repeat in zip(*design.requests(100 * number), strict=True):
                    name = list(CASES)[case]
                    prompt = Prompt(user=CASES[name])
                    sent = {**options, "num_ctx": 256, "num_thread": 1, "num_predict": TOKENS, "seed": int(seed)}
                    if number % 2 == 0 and name != last:
                        engine.generate(prompt, {**sent, "num_predict": 1}, model=MODEL)
                    last = name
                    text = engine.generate(prompt, sent, model=MODEL).text
                    rows.append(
                        {
                            "mode": mode, "host": host, "case": name, "seed": int(seed), "repeat": int(repeat),
                            "text": text,
                        }
                    )  # fmt: skip
        finally:
            engine.close()
    return rows


def real_audits(store: Path, count: int, minutes: float | None, report: Any) -> list[list[dict[str, Any]]]:
    """Make the real audits that the store lacks, within the time; return all that there are."""
    done = [json.loads(line) for line in store.read_text(encoding="utf-8").splitlines()] if store.exists() else []
    started = time.perf_counter()
    while len(done) < count and (minutes is None or time.perf_counter() - started < 60 * minutes):
        done.append(real_audit(len(done)))
        with store.open("a", encoding="utf-8") as lines:
            lines.write(json.dumps(done[-1]) + "\n")
        report(f"{len(done)} of {count} real audits")
    return done[:count]


# ---- the command


def summary(found: list[list[str]]) -> dict[str, Any]:
    """Number of audits, share with an alarm with its interval, and the rungs that raised it."""
    if not found:
        return {"audits": 0}
    raised = [float(bool(each)) for each in found]
    share = share_interval(raised, ["all"] * len(raised))
    rungs = Counter(rung for each in found for rung in each)
    return {"audits": len(found), "share": share.value, "low": share.low, "high": share.high, "rungs": dict(rungs)}


def lines(figures: Mapping[str, Any]) -> Iterator[str]:
    """The figures as text."""
    for name, found in figures.items():
        if found["audits"]:
            interval = f"{found['low']:.3f} to {found['high']:.3f}"
            yield f"{name}: {found['audits']} audits, alarms {found['share']:.3f} ({interval}) {found['rungs'] or ''}"
        else:
            yield f"{name}: 0 audits"


def main(argv: list[str] | None = None) -> int:
    """Run the benchmark; returns the exit code."""
    parser = command.parser(__doc__, quick="8 simulated audits of each kind, no new real ones")
    parser.add_argument("--audits", type=int, help="simulated audits of all kinds together (default 1000)")
    parser.add_argument("--limit", type=int, help="audits with numbers of their own for each load (default 100)")
    parser.add_argument("--real", type=int, help="real audits (default 100, or those that are there)")
    parser.add_argument("--store", type=Path, default=STORE, help="file that keeps the real audits")
    parser.add_argument("--minutes", type=float, help="time for real audits")
    parser.add_argument("--workers", type=int, default=1, help="processes for simulated audits")
    given = parser.parse_args(argv)
    audits = given.audits if given.audits is not None else 8 * len(KINDS) if given.quick else 1000
    limit = given.limit if given.limit is not None else 4 if given.quick else 100
    kinds = [KINDS[number % len(KINDS)] for number in range(audits)] + [LIMIT] * limit
    found = list(mapped(given.workers, simulated_audit, kinds, range(len(kinds))))
    figures: dict[str, Any] = {"simulated": summary(found[:audits])}
    for kind in (*KINDS, LIMIT):
        figures[kind] = summary([each for own, each in zip(kinds, found, strict=True) if own == kind])
    real = given.real if given.real is not None else 0 if given.quick else 100
    if real and command.missing_model():
        print(command.missing_model(), file=sys.stderr)
        real = 0
    made = real_audits(given.store, real, given.minutes, lambda line: print(line, file=sys.stderr)) if real else []
    figures["real"] = summary([alarms(ladder(pd.DataFrame(rows))) for rows in made])
    return command.show(given, figures, lines(figures))


if __name__ == "__main__":
    sys.exit(main())
