"""Search of a study: Optuna's trials, from proposal to stored result."""
