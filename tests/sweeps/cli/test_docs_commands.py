"""Every command of the README and the documentation's pages runs here, or at least is one: its words parse.

The commands of recipes are in `tests/test_recipes.py`, and the README's two first commands in `.ci/run` and `.ci/long`.
"""

from __future__ import annotations

import csv
import re
import shlex
import shutil
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import click
import pytest

from docs.casts import kiln
from sweeps.cli import run_command
from sweeps.cli import sweeps as group

ROOT = Path(__file__).parents[3]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md")), ROOT / "examples/pipeline/README.md"]

ELSEWHERE = {
    "pip": "installs", ".bootstrap/bin/pip": "installs", "python3": "makes an environment", "uv": "is in .ci/long",
    ".bootstrap/bin/uv": "is in .ci/run and .ci/long", "ssh": "needs another machine", "ollama": "needs Ollama",
    "launchctl": "needs a Mac", "sudo": "changes the system", "docker": "needs Docker",
    "taplo": "is tested with the schema", "mlflow": "serves until stopped", "export": "sets a variable",
    "openssl": "draws a password", "curl": "needs Ollama", "jq": "is tested with the pipeline's example",
    "cd": "changes folders", "mkdir": "makes a folder", "mv": "moves files", "sqlite3": "rescues a damaged file",
    "set": "exports variables", ".": "reads variables", "./run_bundle.sh": "is tested with the pipeline's example",
}  # fmt: skip
"""Programs of others, by their first words, with the reason why this test does not run them."""

PARSED = {
    "run": "is run by the recipes", "compare": "is run by the recipes", "check": "needs the reader's server",
    "audit": "needs several hosts", "probe": "needs the reader's server", "ui": "serves until it is stopped",
    "track": "writes to MLflow: tests/sweeps/tracking", "merge": "needs the folders of three machines",
    "move": "needs a database: tests/sweeps/merge/test_move.py",
}  # fmt: skip
"""Commands of ours that are only parsed here, with the reason."""

PARSED_FLAGS = {
    "--fix": "writes reports again: tests/sweeps/doctor",
    "--storage": "needs a database",
    "--watch": "waits",
    "--engine": "needs the reader's server",
    "--model": "needs the reader's server",
}

STANDS_FOR = {
    "STUDY": "t", "NAME": "t", "quickstart": "t", "monday": "other", "friday": "t",
    "a/mlruns:quickstart": "a/mlruns:t", "b/mlruns:quickstart": "b/mlruns:t", "openai/gpt2": "output_prefix= no",
}  # fmt: skip
"""Names in the documentation, and those of the studies and tables here."""


def simple_commands(line: str) -> Iterator[list[str]]:
    """The commands of a line of the shell, without comments, variables and what follows a redirection."""
    found = re.search(r"\$\((.*?)\)", line)
    lexer = shlex.shlex(found[1] if found else line, posix=True, punctuation_chars=True)
    lexer.whitespace_split = True
    words: list[str] = []
    redirected = False
    for word in [*lexer, "&&"]:
        if word in {"|", "&&", ";"}:
            words = words[next((place for place, each in enumerate(words) if not re.match(r"[A-Z_]+=", each)), 0) :]
            if words:
                yield words
            words, redirected = [], False
        elif word.startswith((">", "<")):
            redirected = True
        elif not redirected:
            words.append(word)


def fenced() -> dict[str, str]:
    """Commands in blocks of code, with a page that has them."""
    found: dict[str, str] = {}
    for page in PAGES:
        for language, block in re.findall(
            r"^ *```(\w*)\n(.*?)^ *```", page.read_text("utf-8"), re.MULTILINE | re.DOTALL
        ):
            for line in block.replace("\\\n", " ").replace("|\n", "| ").splitlines():
                line = re.sub(r" \[--.*", "", line.strip().removeprefix("$ "))
                if language in {"sh", "console"} or (not language and line.startswith("sweeps ")):
                    found.update({shlex.join(words): page.name for words in simple_commands(line)})
    return found


def inline() -> set[str]:
    """Commands in a line of text."""
    texts = [page.read_text("utf-8") for page in PAGES]
    return {found for text in texts for found in re.findall(r"`(sweeps (?!COMMAND)[^`\n]+)`", text)}


def parsed(words: list[str]) -> None:
    """Parse a command of ours as the program does, which checks flags and values."""
    command: click.Command | None = group
    while isinstance(command, click.Group):
        name, command, words = command.resolve_command(click.Context(command), words)
    assert command is not None
    command.make_context(name, words)


COMMANDS = fenced()
OURS = {text: shlex.split(text)[1:] for text in COMMANDS if text.startswith("sweeps ")}
RUN = {
    text: words
    for text, words in OURS.items()
    if words[0] not in PARSED and not set(words) & set(PARSED_FLAGS) and words != ["label", "STUDY"]
}


