"""The sweep's prompts in MLflow's prompt registry."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any

from sweeps.config.tables import LOG_MARK, PromptTable
from sweeps.tracking.run_tags import ConfigurationLike
from sweeps.tracking.store_connection import StoreConnection

ALIAS = "production"
"""Alias of the version that is exported."""

LINKED = "mlflow.linkedPrompts"
_OF_MLFLOW = {
    "temperature": "temperature",
    "top_p": "top_p",
    "top_k": "top_k",
    "frequency_penalty": "frequency_penalty",
    "presence_penalty": "presence_penalty",
    "num_predict": "max_tokens",
}
"""Options that MLflow's model configuration has too, with MLflow's names; the others keep Ollama's."""


def template_of(prompt: PromptTable) -> str | list[dict[str, str]]:
    """A prompt as MLflow's registry writes it: the log as `{{log}}`, and messages where there is a system message."""
    user, system = (
        None if text is None else text.replace(LOG_MARK, "{{log}}") for text in (prompt.user, prompt.system)
    )
    if system is None:
        return str(user)
    return [{"role": "system", "content": system}, {"role": "user", "content": str(user)}]


def model_config(configuration: ConfigurationLike) -> dict[str, Any]:
    """A configuration as MLflow's `model_config`; options that it does not know keep Ollama's names."""
    named: dict[str, Any] = {"provider": "ollama", "model_name": configuration.model}
    for name, value in configuration.options.items():
        known = _OF_MLFLOW.get(name)
        # MLflow takes no "no limit" (num_predict -1) and no "all" (top_k 0)
        named[known if known and (value > 0 or name == "temperature" or "penalty" in name) else name] = value
    return named


class PromptVersions:
    """The prompts of one study.

    Args:
        connection: An open store.
        study: The study; a prompt's name in the registry is `STUDY.PROMPT`.
        experiment_id: Its experiment.
        prompts: The prompts by name.
    """

    def __init__(
        self, connection: StoreConnection, study: str, experiment_id: str, prompts: Mapping[str, PromptTable]
    ) -> None:
        self._connection, self._study, self._experiment_id = connection, study, experiment_id
        self._prompts = dict(prompts)
        self._versions: dict[str, int] = {}

    def name_of(self, prompt: str) -> str:
        """A prompt's name in the registry, which has letters, digits, `-`, `_` and `.` only."""
        return re.sub(r"[^A-Za-z0-9._-]", "_", f"{self._study}.{prompt}")

    def register(self) -> None:
        """Find the version of each prompt, or register it.

        Raises:
            Exception: As the store raises.
        """
        for prompt, table in self._prompts.items():
            self._versions[prompt] = self._version(prompt, table, {}, "as the sweep sends it")

    def tags(self, prompt: str) -> dict[str, str]:
        """Tags that link a run to its prompt's version; {} where it has none."""
        version = self._versions.get(prompt)
        if version is None:
            return {}
        return {LINKED: json.dumps([{"name": self.name_of(prompt), "version": str(version)}])}

    def export(self, configuration: ConfigurationLike, facts: Mapping[str, str], message: str) -> None:
        """Register the exported configuration as a version with `model_config` and the alias `production`.

        Args:
            configuration: The configuration.
            facts: Tags of the version.
            message: Its commit message.

        Raises:
            Exception: As the store raises.
        """
        table = self._prompts.get(configuration.prompt)
        if table is None:
            return
        version = self._version(configuration.prompt, table, dict(facts), message, model_config(configuration))
        self._connection.ready().set_prompt_alias(self.name_of(configuration.prompt), ALIAS, version)

    def withdraw(self) -> None:
        """Take the alias back, where no finalist is shown better any more."""
        client: Any = self._connection.ready()
        for name in map(self.name_of, self._prompts):
            there = client.get_prompt(name) is not None
            if there and ALIAS in client._get_registry_client().get_registered_model(name).aliases:
                client.delete_prompt_alias(name, ALIAS)

    def _version(
        self,
        prompt: str,
        table: PromptTable,
        facts: dict[str, str],
        message: str,
        config: dict[str, Any] | None = None,
    ) -> int:
        """Find a version with this template and configuration, or register one."""
        template = template_of(table)
        for each in self._existing(prompt):
            same = each.template == template and (each.model_config or None) == config
            if same and all(each.tags.get(name) == value for name, value in facts.items()):
                return int(each.version)
        return self._registered(self.name_of(prompt), template, facts, message, config)

    def _registered(
        self,
        name: str,
        template: str | list[dict[str, str]],
        facts: Mapping[str, str],
        message: str,
        config: Mapping[str, Any] | None,
    ) -> int:
        """Register a version as `register_prompt` does; that function links it to the default experiment as well."""
        from mlflow.prompt import constants

        mark = {constants.IS_PROMPT_TAG_KEY: "true"}
        kind = constants.PROMPT_TYPE_TEXT if isinstance(template, str) else constants.PROMPT_TYPE_CHAT
        tags = mark | {
            **facts,
            "study": self._study,
            constants.PROMPT_TYPE_TAG_KEY: kind,
            constants.PROMPT_TEXT_TAG_KEY: template if isinstance(template, str) else json.dumps(template),
        }
        if config:
            tags[constants.PROMPT_MODEL_CONFIG_TAG_KEY] = json.dumps(config)
        client: Any = self._connection.ready()
        registry = client._get_registry_client()
        if client.get_prompt(name) is None:
            own = {"study": self._study, constants.PROMPT_EXPERIMENT_IDS_TAG_KEY: f",{self._experiment_id},"}
            registry.create_registered_model(name, tags=mark | own, description=f"Prompt of study {self._study}")
        made = registry.create_model_version(name, "dummy-source", tags=tags, description=message)
        return int(made.version)

    def _existing(self, prompt: str) -> list[Any]:
        from mlflow.prompt.registry_utils import model_version_to_prompt_version

        name = self.name_of(prompt)
        ours = f"name = '{name}' AND tags.`mlflow.prompt.is_prompt` = 'true'"
        found = self._connection.ready().search_model_versions(ours)
        return [model_version_to_prompt_version(each, prompt_tags={}) for each in found]
