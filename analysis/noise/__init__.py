"""Run-to-run noise of a configuration."""
