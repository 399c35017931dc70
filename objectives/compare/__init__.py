"""Compare folders of existing summaries."""
