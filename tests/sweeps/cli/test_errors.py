"""Bad input through the command line: a few clear lines, exit code 2 or 3, no traceback, and nothing lost."""

from __future__ import annotations

import http.server
import socket
import sqlite3
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import click
import pytest
import sqlalchemy as sa

from sweeps.cli import run_command, sweeps
from sweeps.cli.common import FilePath
from sweeps.results.reader import load_result
from tests.doubles.ollama import Fault, OllamaDouble
from tests.sweeps.sweep_files import write_cases, write_sweep

pytestmark = pytest.mark.usefixtures("no_report")

Capture = pytest.CaptureFixture[str]


def fails(capsys: Capture, arguments: list[str], code: int, *words: str, lines: int = 8) -> str:
    """Run a command that must fail: exit code, words on stderr, nothing on stdout, few lines, no traceback."""
    capsys.readouterr()
    assert run_command(arguments) == code
    out, err = capsys.readouterr()
    assert out == ""
    assert "Traceback" not in err
    told = err[err.find("error: ") :] if "error: " in err else err
    assert len(told.strip().splitlines()) <= lines, err
    for word in words:
        assert word in err, err
    return err


def sweep(path: Path, *more: str) -> list[str]:
    return ["run", str(path), "--mlruns", str(path.parent / "mlruns"), "--no-tracking", "--quiet", *more]


Break = Callable[[Path], Path]


def edit(name: str, text: str | None) -> Break:
    """A sweep of which one case's file is replaced or taken away."""

    def apply(folder: Path) -> Path:
        path = write_sweep(folder)
        target = folder / "cases" / name
        if text is None:
            target.unlink()
        else:
            target.write_text(text)
        return path

    return apply


def tables(**changes: Any) -> Break:
    return lambda folder: write_sweep(folder, **changes)


def raw(text: str) -> Break:
    def apply(folder: Path) -> Path:
        (folder / "sweep.toml").write_text(text)
        return folder / "sweep.toml"

    return apply


def long_prompt(folder: Path) -> Path:
    path = write_sweep(folder, baseline={"num_ctx": 512})
    write_cases(folder / "cases", 3, words=900)
    return path


CASE = '[[items]]\nid = "a"\ntext = "A."\nlevel = {level}\n'

BAD: dict[str, tuple[Break, tuple[str, ...]]] = {
    "missing file": (lambda folder: folder / "sweep.toml", ("sweep.toml: no such file",)),
    "invalid toml": (raw("[study\nname = 1"), ("sweep.toml: is not valid TOML", "line 1")),
    "empty file": (raw(""), ("study: is missing", "budget: is missing")),
    "unknown key": (tables(study={"sed": 1}), ("study.sed: unknown key; did you mean 'seed'?",)),
    "upside down": (tables(space={"top_p": {"low": 0.9, "high": 0.5}}), ("space.top_p", "swap them", "0.9", "0.5")),
    "empty space": (tables(space={}), ("space: is empty",)),
    "level 6": (edit("c1.toml", CASE.format(level=6)), ("c1.toml", "level", "6")),
    "item without text": (edit("c1.toml", '[[items]]\nid = "a"\nlevel = 1\n'), ("c1.toml", "text")),
    "case without items": (edit("c1.toml", 'title = "x"\n'), ("c1.toml", "items")),
    "log missing": (edit("c2.txt", None), ("c2", "c2.txt")),
    "log empty": (edit("c2.txt", ""), ("c2.txt",)),
    "no cases": (tables(objective={"cases": "nowhere"}), ("nowhere",)),
    "unknown case": (tables(objective={"names": ["c1", "c9"]}), ("c9", "c1")),
    "bad weights": (tables(objective={"weights": [1, 2]}), ("objective", "weights")),
    "bad matcher": (tables(objective={"matcher": "lexicla"}), ("objective.matcher", "lexical")),
    "small budget": (tables(budget={"generations": 20}), ("budget.generations: 20 is too small", "it needs 54")),
    "model missing": (
        tables(baseline={"model": "other"}, engine={"options": {"models": ["scripted", "tiny"]}}),
        ("no model 'other'", "scripted, tiny"),
    ),
    "long prompt": (long_prompt, ("baseline.num_ctx", "more than num_ctx 512 holds", "use at least")),
    "bad setting": (tables(engine={"options": {"nois": 1}}), ("unknown setting 'nois'", "did you mean 'noise'?")),
    "bad values of settings": (
        tables(engine={"options": {"noise": "x", "delay": -1}}),
        ("sweep.toml: engine.options.noise must be a number from 0, not 'x'", "engine.options.delay", "not -1"),
    ),
}


