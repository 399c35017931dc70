"""The doctor: ledger, Optuna's trials, MLflow's runs and files of studies, checked against each other."""
