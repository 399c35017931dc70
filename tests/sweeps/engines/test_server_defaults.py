"""Defaults of servers by version, held against what the recordings of real servers show."""

import pytest

from sweeps.engines.server_defaults import server_defaults


@pytest.mark.parametrize(
    ("version", "penalty", "num_ctx"),
    [
        ("0.5.13", 1.1, 2048),
        ("0.6.6", 1.1, 2048),
        ("0.6.8", 1.1, 4096),
        ("0.15.5", 1.1, None),
        ("0.32.9", 1.1, None),
        ("0.32.10", 1.0, None),
        ("0.33.0-rc2", 1.0, None),
        ("0.0.0", 1.0, None),
    ],
)
def test_what_moves_with_the_version(version: str, penalty: float, num_ctx: int | None) -> None:
    found = server_defaults("ollama", version)
    assert (found["repeat_penalty"], found.get("num_ctx")) == (penalty, num_ctx)
    assert (found["temperature"], found["top_p"], found["top_k"], found["typical_p"]) == (0.8, 0.9, 40, 1.0)
    assert "num_predict" not in found


def test_the_openai_path_and_engines_that_are_no_servers() -> None:
    found = server_defaults("openai", "0.32.9")
    assert (found["temperature"], found["top_p"], found["repeat_penalty"]) == (1.0, 1.0, 1.1)
    assert server_defaults("llamacpp", "1") == server_defaults("scripted", None) == {}
