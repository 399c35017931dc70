"""Changes between fingerprints."""

from sweeps.fingerprints.changes import equal_models, equal_weights, fingerprint_changes
from sweeps.fingerprints.fingerprint import Fingerprint
from tests.sweeps.fingerprints.examples import M4, OLLAMA, QWEN


def test_facts_of_a_loaded_model_are_no_change():
    old, new = (
        Fingerprint({"host": M4, "engine": OLLAMA | engine, "model": QWEN})
        for engine in ({"num_ctx": 4096}, {"version": "0.1.0"})
    )
    (line,) = fingerprint_changes({"m": old}, {"m": new})
    assert line == f"engine.version: was {OLLAMA['version']}, is 0.1.0"


def with_model(**model):
    return Fingerprint({"host": M4, "engine": OLLAMA, "model": QWEN | model})


class TestUnequalDigests:
    """One GGUF under two versions of Ollama: other digests and another file with the same tensors."""

    OLD = with_model(digest="a" * 64, weights_sha256="b" * 64, tensors_sha256="e" * 64)

    def note(self, old, new):
        line, *_ = fingerprint_changes({"m": old}, {"m": new})
        assert line.startswith("model.digest: was ")
        return line.partition(" (")[2].rstrip(")")

    def test_the_tensors_decide_where_they_are_known(self):
        rewritten = with_model(digest="c" * 64, weights_sha256="d" * 64, tensors_sha256="e" * 64)
        other = with_model(digest="c" * 64, weights_sha256="d" * 64, tensors_sha256="f" * 64)
        assert self.note(self.OLD, rewritten) == "the weights are equal"
        assert self.note(self.OLD, other) == "the weights differ"
        assert (equal_weights(self.OLD, rewritten), equal_weights(self.OLD, other)) == (True, False)

    def test_one_file_needs_no_look_at_the_tensors(self):
        one, other = (with_model(digest=digit * 64, weights_sha256="b" * 64) for digit in "ac")
        assert equal_weights(one, other) is True
        assert equal_weights(with_model(digest="a" * 64), with_model(digest="c" * 64)) is None

    def test_else_it_is_unknown_and_said_to_be(self):
        unread = with_model(digest="c" * 64, weights_sha256="d" * 64)
        assert equal_weights(self.OLD, unread) is None
        assert "may hold equal weights" in self.note(self.OLD, unread)

    def test_equal_models_are_equal_beside_their_weights_too(self):
        facts = {"digest": "c" * 64, "weights_sha256": "d" * 64, "tensors_sha256": "e" * 64}
        assert equal_models(self.OLD, with_model(**facts))
        for name in ("template_sha256", "system_sha256", "parameters_text"):
            assert not equal_models(self.OLD, with_model(**facts, **{name: "other"}))
        two = [with_model(**facts, parameters_text=text) for text in ("top_k 3\nstop x", "stop x\ntop_k 3")]
        assert equal_models(*two)  # the server gives them in any order
