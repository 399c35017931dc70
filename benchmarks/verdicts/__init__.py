"""Error rates, power and coverage of the verdicts."""
