"""Bisection: what made alike removes the difference of two ways to ask."""
