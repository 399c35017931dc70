"""The reproducibility audit: are these hosts the same, what differs, and what to pin."""
