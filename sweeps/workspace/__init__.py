"""The places of a sweep's files, databases and locks."""
