"""What the site has beyond the pages in this folder: references from the code, recipes, and files that pages link to.

MkDocs calls the functions `on_...`. A link that leaves `docs/` works on a git host as it stands; the site has a copy of
the file, or a list of the folder. References are made from the program at each build.
"""

from __future__ import annotations

import importlib.util
import json
import logging
import posixpath
import re
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path
from types import ModuleType
from typing import Any, NamedTuple

import click

ROOT = Path(__file__).resolve().parent.parent
RECIPES = ROOT / "examples" / "recipes"
_AUDIT = "../images/terminal/audit.svg"
_LINK = re.compile(r"(\]\()([^)\s#]+)((?:#[^)\s]*)?\))")
_log = logging.getLogger("mkdocs.hooks.site_hooks")
_MARK = "<!-- made by docs/site_hooks.py -->"


def on_files(files: Any, config: Any) -> Any:
    """Add the files outside of `docs/` to which pages link, and the page of each recipe."""
    from mkdocs.structure.files import File

    for recipe in recipes():
        files.append(File.generated(config, f"recipes/{recipe.name}.md", content=recipe.page()))
        if recipe.recorded.exists():
            files.append(File.generated(config, f"recipes/{recipe.name}.svg", content=recipe.picture()))
    for name in sorted(linked_files()):
        if (ROOT / name).suffix == ".md":
            files.append(File.generated(config, f"repository/{name}", content=(ROOT / name).read_text("utf-8")))
        elif (ROOT / name).is_file():
            files.append(File.generated(config, f"repository/{name}", content=(ROOT / name).read_bytes()))
        else:
            files.append(File.generated(config, f"repository/{name}/files.md", content=_listing(name)))
    return files


def on_page_markdown(markdown: str, page: Any, **_: Any) -> str:
    """Fill in a reference, and let links that leave `docs/` lead to the site's copies."""
    source = page.file.src_uri
    if source in GENERATED:
        markdown = markdown.replace(_MARK, GENERATED[source]())
    return _LINK.sub(lambda found: found[1] + site_target(source, found[2]) + found[3], markdown)


def on_post_page(output: str, page: Any, **_: Any) -> str:
    """Warn of anything that a browser would fetch from elsewhere; a strict build then fails."""
    for address in foreign_parts(output):
        _log.warning("%s would fetch %s from the network", page.file.src_uri, address)
    return output


def foreign_parts(html: str) -> list[str]:
    """Addresses on other hosts of scripts, pictures, frames, style sheets and fonts of a page; links do not count."""
    sources = re.findall(r"<(?:script|img|iframe|source|video|audio)\b[^>]*\bsrc=\"?((?:https?:)?//[^\s\">]+)", html)
    return sources + re.findall(r"<link\b(?![^>]*rel=\"?canonical)[^>]*\bhref=\"?((?:https?:)?//[^\s\">]+)", html)


def site_target(source: str, target: str) -> str:
    """Where a link leads on the site: `target`, or the site's copy of a file outside of `docs/`."""
    if re.match(r"[a-z]+:", target):
        return target
    name = repository_name(source, target)
    if name in (pages := {f"examples/recipes/{recipe.file}": f"recipes/{recipe.name}.md" for recipe in recipes()}):
        place = pages[name]
    elif name.startswith("docs/"):
        place = name.removeprefix("docs/")
    elif (ROOT / name).is_dir():
        place = f"repository/{name}/files.md"
    elif (ROOT / name).is_file():
        place = f"repository/{name}"
    else:
        return target
    return posixpath.relpath(place, posixpath.dirname(source))


def repository_name(source: str, target: str) -> str:
    """The path in the repository that a link means; pages under `repository/` stand where they stand there."""
    base = source.removeprefix("repository/") if source.startswith("repository/") else f"docs/{source}"
    return posixpath.normpath(posixpath.join(posixpath.dirname(base), target))


