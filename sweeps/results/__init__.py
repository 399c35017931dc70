"""Results of a study, read from its ledger."""
