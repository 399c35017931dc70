"""Comparison of folders of existing summaries."""
