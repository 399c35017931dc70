"""Compare two configurations: tests, intervals, corrections."""
