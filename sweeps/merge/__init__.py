"""Folders of sweeps from several machines, merged into one."""
