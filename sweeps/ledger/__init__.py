"""The ledger: every request, text and score."""
