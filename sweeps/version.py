"""The version of slm-sweeps."""

__version__ = "0.1.0"
