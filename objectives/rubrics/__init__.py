"""Tools for authors of rubrics: check a set, draft a rubric for a log, import a list of items."""

from objectives.rubrics.draft import Candidate, candidates_from_model, find_candidates
from objectives.rubrics.item_lists import ImportedItem, read_items
from objectives.rubrics.quality import RubricFinding, RubricReport, check_cases, estimate_tokens
from objectives.rubrics.rubric_files import render_rubric, write_case, write_files

__all__ = [
    "Candidate",
    "ImportedItem",
    "RubricFinding",
    "RubricReport",
    "candidates_from_model",
    "check_cases",
    "estimate_tokens",
    "find_candidates",
    "read_items",
    "render_rubric",
    "write_case",
    "write_files",
]
