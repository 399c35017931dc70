"""The rivals that sweeps are measured against: usual ways to tune options, and other searches."""
