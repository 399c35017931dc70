"""The Optuna search of a study."""
