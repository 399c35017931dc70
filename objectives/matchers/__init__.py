"""Matchers, which decide whether a text states an item's fact."""

from objectives.matchers.base import Match, Matcher, ObjectiveError

__all__ = ["Match", "Matcher", "ObjectiveError"]
