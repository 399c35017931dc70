"""Planned looks at a comparison before its end."""
