"""The promises of SECURITY.md, one test each: files of other people are read without harm."""

from __future__ import annotations

import io
import json
import os
import sqlite3
import sys
from contextlib import closing
from pathlib import Path

import click
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.text import Text

from analysis.export.files import write_together
from analysis.files.spreadsheet_cells import as_written, harmless, harmless_table
from analysis.observations.read_csv import read_csv
from objectives import own_modules
from objectives.case_files import CaseError, load_cases
from objectives.case_schema import regex_fault
from objectives.matchers.base import ObjectiveError
from objectives.matchers.patterns import PatternText
from objectives.permission import asking
from objectives.regexes import MAX_COPIES, copies_in
from objectives.rubrics import quality
from sweeps.cli import run_command, ui
from sweeps.cli import sweeps as sweeps_group
from sweeps.cli.common import echo, echo_json
from sweeps.cli.trust import Trust
from sweeps.engines.spec import EngineSpec
from sweeps.errors import ConfigError
from sweeps.ledger.ledger import Ledger
from sweeps.progress.console import PlainConsole
from sweeps.progress.plain import PlainProgress
from sweeps.study.sweep import Sweep
from sweeps.tracking.mlflow_store import tracking_uri
from sweeps.workspace.sqlite_files import place_database
from sweeps.workspace.workspace import Workspace
from tests.sweeps.sweep_files import write_sweep

ITEM = '[[items]]\ntext = "The job moves to Tuesday."\nlevel = 1\nany = ["Tuesday"]\n'


@pytest.mark.parametrize(
    "pattern",
    [
        "a{1000000000}",
        "(?:a{1000}){1000}",
        "(a{1000,2000}){1000,}",
        "(?x)a{1 000 000 000}",
        "(?x)a{1#\n000000000}",
        "(?x)(a{1000}) # twice\n {1000}",
        "[{]a{1000000000}",
        "(" * 3000 + "a" + ")" * 3000,
        "a" * 20_000,
    ],
)
def test_patterns_that_would_take_the_machine_down_are_refused_before_they_are_compiled(pattern: str) -> None:
    assert "is not a valid regular expression" in regex_fault(pattern)
    with pytest.raises(ObjectiveError, match="is invalid"):
        PatternText("a").search(pattern, "i1")


@pytest.mark.parametrize(
    "pattern",
    [r"\d{4}-\d{2}-\d{2}", r"(?:\d{3}[ -]?){3}\d{4}", r"no.{0,5000}yes", r"(?:(\w{2,20})\s){2,5}", "[a-z]{1000}"],
)
def test_patterns_of_people_stay_usable(pattern: str) -> None:
    assert copies_in(pattern) < MAX_COPIES
    assert regex_fault(pattern) == ""


def test_a_rubric_reads_no_log_outside_its_folder(tmp_path: Path) -> None:
    cases = tmp_path / "cases"
    cases.mkdir()
    secret = tmp_path / "secret.txt"
    secret.write_text("The job moves to Tuesday.", encoding="utf-8")
    (cases / "dots.toml").write_text('log = "../secret.txt"\n' + ITEM, encoding="utf-8")
    (cases / "root.toml").write_text(f"log = '{secret}'\n" + ITEM, encoding="utf-8")
    (cases / "link.toml").write_text(ITEM, encoding="utf-8")
    (cases / "link.txt").symlink_to(secret)
    (cases / "inside.toml").write_text('log = "alias.txt"\n' + ITEM, encoding="utf-8")
    (cases / "own.txt").write_text("Moves to Tuesday.", encoding="utf-8")
    (cases / "alias.txt").symlink_to("own.txt")
    with pytest.raises(CaseError) as caught:
        load_cases(cases)
    assert [Path(problem.file).stem for problem in caught.value.problems] == ["dots", "link", "root"]
    assert "lies outside the folder of the rubric" in str(caught.value)
    assert "objective.allow_outside_logs = true" in str(caught.value)
    assert len(load_cases(cases, allow_outside_logs=True)) == 4


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="pipes with names")
@pytest.mark.parametrize("name", ["a.toml", "a.txt"])
def test_a_pipe_is_refused_instead_of_read_for_ever(tmp_path: Path, name: str) -> None:
    (tmp_path / "a.toml").write_text(ITEM, encoding="utf-8")
    (tmp_path / name).unlink(missing_ok=True)
    os.mkfifo(tmp_path / name)
    with pytest.raises(CaseError, match="is a pipe or a device"):
        load_cases(tmp_path)


