"""Probes: which options act on a host."""
