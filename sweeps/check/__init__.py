"""Check a sweep before it runs."""