@cache
def linked_files() -> frozenset[str]:
    """Files and folders outside of `docs/` to which a page, or a page that it links to, leads."""
    found: set[str] = set()
    waiting = [path.relative_to(ROOT).as_posix() for path in (ROOT / "docs").rglob("*.md")]
    while waiting:
        page = waiting.pop()
        source = page.removeprefix("docs/") if page.startswith("docs/") else f"repository/{page}"
        for _, target, _ in _LINK.findall((ROOT / page).read_text("utf-8")):
            if re.match(r"[a-z]+:", target):
                continue
            name = repository_name(source, target)
            if name.startswith((".", "docs/")) or name in found or not (ROOT / name).exists():
                continue
            found.add(name)
            inner = sorted((ROOT / name).iterdir()) if (ROOT / name).is_dir() else [ROOT / name]
            for path in inner:
                if path.is_file():
                    found.add(path.relative_to(ROOT).as_posix())
                    if path.suffix == ".md":
                        waiting.append(path.relative_to(ROOT).as_posix())
    return frozenset(found)


def _listing(name: str) -> str:
    """A page with the files of a folder of the repository."""
    files = sorted(path.name for path in (ROOT / name).iterdir() if path.is_file())
    return f"# `{name}`\n\n" + "".join(f"- [{file}]({file})\n" for file in files)


# Recipes.


class Recipe(NamedTuple):
    """A file of `examples/recipes/`: its comment header says what it is.

    Attributes:
        file: Name of the file.
        title: First line of the header.
        about: The paragraphs of the header.
        facts: The lines `Run: ...`, `Shows: ...` and `Runs on: ...` by their names.
        body: The file without its header.
    """

    file: str
    title: str
    about: str
    facts: Mapping[str, str]
    body: str

    @classmethod
    def read(cls, path: Path) -> Recipe:
        """Read a recipe's file."""
        lines = path.read_text("utf-8").splitlines()
        count = next(number for number, line in enumerate(lines) if not line.startswith("#"))
        header = [line.removeprefix("#").strip() for line in lines[:count]]
        facts = dict(line.split(": ", 1) for line in header if re.match(r"(Run|Shows|Runs on): ", line))
        about = "\n".join(line for line in header[1:] if not re.match(r"(Run|Shows|Runs on): ", line)).strip()
        return cls(path.name, header[0], about, facts, "\n".join(lines[count:]).strip() + "\n")

    @property
    def name(self) -> str:
        """The name of its page."""
        return self.file.partition(".")[0]

    @property
    def recorded(self) -> Path:
        """The file of what it printed; some recipes have none."""
        return RECIPES / "output" / f"{self.name}.txt"

    def page(self) -> str:
        """The recipe's page: what it is for, the command, the file, and what was printed."""
        kind = {"toml": "toml", "py": "python", "sh": "sh"}[self.file.rpartition(".")[2]]
        parts = [
            f"# {self.title}\n\n{self.about}\n",
            f"```sh\n{self.facts['Run']}\n```\n",
            f"It runs on {self.facts['Runs on']}. Run it in a checkout of the repository.\n",
            f"## The file\n\n`examples/recipes/{self.file}`:\n\n```{kind}\n{self.body}```\n",
        ]
        if self.recorded.exists():
            about, place = f"What the recipe printed: {self.facts['Shows']}", f"{self.name}.svg"
        else:
            about, place = "An audit in the terminal: the same text, the same content, the same quality?", _AUDIT
        parts.append(f"## What it prints\n\n![{about}]({place})\n")
        return "\n".join(parts)

    def picture(self) -> str:
        """What it printed when it was recorded, as a picture of the terminal."""
        casts = _casts()
        recorded = self.recorded.relative_to(ROOT).as_posix()
        return str(casts.picture(f"recipe-{self.name}", casts.Cast(self.facts["Run"], recorded=recorded)))


