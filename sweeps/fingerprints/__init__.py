"""Fingerprints of host, engine and model."""
