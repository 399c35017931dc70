"""The documentation agrees with the program."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from pydantic import BaseModel

from benchmarks.speed import startup, waiting
from objectives import make_objective
from sweeps.budget.allocation import plan_for, smallest_budget
from sweeps.config import tables as schema
from sweeps.config.batch import automatic_batch
from sweeps.config.file import load_config, parse_config
from sweeps.config.space import Space
from sweeps.config.tables import BudgetTable
from sweeps.engines.ollama import SETTINGS
from sweeps.options import OPTIONS, ChoiceSpec, NumberSpec

ROOT = Path(__file__).parent.parent
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
CONFIGURATION = (ROOT / "docs/reference/configuration.md").read_text(encoding="utf-8")
GENERATED = {"docs/images/report.png"}

BLOCKS = [
    pytest.param(block, id=f"{page.name}-{number}")
    for page in PAGES
    for number, block in enumerate(
        re.findall(r"^```toml\n(.*?)^```", page.read_text("utf-8"), re.MULTILINE | re.DOTALL)
    )
    if re.search(r"^\[study\]", block, re.MULTILINE)
]
LINKS = [
    pytest.param(page, target, id=f"{page.name}-{target}")
    for page in PAGES
    for target in dict.fromkeys(re.findall(r"\]\(([^)\s]+)\)", page.read_text("utf-8")))
    if not re.match(r"[a-z]+:|#", target)
]
SPACE_KEYS = ("low", "high", "step", "log", "choices", "when")
TABLES: dict[str, list[str]] = {
    "study": list(schema.StudyTable.model_fields),
    "engine": [*schema.EngineTable.model_fields, *schema.HostTable.model_fields, *sorted(SETTINGS)],
    "prompts": list(schema.PromptTable.model_fields),
    "objective": [
        *schema.ObjectiveTable.model_fields, "model", "gguf", "host", "midpoint", "slope", "votes",
    ],
    "baseline": ["model", "prompt", *OPTIONS],
    "space": list(SPACE_KEYS),
    "candidates": ["prompt", "model"],
    "search": list(schema.SearchTable.model_fields),
    "budget": list(schema.BudgetTable.model_fields),
    "confirm": list(schema.ConfirmTable.model_fields),
    "verdict": list(schema.VerdictTable.model_fields),
    "constraints": list(schema.ConstraintsTable.model_fields),
    "tracking": list(schema.TrackingTable.model_fields),
    "storage": list(schema.StorageTable.model_fields),
}  # fmt: skip


def section(table: str) -> str:
    """The part of docs/reference/configuration.md about one table."""
    found = re.search(rf"^## `\[{table}\]`\n(.*?)(?=^## |\Z)", CONFIGURATION, re.MULTILINE | re.DOTALL)
    assert found, f"docs/reference/configuration.md has no section about [{table}]"
    return found[1]


def rows(table: str) -> dict[str, list[str]]:
    """Cells of the lines of a section's tables, by key."""
    lines = [line.strip("|").split("|") for line in section(table).splitlines() if line.startswith("| `")]
    return {key: [cell.strip() for cell in cells] for cells in lines for key in re.findall(r"`(\w+)`", cells[0])}


def test_there_is_something_to_check() -> None:
    assert len(BLOCKS) >= 2
    assert len(LINKS) >= 5


@pytest.mark.parametrize("block", BLOCKS)
def test_every_sweep_in_the_documentation_is_valid(block: str) -> None:
    parsed = parse_config(block)
    make_objective(
        parsed.objective.model_dump(exclude={"cases", "names", "allow_outside_logs", "reasoning"}, exclude_none=True)
    )


def test_the_example_of_a_comparison_is_valid() -> None:
    compared = load_config(ROOT / "examples/prompt_ab.toml").as_comparison()
    assert [dimension.name for dimension in compared.space] == ["prompt"]
    plan = plan_for(compared, cases=3, hosts=1)
    assert (plan.total, plan.confirm_seeds) == (42, 6)


def test_every_table_has_a_section() -> None:
    assert set(TABLES) == set(schema.SweepFile.model_fields)


@pytest.mark.parametrize("table", TABLES)
def test_every_key_is_described(table: str) -> None:
    mentioned = set(re.findall(r"`([\w.]+)`", section(table)))
    assert [key for key in TABLES[table] if key not in mentioned] == []


