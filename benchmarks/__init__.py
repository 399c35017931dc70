"""Benchmarks: each prints a table, with `--json` one JSON object on the last line."""
