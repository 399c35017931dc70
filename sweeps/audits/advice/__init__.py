"""Advice of an audit: settings and versions for reproducible runs, also as files."""
