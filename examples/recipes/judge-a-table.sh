# Judge a table of scores
#
# No sweep and no model: any table with configuration, case, seed and score. The command says which settings to use,
# and with --expect it fails a script unless the answer is the expected one.
#
# Run: bash examples/recipes/judge-a-table.sh
# Shows: better: new is better than old
# Runs on: a recorded table, 4 cases and 10 seeds for each of two prompts
sweeps judge examples/ci/scores.csv --baseline old
sweeps judge examples/ci/scores.csv --baseline old --expect better --json > verdict.json
