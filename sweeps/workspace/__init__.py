"""Where the files of sweeps are."""