def test_items_are_not_tried_on_a_log_that_no_model_reads(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(quality, "LONGEST_LOG", 100)
    (tmp_path / "a.toml").write_text(ITEM, encoding="utf-8")
    (tmp_path / "a.txt").write_text("word " * 30, encoding="utf-8")
    monkeypatch.setattr(quality, "_other_logs", lambda cases: [(case.name, case.log) for case in cases])
    messages = [finding.message for finding in quality.check_cases(tmp_path).findings]
    assert any("log of 150 characters" in message for message in messages)
    assert not any("never match the log" in message for message in messages)


@pytest.mark.skipif(os.name == "nt", reason="modes of files")
def test_ledger_exports_and_records_are_for_their_owner_alone(tmp_path: Path) -> None:
    before = os.umask(0o022)
    try:
        Ledger(str(tmp_path / "ledger.db")).close()
        Ledger(f"sqlite:///{tmp_path / 'url.db'}").close()
        write_together({tmp_path / "production.env": "A=1\n"}, private=True)
        (tmp_path / "shared.env").write_text("A=1\n", encoding="utf-8")
        (tmp_path / "shared.env").chmod(0o640)
        write_together({tmp_path / "shared.env": "A=2\n"}, private=True)
    finally:
        os.umask(before)
    modes = {path.name: path.stat().st_mode & 0o777 for path in tmp_path.iterdir()}
    assert modes == {"ledger.db": 0o600, "url.db": 0o600, "production.env": 0o600, "shared.env": 0o640}


@given(st.text("=+-@' 1.,e\tä", max_size=8))
def test_cells_are_no_formulas_and_are_read_back_unchanged(cell: str) -> None:
    written = harmless(cell)
    assert as_written(written) == cell
    if written and written[0] in "=+-@\t":
        assert float(written.replace(",", "").replace("%", "")) is not None


def test_a_table_with_formulas_for_names_is_read_back_unchanged(tmp_path: Path) -> None:
    table = pd.DataFrame(
        {
            "configuration": ["=1+1", "-cold", "'=x", "-1"],
            "case": ["@a", "+b", "c", "d"],
            "score": [-0.5, 0.1, 0.2, 1.0],
        }
    )
    text = harmless_table(table).to_csv(index=False)
    assert "'=1+1,'@a,-0.5" in text
    (tmp_path / "t.csv").write_text(text, encoding="utf-8")
    pd.testing.assert_frame_equal(read_csv(tmp_path / "t.csv"), table, check_dtype=False)


def test_every_page_has_a_policy_that_fetches_nothing() -> None:
    root = Path(__file__).parents[1]
    pages = [
        path for room in ("analysis", "objectives", "sweeps") for path in (root / room).rglob("*.j2")
        if "<html" in path.read_text(encoding="utf-8")
    ]  # fmt: skip
    assert len(pages) >= 3
    for page in pages:
        assert 'http-equiv="Content-Security-Policy" content="default-src \'none\'' in page.read_text(encoding="utf-8")


STEERING = "\x1b]0;owned\x07\x1b[2J \x9b31m \u202e名前 [bold]"
SHOWN = r"\u001b]0;owned\u0007\u001b[2J \u009b31m \u202e名前 [bold]"


def test_control_codes_are_shown_in_every_output(capsys: pytest.CaptureFixture[str]) -> None:
    stream = io.StringIO()
    PlainConsole(file=stream, width=200, force_terminal=True, color_system=None).print(STEERING, Text(STEERING))
    PlainProgress(stream).note(STEERING)
    assert stream.getvalue().count(r"owned") == 3
    assert not set(stream.getvalue()) & set("\x1b\x07\x9b\u202e")
    echo(STEERING)
    echo_json({"name": STEERING})
    out = capsys.readouterr().out
    assert out.splitlines()[0] == SHOWN
    assert json.loads(out.splitlines()[1]) == {"name": STEERING}
    assert run_command(["score", STEERING, "nowhere"]) == 2
    assert run_command(["check", STEERING]) == 2
    assert run_command([STEERING]) == 2
    assert not set("".join(capsys.readouterr())) & set("\x1b\x07\x9b\u202e")


def test_no_command_prints_past_the_escapes() -> None:
    """Only `echo` and consoles of ours print; what `click.echo` prints elsewhere is a text of our own."""
    commands = Path(__file__).parents[1] / "sweeps" / "cli"
    own = {"common.py": 1, "__init__.py": 6, "score.py": 1, "schema.py": 1, "completion.py": 2}
    found = {path.name: path.read_text(encoding="utf-8").count("click.echo(") for path in commands.glob("*.py")}
    assert {name: count for name, count in found.items() if count} == own


@pytest.fixture
def answers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The file of what was trusted, and no module of the tests loaded."""
    monkeypatch.setattr("sweeps.cli.trust.answers_file", lambda: tmp_path / "state" / "trusted.json")
    monkeypatch.setattr(sys, "path", list(sys.path))
    monkeypatch.setattr(own_modules, "_loaded", {})
    monkeypatch.setattr(own_modules, "_added", [])
    monkeypatch.setenv("COLUMNS", "2000")
    return tmp_path / "state" / "trusted.json"


MARK = "from pathlib import Path\nPath(__file__).with_name('ran').touch()\n"


@pytest.mark.parametrize("command", ["check", "run", "compare", "probe", "audit"])
def test_code_beside_a_file_runs_only_when_it_is_trusted(
    command: str, tmp_path: Path, answers: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    theirs = tmp_path / "theirs"
    theirs.mkdir()
    monkeypatch.chdir(theirs)
    monkeypatch.setattr(sys, "path", ["", *sys.path])  # as `python -m sweeps`
    (theirs / "their_code.py").write_text(MARK)
    engine = {"kind": "scripted", "options": {"surface": "their_code:score"}}
    more = {"engine": engine} if command == "probe" else {"objective": {"kind": "their_code:score"}}
    if command == "audit":
        more["engine"] = {"kind": "openai", "host": "http://127.0.0.1:9", "options": None}
    if command == "compare":
        more |= {"space": None, "candidates": {"cold": {"temperature": 0.1}}}
    path = write_sweep(theirs, **more)
    assert run_command([command, str(path), "--mlruns", str(tmp_path / "mlruns")]) == 2
    said = capsys.readouterr()
    shown = " ".join("".join(said).split())
    assert f"would run the code of {theirs / 'their_code.py'} with your rights. Read it, then add --trust" in shown
    assert not (theirs / "ran").exists()
    assert not answers.exists()


def test_trust_is_remembered_for_the_code_and_nothing_else(tmp_path: Path, answers: Path) -> None:
    (tmp_path / "mine_once.py").write_text("")
    (tmp_path / "other_once.py").write_text("")
    trust = Trust()
    with asking(trust.allows):
        assert own_modules.unpermitted_code("mine_once", [tmp_path]) == tmp_path / "mine_once.py"
        trust.given = True
        assert own_modules.unpermitted_code("mine_once", [tmp_path]) is None
    with asking(Trust().allows):
        assert own_modules.unpermitted_code("mine_once", [tmp_path]) is None
        assert own_modules.unpermitted_code("other_once", [tmp_path]) == tmp_path / "other_once.py"
    assert answers.stat().st_mode & 0o777 == 0o600 or os.name == "nt"
    assert own_modules.unpermitted_code("other_once", [tmp_path]) is None  # a program of Python's is not asked


def test_installed_modules_and_pythons_own_are_not_asked_about(tmp_path: Path, answers: Path) -> None:
    (tmp_path / "json.py").write_text("")
    (tmp_path / "numpy").mkdir()  # data that has the name of a package
    (tmp_path / "click.py").write_text("")  # stands in for an installed one: the folder comes first
    (tmp_path / "set_by_user").mkdir()
    (tmp_path / "set_by_user" / "of_user.py").write_text("")
    sys.path.append(str(tmp_path / "set_by_user"))
    with asking(lambda what: False):
        names = ("json", "numpy", "numpy.linalg", "sklearn.metrics", "click", "of_user", "nowhere", "")
        folders = [tmp_path, tmp_path / "set_by_user"]
        found = {name: own_modules.unpermitted_code(name, folders) for name in names}
    assert found == dict.fromkeys(found) | {"click": tmp_path / "click.py"}


def test_variables_go_to_another_machine_only_when_trusted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MY_KEY", "s3cret")
    monkeypatch.delenv("OLLAMA_API_KEY", raising=False)
    monkeypatch.delenv("OLLAMA_HOST", raising=False)
    far = EngineSpec("ollama", host="https://me:pass@far.example", headers={"Authorization": "Bearer ${MY_KEY}"})
    assert far.sent_headers() == {"Authorization": "Bearer s3cret"}
    with asking(lambda what: False):
        with pytest.raises(ConfigError, match=r"would send the variable MY_KEY to https://far\.example\.") as refused:
            far.sent_headers()
        assert not {"s3cret", "pass"} & set(str(refused.value).replace("/", " ").split())
        with pytest.raises(ConfigError, match="variable HOME to"):
            EngineSpec("ollama", host="https://me:$HOME@far.example").sent_headers()
        assert far.at("http://127.0.0.1:11434").sent_headers() == {}
        assert EngineSpec("ollama", host="127.0.0.1", headers=far.headers).sent_headers()
        assert EngineSpec("ollama", host="far.example", headers={"X": "plain $$5"}).sent_headers() == {"X": "plain $5"}


def test_the_key_for_ollama_goes_to_a_files_server_only_when_trusted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OLLAMA_API_KEY", "s3cret")
    monkeypatch.setenv("OLLAMA_HOST", "https://mine.example")
    source = "sweep.toml: engine.options"
    with asking(lambda what: False):
        assert EngineSpec("ollama", host="https://typed.example").sent_headers() == {}
        assert EngineSpec("ollama", host="https://mine.example:443", source=source).sent_headers() == {}
        with pytest.raises(ConfigError, match=r"sweep\.toml: engine: would send the variable OLLAMA_API_KEY to"):
            EngineSpec("ollama", host="https://far.example", source=source).sent_headers()


def test_a_file_that_allows_outside_logs_itself_is_trusted_first(
    tmp_path: Path, answers: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = write_sweep(tmp_path, objective={"allow_outside_logs": True})
    assert run_command(["check", str(path), "--mlruns", str(tmp_path / "mlruns")]) == 2
    said = "".join(capsys.readouterr())
    assert "objective.allow_outside_logs = true: would read logs outside the folder of the rubrics" in said


@pytest.mark.parametrize(
    ("table", "key", "variable", "own"),
    [
        ("storage", "url", "SWEEPS_STORAGE", "sqlite:///{}/mlruns/ledger.db"),
        ("tracking", "uri", "MLFLOW_TRACKING_URI", "{}/runs"),
    ],
)
def test_a_study_is_written_elsewhere_only_when_the_file_is_trusted_or_its_user_names_the_place(
    table: str, key: str, variable: str, own: str, tmp_path: Path, answers: Path,
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    monkeypatch.delenv(variable, raising=False)
    theirs = f"sqlite:///{tmp_path / 'theirs.db'}"
    path = write_sweep(tmp_path, **{table: {key: theirs}})
    command = [str(path), "--mlruns", str(tmp_path / "mlruns")]
    for name in ("check", "run", *(["audit"] if table == "tracking" else [])):
        assert run_command([name, *command]) == 2
        said = " ".join("".join(capsys.readouterr()).split())
        assert f"{table}.{key} (or name it with {variable}): would write the study" in said
        assert "add --trust" in said
    assert not list(tmp_path.rglob("*.db"))
    monkeypatch.setenv(variable, own.format(tmp_path))
    with asking(lambda what: False):
        Sweep.from_toml(path, mlruns=tmp_path / "mlruns")
        assert tracking_uri(Workspace(tmp_path / "mlruns"), theirs if table == "tracking" else None)


def test_each_command_that_reads_a_sweep_asks_for_trust() -> None:
    group = sweeps_group
    names = group.list_commands(click.Context(group))
    commands = {name: group.get_command(click.Context(group), name) for name in names}
    asking = {name for name, command in commands.items() if any(each.name == "trust" for each in command.params)}
    reading = {name for name, command in commands.items() if any(
        each.name == "file" and isinstance(each, click.Argument) for each in command.params)}  # fmt: skip
    assert asking == reading | {"doctor", "rescore", "track"}


def test_new_databases_of_mlflow_and_optuna_are_for_their_owner_alone(tmp_path: Path) -> None:
    def make(url: str) -> None:
        with closing(sqlite3.connect(url.removeprefix("sqlite:///"))) as database:
            database.execute("CREATE TABLE t (x)")

    assert place_database(tmp_path / "mlflow.db", make)
    assert (tmp_path / "mlflow.db").stat().st_mode & 0o777 == 0o600 or os.name == "nt"


def test_no_server_of_ours_gets_a_password_among_its_arguments(tmp_path: Path) -> None:
    url = "postgresql+psycopg://me:s3cret@db/sweeps"
    shown = [ui._mlflow(url, Workspace(tmp_path))]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Workspace, "trials_url", url)
        patch.setattr(ui, "find_spec", lambda name: name)  # an extra that need not be installed
        shown.append(ui._dashboard(Workspace(tmp_path)))
    for server in shown:
        assert "s3cret" not in " ".join(server.command("127.0.0.1", "5000"))
        assert url in dict(server.environment).values()