@pytest.mark.parametrize("what", BAD)
def test_what_the_user_must_mend(tmp_path: Path, capsys: Capture, what: str) -> None:
    make, words = BAD[what]
    fails(capsys, sweep(make(tmp_path)), 2, *words)
    if (tmp_path / "mlruns/ledger.db").exists():  # nothing was begun
        with sqlite3.connect(tmp_path / "mlruns/ledger.db") as connection:
            assert connection.execute("SELECT COUNT(*) FROM studies").fetchone() == (0,)


def test_no_gguf(tmp_path: Path, capsys: Capture) -> None:
    pytest.importorskip("xllamacpp")
    model = tmp_path / "model.gguf"
    model.write_text("I am no model")
    path = write_sweep(tmp_path, engine={"kind": "llamacpp", "options": {}}, baseline={"model": str(model)})
    text = path.read_text().replace(', "cases" = ' + f'"{tmp_path / "cases"}"', "").replace('"noise" = 0.1', "")
    path.write_text(text)
    fails(capsys, sweep(path), 2, "model.gguf", "GGUF")


def ollama(folder: Path, host: str, **changes: Any) -> Path:
    path = write_sweep(folder, baseline={"model": "smollm2:135m", **changes})
    text = "\n".join(line for line in path.read_text().splitlines() if not line.startswith("engine"))
    path.write_text(text + f'\nengine = {{kind = "ollama", host = "{host}", options = {{attempts = 1}}}}\n')
    return path


def free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])


def test_server_down(tmp_path: Path, capsys: Capture) -> None:
    host = f"http://127.0.0.1:{free_port()}"
    fails(capsys, sweep(ollama(tmp_path, host)), 3, host, "ollama serve")


@pytest.fixture
def web_page() -> Iterator[str]:
    class Page(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.send_header("Content-Type", "text/html")
            self.end_headers()
            self.wfile.write(b"<html><body>Router login</body></html>")

        def do_POST(self) -> None:
            self.do_GET()

        def log_message(self, format: str, *args: object) -> None:
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Page)
    threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_address[1]}"
    server.shutdown()
    server.server_close()


def test_a_port_that_answers_something_else(tmp_path: Path, capsys: Capture, web_page: str) -> None:
    fails(capsys, sweep(ollama(tmp_path, web_page)), 3, web_page, "Ollama")


def test_a_model_that_the_server_does_not_have(tmp_path: Path, capsys: Capture) -> None:
    with OllamaDouble() as server:
        fails(capsys, sweep(ollama(tmp_path, server.url, model="qwen2.5:14b")), 2, "qwen2.5:14b", "smollm2:135m")


def test_a_prompt_longer_than_num_ctx_on_ollama(tmp_path: Path, capsys: Capture) -> None:
    with OllamaDouble() as server:
        path = ollama(tmp_path, server.url, num_ctx=512)
        write_cases(tmp_path / "cases", 3, words=900)
        fails(capsys, sweep(path), 2, "baseline.num_ctx", "num_ctx 512")


def test_the_server_dies_and_comes_back(tmp_path: Path, capsys: Capture) -> None:
    with OllamaDouble() as server:
        path = ollama(tmp_path, server.url, num_predict=24)
        server.faults.append(Fault("refuse", path="/api/", times=10_000, after=60))
        fails(capsys, sweep(path), 3, "run the same command again")
        kept = load_result(tmp_path / "mlruns")
        assert kept.status == "failed"
        scored = int(kept.observations["score"].notna().sum())
        assert scored > 0
        server.faults.clear()
        assert run_command(sweep(path)) == 0
        result = load_result(tmp_path / "mlruns")
        assert result.status == "done"
        assert len(result.observations) == result.plan.total
        assert result.observations["score"].notna().all()


def test_mlruns_is_a_file(tmp_path: Path, capsys: Capture) -> None:
    path = write_sweep(tmp_path)
    (tmp_path / "mlruns").write_text("not a folder")
    fails(capsys, sweep(path), 2, "mlruns", "is a file")
    (tmp_path / "mlruns").unlink()
    (tmp_path / "taken").write_text("not a folder")
    arguments = ["run", str(path), "--mlruns", str(tmp_path / "taken" / "mlruns"), "--no-tracking"]
    fails(capsys, arguments, 2, "cannot be written", "--mlruns")


