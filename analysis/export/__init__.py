"""Write a set of options for a pipeline."""
