"""Candidates of a comparison in place of an exploration's finalists."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from sweeps.search.trial import Proposal, stored_proposals
from sweeps.study.stages import Stages


def candidates_to_compare(stages: Stages) -> Sequence[Proposal]:
    """Return the candidates as proposals, numbered in the order in which the study began with them, and keep them."""
    proposals = stored_proposals(stages.ledger, stages.name)
    if not proposals:
        baseline = stages.config.baseline
        proposals = [
            Proposal(number, candidate.configuration(baseline), {}, candidate.name)
            for number, candidate in enumerate(stages.config.candidates)
        ]
        stages.ledger.proposals.add(stages.name, 0, [proposal.as_record() for proposal in proposals])
    numbers = tuple(proposal.number for proposal in proposals)
    stages.update(lambda record: replace(record, finalists=numbers))
    stages.configurations.update({proposal.number: proposal.configuration for proposal in proposals})
    return proposals
