"""Matchers: decide whether a text says what an item says."""

from objectives.matchers.base import Match, Matcher, ObjectiveError

__all__ = ["Match", "Matcher", "ObjectiveError"]
