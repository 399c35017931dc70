# Use the new settings in a pipeline
#
# The export holds the settings only if they are shown better. A shell pipeline reads them as variables, and the
# comments in the file say on which evidence they rest.
#
# Run: bash examples/recipes/export-to-pipeline.sh
# Shows: the pipeline runs with OLLAMA_TEMPERATURE=0.
# Runs on: the scripted engine
sweeps run examples/recipes/temperature-sweep.toml --quiet --no-tracking
sweeps export temperature --format env
. mlruns/sweeps/temperature/production.env
echo "the pipeline runs with OLLAMA_TEMPERATURE=$OLLAMA_TEMPERATURE"
