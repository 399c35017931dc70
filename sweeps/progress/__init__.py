"""The progress of a sweep: who is informed while it runs. This import stays cheap; the displays are imported on use."""

from sweeps.progress.base import Progress, Silent, Standing

__all__ = ["Progress", "Silent", "Standing"]
