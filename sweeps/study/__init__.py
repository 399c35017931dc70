"""A study: floor, exploration, confirmation."""