@pytest.mark.parametrize("command", [["run", "x.toml"], ["status"], ["ui"]])
def test_mlruns_is_a_url(tmp_path: Path, capsys: Capture, monkeypatch: pytest.MonkeyPatch, command: list[str]) -> None:
    monkeypatch.chdir(tmp_path)
    err = fails(capsys, [*command, "--mlruns", "postgresql://me:secret@db/x"], 2, "postgresql://... is a URL")
    assert "secret" not in err
    assert not list(tmp_path.iterdir())


def test_a_ledger_that_is_no_ledger(tmp_path: Path, capsys: Capture) -> None:
    path = write_sweep(tmp_path)
    (tmp_path / "mlruns").mkdir()
    (tmp_path / "mlruns/ledger.db").write_bytes(b"no database at all " * 100)
    fails(capsys, sweep(path), 2, "ledger.db", "file is not a database")
    assert (tmp_path / "mlruns/ledger.db").read_bytes().startswith(b"no database")


@pytest.mark.parametrize("store", ["ledger.db", "optuna.db"])
def test_disk_full(tmp_path: Path, copy: Path, capsys: Capture, store: str) -> None:
    """A store that may not grow any more answers as a full disk does."""
    grown = 30 if store == "ledger.db" else 1
    limits: list[str] = []

    def limit(connection: Any, record: Any) -> None:
        name = connection.execute("PRAGMA database_list").fetchone()[2]
        if name.endswith(store):
            pages = connection.execute("PRAGMA page_count").fetchone()[0]
            if pages > 20:
                limits.append(connection.execute(f"PRAGMA max_page_count = {pages + grown}").fetchone()[0])

    before = load_result(tmp_path / "mlruns", "other").observations
    # One look: a confirmation that ends early would take fewer generations than planned.
    path = write_sweep(tmp_path, study={"name": "second", "seed": 9}, budget={"generations": 120}, confirm={"looks": 1})
    sa.event.listen(sa.Engine, "connect", limit)
    try:
        fails(capsys, sweep(path), 2, store, "disk is full", "free space")
    finally:
        sa.event.remove(sa.Engine, "connect", limit)
    assert limits
    assert load_result(tmp_path / "mlruns", "other").observations.equals(before)
    kept = load_result(tmp_path / "mlruns", "second")
    assert 0 < len(kept.observations) < kept.plan.total
    assert run_command(sweep(path)) == 0
    assert len(load_result(tmp_path / "mlruns", "second").observations) == kept.plan.total


def test_a_study_with_another_configuration(tmp_path: Path, copy: Path, capsys: Capture) -> None:
    before = load_result(tmp_path / "mlruns", "t").observations
    path = write_sweep(tmp_path, baseline={"temperature": 1.0})
    fails(capsys, sweep(path), 2, "baseline.temperature: stored 1.2, now 1.0", "'t-2'")
    assert load_result(tmp_path / "mlruns", "t").observations.equals(before)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["status"], "no sweep has been run here"),
        (["judge"], "no sweep has been run here"),
        (["export"], "no sweep has been run here"),
        (["report"], "no sweep has been run here"),
        (["rescore"], "no sweep has been run here"),
        (["plan", "--gain", "0.1"], "no sweep has been run here"),
    ],
)
def test_no_ledger_yet(tmp_path: Path, capsys: Capture, arguments: list[str], words: str) -> None:
    fails(capsys, [*arguments, "--mlruns", str(tmp_path / "none")], 2, words, "--mlruns")
    assert not (tmp_path / "none").exists()


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["rnu"], "did you mean 'run'?"),
        (["run"], "FILE"),
        (["run", "x.toml", "--jsn"], "--json"),
        (["judge", "none.csv"], "none.csv: no such file"),
        (["judge", "--expect", "beter"], "beter"),
        (["plan", "--gain", "0.1", "--noise-sd", "0.1"], "--cases"),
        (["plan", "--gain", "2"], "--gain"),
        (["rescore", "--weights", "a,b"], "five numbers"),
    ],
)
def test_wrong_use_of_the_command_line(capsys: Capture, arguments: list[str], words: str) -> None:
    fails(capsys, arguments, 2, words)


