# Stop and go on
#
# Every text is kept as soon as it arrives. Stop a sweep with Ctrl-C at any moment; the same command continues, and nothing
# is generated twice. Here `timeout` presses Ctrl-C after six seconds.
#
# Run: bash examples/recipes/resume.sh
# Shows: Use the new settings
# Runs on: the scripted engine, slowed down to 0.2 seconds a text
sed -e 's/^kind = "scripted".*/&\noptions = { delay = 0.2 }/' -e 's/^name = "temperature"/name = "resumed"/' \
  examples/recipes/temperature-sweep.toml > slow.toml
timeout --signal INT 6 sweeps run slow.toml --no-tracking
sweeps status resumed
sweeps run slow.toml --no-tracking