@cache
def _casts() -> ModuleType:
    """The module beside this one; MkDocs does not have the repository's folder among those that it imports from."""
    spec = importlib.util.spec_from_file_location("site_casts", Path(__file__).with_name("casts.py"))
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@cache
def recipes() -> tuple[Recipe, ...]:
    """All recipes, in the order of the navigation."""
    names = re.findall(r"recipes/([\w-]+)\.md", (ROOT / "mkdocs.yml").read_text("utf-8"))
    files = {path.stem: path for path in RECIPES.iterdir() if path.is_file()}
    return tuple(Recipe.read(files[name]) for name in names if name != "index")


def recipe_table() -> str:
    """The list of all recipes."""
    rows = [
        f"| [{recipe.title}]({recipe.name}.md) | `{recipe.facts['Run']}` | {_cell(recipe.facts['Runs on'])} |"
        for recipe in recipes()
    ]
    return "\n".join(["| recipe | command | runs on |", "|---|---|---|", *rows])


# The references.


def commands() -> Iterator[tuple[str, click.Command]]:
    """Each command and subcommand with its name, such as `cases check`."""
    from sweeps.cli import sweeps

    context = click.Context(sweeps)
    for name in sweeps.list_commands(context):
        command = sweeps.get_command(context, name)
        assert command is not None
        yield name, command
        if isinstance(command, click.Group):
            yield from ((f"{name} {inner}", part) for inner, part in command.commands.items())


def cli_reference() -> str:
    """The page of commands: usage, help, arguments and options."""
    return "\n".join(_command_section(name, command) for name, command in commands())


def _command_section(name: str, command: click.Command) -> str:
    context = click.Context(command, info_name=f"sweeps {name}")
    usage = " ".join(["sweeps", name, *command.collect_usage_pieces(context)])
    # Indented paragraphs of the help are examples.
    paragraphs = (command.help or "").replace("\b\n", "\n").split("\n\n")
    lines = [f"## `sweeps {name}`", "", f"```text\n{usage}\n```", ""]
    lines += [_escaped(" ".join(part.split())) + "\n" for part in paragraphs]
    rows = [_option_row(option, context) for option in command.params if isinstance(option, click.Option)]
    if rows:
        lines += ["| option | meaning |", "|---|---|", *rows, ""]
    return "\n".join(lines)


def _option_row(option: click.Option, context: click.Context) -> str:
    value = "" if option.is_flag or option.count else " " + option.make_metavar(context)
    names = ", ".join(f"`{name}`" for name in [*option.opts, *option.secondary_opts])
    value = " or ".join(value.strip().strip("[]").split("|"))  # a bar would end the table's cell
    kind = f" `{value}`" if value else ""
    about = _escaped(option.help or "")
    default = option.get_default(context, call=False)
    if isinstance(option.show_default, str):
        about += f" (default {_escaped(option.show_default)})"
    elif option.show_default and default is not None and isinstance(default, (int, float, str)):
        about += f" (default `{default}`)"
    return f"| {names}{kind} | {_cell(about)} |"


def _escaped(text: str) -> str:
    """Text of the terminal as Markdown: placeholders in angle brackets and stars are no markup."""
    return text.replace("<", "&lt;").replace("*", "\\*").replace("[", "\\[").replace("_", "\\_")


def _cell(text: str) -> str:
    return " ".join(text.replace("|", "\\|").split())


def keys_reference() -> str:
    """The page of TOML keys, a table for each table of the sweep's file, from its JSON Schema."""
    from sweeps.config.schema import sweep_schema

    schema = sweep_schema()
    meanings = _meanings()
    definitions = schema["definitions"]
    parts = []
    for table, part in schema["properties"].items():
        whole = _resolved(part, definitions)
        parts += [f"## `[{table}]`", "", _escaped(whole.get("description", "")), ""]
        more = whole.get("additionalProperties")
        inner = _resolved(more, definitions) if isinstance(more, Mapping) else {}
        for heading, keys in (
            ("", whole.get("properties", {})),
            (f"`[{table}.NAME]`", _properties(inner, definitions)),
        ):
            if keys:
                parts += [heading, "", "| key | type | default | meaning |", "|---|---|---|---|"]
                parts += [
                    _key_row(key, value, definitions, meanings.get((table, key), "")) for key, value in keys.items()
                ]
                parts.append("")
    return "\n".join(parts)


