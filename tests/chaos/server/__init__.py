"""A server that fails, restarts or cannot be reached while a sweep runs."""