def table(path: str, columns: dict[str, str], low: float, high: float) -> None:
    """A table of four settings, twelve cases in six documents, and four seeds.

    Args:
        path: The file.
        columns: The columns' names by what they hold: `configuration`, `case`, `seed`, `score`.
        low: Lowest score.
        high: Highest score.
    """
    with Path(path).open("w", newline="", encoding="utf-8") as file:
        rows = csv.writer(file)
        rows.writerow([*columns.values(), "document"])
        for place, label in enumerate(("current", "old", "small", "new")):
            for case in range(12):
                for seed in range(4):
                    share = 0.2 + 0.15 * place + 0.03 * ((3 * case + 2 * seed) % 5)
                    rows.writerow([label, f"q{case}", seed, round(low + share * (high - low), 6), f"d{case // 2}"])


def tables() -> None:
    """The tables of scores, under the names and with the columns of the documentation."""
    own = {name: name for name in ("configuration", "case", "seed", "score")}
    named = {"configuration": "model", "case": "sample_id", "seed": "epoch", "score": "score_match"}
    table("scores.csv", own, 0, 1)
    table("eval.csv", named, 0, 1)
    table("grades.csv", own, 1, 5)
    table("seconds.csv", own, 0, 120)
    table("questions.csv", own, 0, 1)


@pytest.fixture(scope="module")
def place(finished: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The current folder, with what the commands of the documentation read."""
    folder = tmp_path_factory.mktemp("reader")
    data = ROOT / "tests/data/tables"
    with pytest.MonkeyPatch.context() as patch, ExitStack() as stack:
        patch.chdir(folder)
        patch.setenv("COLUMNS", "80")
        for name in ("OLLAMA_HOST", "MLFLOW_TRACKING_URI"):
            patch.delenv(name, raising=False)
        for name in ("mlruns", "cases"):
            shutil.copytree(finished / name, name)
        shutil.copy(finished / "sweep.toml", "sweep.toml")
        for link, target in {
            "a/mlruns": folder / "mlruns", "b/mlruns": folder / "mlruns", "logs": data / "inspect",
            "out": data / "lm-eval", "results.json": data / "promptfoo/results.json",
            "runs/benchmark_output/runs/v1": data / "helm",
        }.items():  # fmt: skip
            Path(link).parent.mkdir(parents=True, exist_ok=True)
            Path(link).symlink_to(target)
        kiln(stack)
        tables()
        log = Path("my-cases/kiln.txt").read_text("utf-8")
        for name in ("chat.txt", "call.txt"):
            Path(name).write_text(log, "utf-8")
        Path("items.csv").write_text("text,level\nThe kiln tripped.,1\nDelivery moves.,2\n", "utf-8")
        Path("facts.csv").write_text("Fact,Weight\nThe kiln tripped.,1\nDelivery moves.,2\n", "utf-8")
        Path("nuggets.jsonl").write_text('{"qid": 12, "text": "It tripped.", "level": 1}\n\n', "utf-8")
        Path("meeting.json").write_text('[{"text": "The kiln tripped."}, {"text": "Delivery moves."}]', "utf-8")
        for label in ("wk-01", "wk-02"):
            assert run_command(["fingerprint", "--label", label, "--engine", "llamacpp", "--out", f"{label}.json"]) == 0
        yield folder


def test_each_program_is_known() -> None:
    first = {shlex.split(text)[0] for text in COMMANDS} - {"sweeps"}
    assert first <= set(ELSEWHERE)
    assert len(OURS) >= 50
    assert len(RUN) >= 30


@pytest.mark.parametrize("text", OURS)
def test_each_command_parses(text: str, place: Path) -> None:
    parsed([STANDS_FOR.get(word, word) for word in OURS[text]])


def test_each_command_in_a_line_of_text_has_its_flags() -> None:
    texts = inline()
    assert len(texts) >= 50
    for text in texts:
        words = text.split()[1:]
        command: click.Command | None = group
        while isinstance(command, click.Group) and words and words[0].isalpha():
            command = command.get_command(click.Context(command), words.pop(0))
        assert command is not None, text
        context = click.Context(command)
        known = {flag for option in command.get_params(context) for flag in [*option.opts, *option.secondary_opts]}
        assert {word.partition("=")[0] for word in words if re.match(r"--?[a-z]", word)} <= known, text


@pytest.mark.parametrize("text", RUN)
def test_each_command_runs(text: str, place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = [STANDS_FOR.get(word, word) for word in RUN[text]]
    if words[:2] == ["init", "my-sweep"]:
        shutil.rmtree(place / "my-sweep", ignore_errors=True)
    if words[:2] == ["cases", "new"] or words[:2] == ["cases", "import"]:
        (place / "chat.toml").unlink(missing_ok=True)
    if words[0] in {"judge", "rank"}:
        tables()
    # the folder has no runs in MLflow, which the doctor finds
    expected = 1 if words[0] == "doctor" or "--expect" in words or "--require" in words else 0
    code = run_command(words)
    shown = capsys.readouterr()
    if "helm" in words:  # the recorded table of that tool has one seed and few cases, which is no verdict
        assert (code, "has no case with two seeds" in shown.err) == (2, True)
        return
    assert code in {0, expected}, shown.err
    assert shown.out.strip() or (place / words[-1]).stat().st_size > 1000
    assert "Traceback" not in shown.err
