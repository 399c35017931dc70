"""Changes between fingerprints."""

from sweeps.fingerprints.changes import fingerprint_changes
from sweeps.fingerprints.fingerprint import Fingerprint
from tests.sweeps.fingerprints.examples import M4, OLLAMA, QWEN


def test_facts_of_a_loaded_model_are_no_change():
    old, new = (
        Fingerprint({"host": M4, "engine": OLLAMA | engine, "model": QWEN})
        for engine in ({"num_ctx": 4096}, {"version": "0.1.0"})
    )
    (line,) = fingerprint_changes({"m": old}, {"m": new})
    assert line == f"engine.version: was {OLLAMA['version']}, is 0.1.0"
