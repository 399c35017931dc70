"""Configurations of sweeps: from the TOML file to a valid sweep."""
