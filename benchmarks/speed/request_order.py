"""What does the order of requests save?

    python -m benchmarks.speed.request_order [--quick] [--json] [--cases N] [--trials N] [--predict N]
        [--only long|shipped]

The same requests (configuration, case, seed) run twice on the embedded engine, each time from a fresh load:

* `plain`: as a loop over Optuna's trials sends them: trial by trial, in each case by case, without warm-ups.
* `ours`: in the order of `sweeps.hosts.order`, through the `sweeps.hosts.host.Host` that a sweep uses, warm-ups
included.

The trials' options are drawn at random, with each of three values of num_ctx equally often, as in one batch of a sweep
that searches num_ctx. `long` cases are made by joining shipped logs to about 1,500 tokens; `shipped` ones are used as
they are. `ratio` is plain over ours in wall time; `ratio_cpu` is the same in this process's processor time, which a
busy machine disturbs less; then model loads and evaluated prompt tokens. Plain goes first on the long cases, ours on
the shipped ones.

--quick: two values of num_ctx, 6 trials, two cases of about 750 tokens, 16 tokens each.
"""

from __future__ import annotations

import argparse
import json
import random
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

MODEL = "smollm2:135m"
NUM_CTX = (2048, 3072, 4096)
TOKENS_PER_CASE, QUICK_TOKENS = 1500, 750
SEED = 7
SYSTEM = "You write summaries of work conversations. Keep every decision, number, name and deadline."
COLUMNS = ("seconds", "cpu_seconds", "loads", "prefill_tokens", "warmups")


class Counted:
    """An engine whose loads and evaluated prompt tokens are counted."""

    def __init__(self, engine: Any) -> None:
        self._engine = engine
        self.loads = self.prefill_tokens = 0

    def __getattr__(self, name: str) -> Any:
        return getattr(self._engine, name)

    def generate(self, *arguments: Any, **named: Any) -> Any:
        """See `Engine.generate`."""
        answer = self._engine.generate(*arguments, **named)
        self.loads += answer.timing.load > 0
        self.prefill_tokens += answer.prompt_tokens - answer.cached_tokens
        return answer


def prompt_of(log: str) -> Any:
    from sweeps.engines.base import Prompt

    return Prompt(user=f"Summarise the conversation below in at most 120 words.\n\n{log}\n\nSummary:", system=SYSTEM)


def shipped(count: int) -> dict[str, str]:
    """Logs by case."""
    from objectives import load_cases

    return {case.name: case.log for case in load_cases("engineering-chats")[:count]}


def joined(count: int, tokens: int, engine: Any) -> dict[str, str]:
    """Logs of about so many tokens: each begins with another shipped log and goes on with the next, cut at a line."""
    logs = list(shipped(sys.maxsize).values())
    made = {}
    for number in range(count):
        lines = "\n\n".join(logs[(number + i) % len(logs)] for i in range(len(logs))).splitlines()
        low, high = 1, len(lines)  # the most lines that fit
        while low < high:
            middle = (low + high + 1) // 2
            prompt = prompt_of("\n".join(lines[:middle]))
            fits = engine.count_tokens(prompt, model=MODEL, options={"num_ctx": NUM_CTX[-1]}) <= tokens
            low, high = (middle, high) if fits else (low, middle - 1)
        made[f"long-{number + 1}"] = "\n".join(lines[:low])
    return made


def tasks(logs: dict[str, str], trials: int, contexts: Sequence[int], num_predict: int) -> list[Any]:
    """One generation of each trial on each case, in the plain order."""
    from sweeps.hosts.task import Task
    from sweeps.ledger.records import Place
    from sweeps.options import Configuration

    draw = random.Random(SEED)
    num_ctx = [contexts[number % len(contexts)] for number in range(trials)]
    draw.shuffle(num_ctx)
    made = []
    for number in range(trials):
        options = {
            "temperature": round(draw.uniform(0.1, 1.2), 2),
            "top_k": draw.randint(5, 80),
            "top_p": round(draw.uniform(0.5, 1.0), 2),
            "repeat_penalty": round(draw.uniform(1.0, 1.3), 2),
            "num_ctx": num_ctx[number],
            "num_predict": num_predict,
        }
        configuration = Configuration(MODEL, "brief", options)
        made += [
            Task(Place("explore", number, "", name, 10_000 + 100 * number), configuration, prompt_of(log))
            for name, log in logs.items()
        ]
    return made


