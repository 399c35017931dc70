"""The time that the order of requests saves.

    python -m benchmarks.speed.request_order [--quick] [--json] [--cases N] [--trials N] [--predict N]
        [--only long|shipped] [--engine scripted]

The same requests (configuration, case, seed) run twice on the embedded engine, each time from a fresh load:

* `plain`: as a loop over Optuna's trials sends them: trial by trial, in each case by case, without warm-ups.
* `ours`: in the order of `sweeps.hosts.order`, through the `sweeps.hosts.host.Host` that a sweep uses, warm-ups
included.

The trials' options are drawn at random, with each of three values of num_ctx equally often, as in one batch of a sweep
that searches num_ctx. `long` cases are made by joining shipped logs to about 1,500 tokens; `shipped` ones are used as
they are. `ratio` is plain over ours in wall time; `ratio_cpu` is the same in this process's processor time, which a
busy machine disturbs less; then model loads and evaluated prompt tokens. Plain goes first on the long cases, ours on
the shipped ones.

--quick: two values of num_ctx, 6 trials, two cases of about 750 tokens, 16 tokens each. --engine scripted: simulated
loads and tokens, without a model.
"""

from __future__ import annotations

import random
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

from benchmarks import command

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
        return self._counted(self._engine.generate(*arguments, **named))

    def warm_up(self, *arguments: Any, **named: Any) -> Any:
        """See `Engine.warm_up`."""
        return self._counted(self._engine.warm_up(*arguments, **named))

    def _counted(self, answer: Any) -> Any:
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
    """Send the requests in the plain order; returns the number of warm-ups, which is 0."""
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


def opener(kind: str) -> Callable[[], Any]:
    """Opens an engine from a fresh load: `llamacpp` or `scripted`."""
    if kind == "scripted":
        from sweeps.engines.scripted.engine import ScriptedEngine

        return lambda: ScriptedEngine(models=(MODEL,))
    from sweeps.engines.llamacpp import LlamaCppEngine

    return LlamaCppEngine


def measure(new_engine: Callable[[], Any], work: Sequence[Any], orders: Sequence[str]) -> dict[str, dict[str, float]]:
    """Both orders, one after the other, each with an engine of its own."""
    rows: dict[str, dict[str, float]] = {}
    for name in orders:
        engine = Counted(new_engine())
        wall, cpu = time.perf_counter(), time.process_time()
        warmups = (run_plain if name == "plain" else run_ours)(engine, work)
        wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
        engine.close()
        values = (wall, cpu, engine.loads, engine.prefill_tokens, warmups)
        rows[name] = dict(zip(COLUMNS, values, strict=True))
    return rows


def ratios(rows: dict[str, dict[str, float]]) -> dict[str, Any]:
    """The plain order's figures over ours, and the figures themselves."""
    plain, ours = rows["plain"], rows["ours"]
    named = {"": "seconds", "_cpu": "cpu_seconds", "_loads": "loads", "_prefill_tokens": "prefill_tokens"}
    return {f"ratio{suffix}": plain[key] / ours[key] for suffix, key in named.items()} | {"runs": rows}


def table(figures: dict[str, Any], kinds: Sequence[str]) -> Iterator[str]:
    """The figures as text."""
    contexts, num_predict = ", ".join(map(str, figures["num_ctx"])), figures["num_predict"]
    yield f"{figures['trials']} trials x {figures['cases']} cases, num_ctx {contexts}, num_predict {num_predict}"
    yield f"{'':<16}" + "".join(f"{column:>16}" for column in COLUMNS)
    for kind in kinds:
        part = figures if kind == "long" else figures["shipped"]
        for name in ("plain", "ours"):
            yield f"{kind + ', ' + name:<16}" + "".join(f"{part['runs'][name][column]:>16,.1f}" for column in COLUMNS)
        found = (part[f"ratio{suffix}"] for suffix in ("", "_cpu", "_loads", "_prefill_tokens"))
        yield f"{'  plain / ours':<16}" + "".join(f"{ratio:>16.2f}" for ratio in found)


def main(argv: list[str] | None = None) -> int:
    """Run the benchmark; returns the exit code."""
    parser = command.parser(__doc__, quick="a small set, under a minute on a quiet machine")
    parser.add_argument("--cases", type=int, help="number of cases (default 6)")
    parser.add_argument("--trials", type=int, help="number of trials (default 12)")
    parser.add_argument("--predict", type=int, help="num_predict (default 48)")
    parser.add_argument("--only", choices=("long", "shipped"), help="measure one kind of cases only")
    parser.add_argument("--engine", choices=("llamacpp", "scripted"), default="llamacpp", help="default llamacpp")
    given = parser.parse_args(argv)
    if given.engine == "llamacpp" and (reason := command.missing_model()):
        return command.skip(given, reason)
    cases = given.cases or (2 if given.quick else 6)
    trials = given.trials or (6 if given.quick else 12)
    num_predict = given.predict or (16 if given.quick else 48)
    contexts = NUM_CTX[:2] if given.quick else NUM_CTX
    tokens = QUICK_TOKENS if given.quick else TOKENS_PER_CASE
    kinds = [given.only] if given.only else ["long"] if given.quick else ["long", "shipped"]
    figures: dict[str, Any] = {"cases": cases, "trials": trials, "num_predict": num_predict, "num_ctx": contexts}
    new_engine = opener(given.engine)
    for kind in kinds:
        if kind == "long":
            counter = new_engine()
            logs = joined(cases, tokens, counter)
            counter.close()
            figures |= ratios(measure(new_engine, tasks(logs, trials, contexts, num_predict), ("plain", "ours")))
        else:
            work = tasks(shipped(cases), trials, contexts, num_predict)
            figures["shipped"] = ratios(measure(new_engine, work, ("ours", "plain")))
    return command.show(given, figures, table(figures, kinds))


if __name__ == "__main__":
    sys.exit(main())
