# Does this machine repeat its texts?
#
# The audit asks for the same texts again, after a load, and with several requests at once, and says what changes them. With
# --host it asks your servers; here it asks the embedded engine.
#
# Run: bash examples/recipes/audit-embedded.sh
# Shows: repeat
# Runs on: the embedded engine (SmolLM2-135M in this process); 19 generations, the slowest recipe
sweeps audit --engine llamacpp --quick --no-tracking
