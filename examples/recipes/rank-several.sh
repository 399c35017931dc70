# Rank several configurations
#
# All in order, with the places that the data leave open: two with the same span cannot be told apart.
#
# Run: bash examples/recipes/rank-several.sh
# Shows: rank 95%
# Runs on: a recorded table of SmolLM2-135M: four configurations, 6 cases, 10 seeds
sweeps rank examples/look_at_results.csv --baseline "temperature 0.8, repeat_penalty 1.1"
