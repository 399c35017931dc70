"""Sweeps against rival searches on simulated surfaces."""