@pytest.mark.parametrize(
    ("arguments", "name"),
    [
        (["status", "--mlruns", ""], "'--mlruns'"),
        (["ui", "--no-open", "--mlruns", ""], "'--mlruns'"),
        (["run", ""], "'FILE'"),
        (["init", ""], "'DIR'"),
        (["export", "--out", ""], "'--out'"),
    ],
)
def test_a_path_that_is_empty_is_not_the_current_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Capture, arguments: list[str], name: str
) -> None:
    monkeypatch.chdir(tmp_path)
    told = fails(capsys, arguments, 2, "it is empty (is a variable of the shell not set?); write . for the current")
    assert f"Invalid value for {name}: " in told
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    "arguments", [["merge", "loop"], ["init", "loop"], ["score", "cases", "loop"], ["status", "--mlruns", "loop"]]
)
def test_a_link_that_leads_to_itself_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Capture, arguments: list[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "loop").symlink_to("loop")
    fails(capsys, arguments, 2, "loop is a link that leads back to itself")
    path = write_sweep(tmp_path, storage={"url": "sqlite:///loop/x.db"})
    assert run_command(["check", str(path)]) == 2
    assert "Traceback" not in capsys.readouterr().err


def test_every_path_of_every_command_may_not_be_empty() -> None:
    commands: list[click.Command] = [sweeps]
    while commands:
        command = commands.pop()
        if isinstance(command, click.Group):
            commands += filter(None, (command.get_command(click.Context(command), name)
                                      for name in command.list_commands(click.Context(command))))  # fmt: skip
        for parameter in command.params:
            assert isinstance(parameter.type, FilePath) == isinstance(parameter.type, click.Path), parameter.name


def test_a_folder_of_cases_that_is_not_there_is_named_with_file_and_key(tmp_path: Path, capsys: Capture) -> None:
    path = write_sweep(tmp_path, objective={"cases": "case"})
    fails(capsys, sweep(path), 2, f"{path}: objective.cases: {tmp_path / 'case'}: no such directory", "Did you mean")


def test_a_folder_stands_for_its_sweep_and_a_rubric_is_told_from_one(tmp_path: Path, capsys: Capture) -> None:
    path = write_sweep(tmp_path)
    assert run_command(sweep(tmp_path)) == 0
    capsys.readouterr()
    rubric = next((path.parent / "cases").glob("*.toml"))
    fails(capsys, sweep(rubric), 2, f"{rubric}: is the rubric of a case; name the file of a sweep", lines=1)
    fails(capsys, sweep(rubric.parent), 2, f"{rubric.parent}: is a directory, not a TOML file")


def test_a_table_that_is_not_there_is_answered_with_one_beside_it(tmp_path: Path, capsys: Capture) -> None:
    (tmp_path / "scores.csv").touch()
    near = f"score.csv: no such file; did you mean {str(tmp_path / 'scores.csv')!r}?"
    fails(capsys, ["judge", str(tmp_path / "score.csv"), "--baseline", "a"], 2, near)
    fails(capsys, ["judge", str(tmp_path / "table.csv"), "--baseline", "a"], 2, "table.csv: no such file\n")
    fails(capsys, ["judge", str(tmp_path / "no" / "t.csv"), "--baseline", "a"], 2, "t.csv: no such file\n")


def test_a_folder_without_a_ledger_is_answered_with_those_near_it(tmp_path: Path, capsys: Capture) -> None:
    assert run_command(sweep(write_sweep(tmp_path / "one"))) == 0
    for given in (tmp_path / "one", tmp_path / "mlruns", tmp_path / "one" / "mlrun"):
        fails(capsys, ["status", "--mlruns", str(given)], 2, f"there are sweeps in: {tmp_path / 'one/mlruns'}\n")
    told = fails(capsys, ["status", "--mlruns", str(tmp_path / "a/b/c")], 2, "name the folder with --mlruns\n")
    assert "there are sweeps" not in told


@pytest.mark.parametrize(
    ("option", "key"),
    [
        ("--generations", "budget.generations"), ("--seed", "study.seed"), ("--host", "engine.host"),
        ("--min-gain", "verdict.min_gain"), ("--temprature", "baseline.temperature"), ("--model", "baseline.model"),
    ],
)  # fmt: skip
def test_an_option_that_is_a_key_of_the_file_is_answered_with_it(option: str, key: str, capsys: Capture) -> None:
    for command in ("run", "check"):
        assert run_command([command, "sweep.toml", option, "5"]) == 2
        assert f"It may be the key {key} of the sweep's file; change it there.\n" in capsys.readouterr().err
    for words in (["run", "sweep.toml", "--qqq"], ["judge", "t", option + "x"]):
        assert run_command(words) == 2
        assert "of the sweep's file" not in capsys.readouterr().err
