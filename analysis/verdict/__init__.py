"""The verdict of a comparison and the sentences that state it."""
