"""The scripted engine: simulated texts with noise and faults."""
