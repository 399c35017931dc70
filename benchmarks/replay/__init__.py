"""Sweeps replayed on real generations."""
