"""The sampler in the form that OptunaHub loads: a module with the class."""

from sweeps.samplers.gp import NoiseAwareSampler

__all__ = ["NoiseAwareSampler"]
