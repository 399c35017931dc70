"""Tools for people who write rubrics: check a set, draft a rubric for a log, import a list of items."""

from objectives.rubrics.check import CheckReport, Finding, check_cases, estimate_tokens
from objectives.rubrics.draft import Candidate, candidates_from_model, find_candidates
from objectives.rubrics.importing import ImportedItem, read_items
from objectives.rubrics.writing import render_rubric, write_case, write_files

__all__ = [
    "Candidate",
    "CheckReport",
    "Finding",
    "ImportedItem",
    "candidates_from_model",
    "check_cases",
    "estimate_tokens",
    "find_candidates",
    "read_items",
    "render_rubric",
    "write_case",
    "write_files",
]
