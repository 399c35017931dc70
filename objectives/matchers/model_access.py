"""Access to models for the matchers that ask one. The engines are above this package: access is given from there."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Never, Protocol, TypeAlias

from objectives.matchers.base import ObjectiveError

if TYPE_CHECKING:
    from numpy.typing import ArrayLike

Embed: TypeAlias = "Callable[[list[str]], ArrayLike]"
"""Texts in, one vector each out, in the same order."""

ChatJson: TypeAlias = Callable[[str, Mapping[str, Any], int], Any]
"""A prompt, a JSON schema and a turn in, the parsed answer out. Each vote and each try about a text has a turn of its
own, counted from 0: another turn draws another answer, the same turn may repeat the previous one."""


class ModelAccess(Protocol):
    """The way to the models of matchers, such as `sweeps.scoring.engine_models.EngineModels`."""

    def embedder(self, model: str, host: str | None) -> Embed:
        """Return the embedding function of a served model; `host` is the matcher's own setting, often None."""
        ...

    def gguf_embedder(self, path: Path) -> Embed:
        """Return the embedding function of a GGUF file."""
        ...

    def chat_json(self, model: str, host: str | None) -> ChatJson:
        """Return the chat function of a served model; `host` is the matcher's own setting, often None."""
        ...


class NoModels:
    """Access to no model: a matcher's settings can be checked, but the first text that it judges is an error."""

    def embedder(self, model: str, host: str | None) -> Embed:  # noqa: ARG002
        """Return a function that refuses."""
        return lambda _: _refuse(model)

    def gguf_embedder(self, path: Path) -> Embed:
        """Return a function that refuses."""
        return lambda _: _refuse(str(path))

    def chat_json(self, model: str, host: str | None) -> ChatJson:  # noqa: ARG002
        """Return a function that refuses."""
        return lambda _prompt, _schema, _turn: _refuse(model)


def _refuse(model: str) -> Never:
    raise ObjectiveError(
        f"the matcher asks model {model!r}, and the objective was made without access to models: give"
        " make_objective(models=...), for example sweeps.scoring.engine_models.EngineModels"
    )
