# A score of your own
#
# Any function of a case and a text that returns a number from 0 to 1 is a score. This one counts the names of the
# conversation that a text keeps.
#
# Run: python examples/recipes/custom-objective.py
# Shows: on these 2 cases
# Runs on: the scripted engine
"""A sweep with a score of its own."""

from sweeps import Sweep


def names_kept(case, text):
    """The share of the names in the log that the text keeps."""
    names = {line.split(":")[0] for line in case.log.splitlines() if ":" in line}
    names = {name for name in names if name.isalpha()}
    return sum(name in text for name in names) / max(1, len(names))


tables = {
    "study": {"name": "names-kept", "seed": 42},
    "engine": {"kind": "scripted"},
    "prompts": {"brief": "Summarise this conversation:\n\n{log}"},
    "objective": {"cases": "engineering-chats", "names": ["database-upgrade", "webhook-backlog"]},
    "baseline": {"model": "scripted", "temperature": 1.2},
    "space": {"temperature": {"low": 0.1, "high": 1.5}},
    "search": {"sampler": "tpe"},
    "budget": {"generations": 60},
}
result = Sweep.from_dict(tables, objective=names_kept, tracking=False, report=False).run()
print(result.use_now.text)
print(result.verdict.sentence)
