"""Numbers that only figures of the report show."""
