"""MLflow's side for language models: traces, prompt versions and data sets."""