@pytest.mark.parametrize("table", [table for table in TABLES if table != "space"])  # its rows hold examples
def test_no_key_is_described_that_does_not_exist(table: str) -> None:
    assert [key for key in rows(table) if key not in TABLES[table]] == []


@pytest.mark.parametrize(
    "table", ["study", "engine", "search", "budget", "confirm", "verdict", "constraints", "tracking", "storage"]
)
def test_defaults_are_those_of_the_program(table: str) -> None:
    model = schema.SweepFile.model_fields[table].annotation
    assert isinstance(model, type)
    assert issubclass(model, BaseModel)
    for key, (_, _, default, _) in rows(table).items():
        field = model.model_fields[key]
        if field.is_required():
            assert default == "needed", key
        elif isinstance(field.default, bool):
            assert default == str(field.default).lower(), key
        elif isinstance(field.default, int | float) and key != "batch":  # "auto" is kept as a number
            assert float(default) == field.default, key
        elif isinstance(field.default, str) and field.default:
            assert default == f'`"{field.default}"`', key


@pytest.mark.parametrize("name", OPTIONS)
def test_the_options_are_as_described(name: str) -> None:
    _, kind, default, accepted, about = rows("baseline")[name]
    spec = OPTIONS[name]
    assert about.startswith(spec.about)
    if not isinstance(spec, NumberSpec):
        words = [f"`{json.dumps(value)}`" for value in spec.values] if isinstance(spec, ChoiceSpec) else []
        assert (default, accepted) == ("not sent", ", ".join(words) or spec.range_text)
        return
    assert kind == ("whole" if spec.kind is int else "number")
    assert default == ("not sent" if spec.default is None else str(spec.default))
    low, high = re.fullmatch(r"(?:above )?(-?[\d.]+),? to ([\d.]+)", accepted).groups()  # type: ignore[union-attr]
    assert (float(low), float(high), "above" in accepted) == (spec.low, spec.high, spec.low_open)
    assert ("loads the model" in about) == spec.reload


def test_the_table_of_waiting_is_that_of_its_benchmark() -> None:
    table = (ROOT / "docs/benchmarks.md").read_text("utf-8").partition("\n## Waiting\n")[2].partition("\n## ")[0]
    cells = [[cell.strip() for cell in line.strip("|").split("|")] for line in table.splitlines() if line[:2] == "| "]
    shown = {what: wanted for what, _, _, wanted in cells}
    for name, what in waiting.COMMANDS.items():
        assert shown[what] == (f"{startup.TARGETS[name]:g} s" if name in startup.TARGETS else "")
    took = {what: processor for what, _, processor, _ in cells}
    logged = "logging a configuration with 100 observations to MLflow, least"
    assert shown[logged] == "60 ms"
    assert float(took[logged].removesuffix(" ms")) <= 60
    assert float(took["the second over the first, medians"]) >= 1.5


def test_numbers_in_the_text() -> None:
    assert smallest_budget(BudgetTable(generations=1), 6) == 84
    assert "84 generations for 6 cases" in CONFIGURATION
    example = parse_config(re.search(r"^```toml\n(.*?)^```", CONFIGURATION, re.MULTILINE | re.DOTALL)[1])  # type: ignore[index]
    no_reload = Space(tuple(dimension for dimension in example.space if dimension.name != "num_ctx"))
    assert (automatic_batch(example.space), automatic_batch(no_reload)) == (8, 4)


def test_ci_runs_the_readmes_test_command_word_for_word() -> None:
    found = re.search(
        r"\*\*Run the tests:\*\*\n\n```sh\n(.*?)\n```", (ROOT / "README.md").read_text("utf-8"), re.DOTALL
    )
    assert found
    assert found[1] in (ROOT / ".ci/run").read_text("utf-8").splitlines()


@pytest.mark.parametrize(("page", "target"), LINKS)
def test_relative_links_lead_somewhere(page: Path, target: str) -> None:
    path, _, anchor = target.partition("#")
    where = page.parent / path
    if str(where.relative_to(ROOT)) in GENERATED and not where.exists():
        pytest.skip(f"{path} is generated, and is not there yet")
    assert where.exists()
    if anchor:
        headings = re.findall(r"^#+ (.*)$", where.read_text("utf-8"), re.MULTILINE)
        assert anchor in {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}
