"""Numbers that only the report shows, in figures and tables."""