def run_plain(engine: Any, work: Sequence[Any]) -> int:
    """Send the requests as they come; returns the number of warm-ups, which is none."""
    for task in work:
        engine.generate(task.prompt, task.options, model=MODEL)
    return 0


def run_ours(engine: Any, work: Sequence[Any]) -> int:
    """Send the requests as a sweep does; returns the number of warm-ups."""
    from sweeps.fingerprints.capture import take
    from sweeps.hosts.host import Host
    from sweeps.hosts.order import order
    from sweeps.ledger.ledger import Ledger

    host = Host(engine, {MODEL: take(engine, MODEL)})
    with tempfile.TemporaryDirectory() as directory:
        ledger = Ledger(Path(directory) / "ledger.db")
        for task in order(work, engine.reload_options):
            host.generate(ledger, task)
        ledger.close()
    return host.clock.warmups


def measure(work: Sequence[Any], orders: Sequence[str]) -> dict[str, dict[str, float]]:
    """Both orders, one after the other, each with an engine of its own."""
    from sweeps.engines.llamacpp import LlamaCppEngine

    rows: dict[str, dict[str, float]] = {}
    for name in orders:
        engine = Counted(LlamaCppEngine())
        wall, cpu = time.perf_counter(), time.process_time()
        warmups = (run_plain if name == "plain" else run_ours)(engine, work)
        wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
        engine.close()
        values = (wall, cpu, engine.loads, engine.prefill_tokens, warmups)
        rows[name] = dict(zip(COLUMNS, values, strict=True))
    return rows


def ratios(rows: dict[str, dict[str, float]]) -> dict[str, Any]:
    plain, ours = rows["plain"], rows["ours"]
    named = {"": "seconds", "_cpu": "cpu_seconds", "_loads": "loads", "_prefill_tokens": "prefill_tokens"}
    return {f"ratio{suffix}": plain[key] / ours[key] for suffix, key in named.items()} | {"runs": rows}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="a small set, under a minute on a quiet machine")
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    parser.add_argument("--cases", type=int, help="number of cases (default 6)")
    parser.add_argument("--trials", type=int, help="number of trials (default 12)")
    parser.add_argument("--predict", type=int, help="num_predict (default 48)")
    parser.add_argument("--only", choices=("long", "shipped"), help="measure one kind of cases only")
    given = parser.parse_args()
    from sweeps.engines.llamacpp import LlamaCppEngine

    cases = given.cases or (2 if given.quick else 6)
    trials = given.trials or (6 if given.quick else 12)
    num_predict = given.predict or (16 if given.quick else 48)
    contexts = NUM_CTX[:2] if given.quick else NUM_CTX
    tokens = QUICK_TOKENS if given.quick else TOKENS_PER_CASE
    kinds = [given.only] if given.only else ["long"] if given.quick else ["long", "shipped"]
    figures: dict[str, Any] = {"cases": cases, "trials": trials, "num_predict": num_predict, "num_ctx": contexts}
    for kind in kinds:
        if kind == "long":
            counter = LlamaCppEngine()
            logs = joined(cases, tokens, counter)
            counter.close()
            figures |= ratios(measure(tasks(logs, trials, contexts, num_predict), ("plain", "ours")))
        else:
            work = tasks(shipped(cases), trials, contexts, num_predict)
            figures["shipped"] = ratios(measure(work, ("ours", "plain")))
    if given.json:
        print(json.dumps(figures))
        return 0
    print(f"{trials} trials x {cases} cases, num_ctx {', '.join(map(str, contexts))}, num_predict {num_predict}")
    print(f"{'':<16}" + "".join(f"{column:>16}" for column in COLUMNS))
    for kind in kinds:
        part = figures if kind == "long" else figures["shipped"]
        for name in ("plain", "ours"):
            print(f"{kind + ', ' + name:<16}" + "".join(f"{part['runs'][name][column]:>16,.1f}" for column in COLUMNS))
        found = (part[f"ratio{suffix}"] for suffix in ("", "_cpu", "_loads", "_prefill_tokens"))
        print(f"{'  plain / ours':<16}" + "".join(f"{ratio:>16.2f}" for ratio in found))
    return 0


if __name__ == "__main__":
    sys.exit(main())