def _properties(schema: Mapping[str, Any], definitions: Mapping[str, Any]) -> Mapping[str, Any]:
    """The keys of a table, or of the form of several that is a table."""
    forms = [schema, *(_resolved(form, definitions) for form in schema.get("anyOf", ()))]
    return next((form["properties"] for form in forms if "properties" in form), {})


def _meanings() -> dict[tuple[str, str], str]:
    """The last cell of each key's row in the guide to the sweep's file, by table and key."""
    found, table = {}, ""
    for line in (ROOT / "docs/reference/configuration.md").read_text("utf-8").splitlines():
        if heading := re.match(r"## `\[(\w+)\]`", line):
            table = heading[1]
        elif line.startswith("## "):
            table = ""
        elif table and line.startswith("| `"):
            cells = [cell.strip() for cell in re.split(r"(?<!\\)\|", line.strip("|"))]
            found.update({(table, key): cells[-1] for key in re.findall(r"`(\w+)`", cells[0])})
    return found


def _key_row(key: str, part: Mapping[str, Any], definitions: Mapping[str, Any], meaning: str) -> str:
    schema = _resolved(part, definitions)
    default = f"`{json.dumps(schema['default'], ensure_ascii=False)}`" if "default" in schema else ""
    about = meaning or _escaped(schema.get("description", "")).partition(" (at least")[0].partition(" (above")[0]
    return f"| `{key}` | {_cell(_kind(schema, definitions))} | {_cell(default)} | {_cell(about)} |"


def _kind(schema: Mapping[str, Any], definitions: Mapping[str, Any]) -> str:
    """The values that a key takes, in a few words."""
    schema = _resolved(schema, definitions)
    forms = schema.get("anyOf") or schema.get("oneOf")
    if forms:
        return " or ".join(dict.fromkeys(_kind(form, definitions) for form in forms))
    if "enum" in schema or "const" in schema:
        return ", ".join(f"`{json.dumps(value)}`" for value in schema.get("enum", [schema.get("const")]))
    kind = schema.get("type", "any")
    if kind == "array":
        items = schema.get("items")
        return "list of " + (_kind(items, definitions) if isinstance(items, Mapping) else "values")
    words = {"string": "text", "integer": "whole number", "object": "table", "boolean": "true or false"}
    kinds = [kind] if isinstance(kind, str) else kind
    text = " or ".join(words.get(each, each) for each in kinds)
    low = schema.get("minimum", schema.get("exclusiveMinimum"))
    high = schema.get("maximum", schema.get("exclusiveMaximum"))
    if low is not None:
        text += (" above " if "exclusiveMinimum" in schema else " from ") + f"{low:g}"
    if high is not None:
        text += (" below " if "exclusiveMaximum" in schema else " to ") + f"{high:g}"
    return text


def _resolved(schema: Mapping[str, Any], definitions: Mapping[str, Any]) -> Mapping[str, Any]:
    """A schema with its reference replaced by what it refers to; its own description and default stay."""
    if "$ref" in schema:
        own = {key: value for key, value in schema.items() if key != "$ref"}
        return {**definitions[schema["$ref"].removeprefix("#/definitions/")], **own}
    return schema


def python_reference() -> str:
    """The page of public names, which mkdocstrings fills from their docstrings."""
    import analysis
    import objectives
    import sweeps

    parts = []
    for package in (sweeps, objectives, analysis):
        names = [name for name in package.__all__ if not name.startswith("_")]
        parts += [f"## {package.__name__}", ""]
        parts += [f"::: {package.__name__}.{name}\n" for name in names]
    return "\n".join(parts)


GENERATED = {
    "recipes/index.md": recipe_table,
    "reference/cli.md": cli_reference,
    "reference/keys.md": keys_reference,
    "reference/python.md": python_reference,
}
"""Pages with a part that is made from the program, and what makes it."""
