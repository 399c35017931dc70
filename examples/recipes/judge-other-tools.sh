# Judge results of promptfoo and inspect
#
# The files that these tools write are read as they are. Where there are several scores, --score chooses one.
#
# Run: bash examples/recipes/judge-other-tools.sh
# Shows: not distinguishable
# Runs on: recorded results of promptfoo 0.121.20 and inspect 0.3.285
sweeps judge tests/data/tables/promptfoo/results.json --from promptfoo --score pass --baseline plain
sweeps judge tests/data/tables/inspect/*.eval --from inspect --score match --baseline temperature=0.2
