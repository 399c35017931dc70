# A loop in Python
#
# The same sweep for several baselines. `with_` makes a checked copy with another name, and texts that the ledger has
# are reused.
#
# Run: python examples/recipes/python-loop.py
# Shows: baseline at temperature 1.2: better
# Runs on: the scripted engine
"""One sweep for each of several baselines."""

from sweeps import Sweep

tables = {
    "study": {"name": "loop", "seed": 42},
    "engine": {"kind": "scripted"},
    "prompts": {"brief": "Summarise this conversation:\n\n{log}"},
    "objective": {"cases": "engineering-chats", "names": ["database-upgrade", "webhook-backlog"]},
    "baseline": {"model": "scripted", "temperature": 0.8},
    "space": {"temperature": {"low": 0.1, "high": 1.5}},
    "search": {"sampler": "tpe"},
    "budget": {"generations": 44},
}
first = Sweep.from_dict(tables, tracking=False, report=False).config
for temperature in (0.4, 1.2):
    config = first.with_(study={"name": f"loop-{temperature}"}, baseline={"temperature": temperature})
    result = Sweep(config, tracking=False, report=False, progress=None).run()
    print(f"baseline at temperature {temperature}: {result.verdict.outcome}, {result.verdict.effect:+.3f}")
