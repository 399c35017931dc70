"""Power, detectable gains and plans."""
