"""`sweeps cases check`, `new` and `import` from the command line."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from sweeps.cli import run_command

LOG = """\
Petra: The kiln on line 2 tripped at 03:12, and 460 plates were cooling inside.
Jonas: Thermocouple B read 1,390 degrees while A and C read 1,210.
Jonas: We fire the plates again on Thursday with the slow program.
Petra: I tell the customer in Graz that delivery moves to 4 June.
"""


@pytest.fixture
def log(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    path = tmp_path / "kiln.txt"
    path.write_text(LOG)
    return path


def call(capsys: pytest.CaptureFixture[str], *args: str) -> tuple[int, str, str]:
    code = run_command(["cases", *args])
    out, err = capsys.readouterr()
    assert "Traceback" not in err
    return code, out, err


def test_shipped_cases_are_fine(capsys: pytest.CaptureFixture[str]) -> None:
    code, out, err = call(capsys, "check", "engineering-chats", "--num-ctx", "2048", "--strict")
    assert code == 0
    assert out.count("ok") >= 8
    assert "8 usable cases, 0 errors, 0 warnings" in err
    assert "estimated" in err


def test_new_then_check_then_review(log: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code, out, err = call(capsys, "new", "kiln.txt", "--items", "3")
    assert (code, out) == (0, "kiln.toml\n")
    assert "3 candidates" in err
    assert log.with_suffix(".toml").read_text().count("[[items]]") == 3
    code, out, _ = call(capsys, "check", ".")
    assert code == 0
    assert "nobody has reviewed" in out
    assert call(capsys, "check", ".", "--strict")[0] == 2
    code, out, _ = call(capsys, "check", ".", "--json")
    report = json.loads(out)
    assert (report["cases"], report["errors"]) == (1, 0)
    assert any(finding["check"] == "reviewed" for finding in report["findings"])


def test_check_fails_on_errors_and_shows_brackets_as_they_are(log: Path, capsys: pytest.CaptureFixture[str]) -> None:
    log.with_suffix(".toml").write_text('[[items]]\ntext = "[bold]x"\nlevel = 9\n')
    code, out, err = call(capsys, "check", ".")
    assert code == 2
    assert "items[0].level" in "".join(out.split())
    assert "0 usable cases, 1 error, 0 warnings" in err
    assert call(capsys, "check", "nowhere")[0] == 2


def test_new_does_not_overwrite(log: Path, capsys: pytest.CaptureFixture[str]) -> None:
    rubric = log.with_suffix(".toml")
    rubric.write_text("mine")
    code, _, err = call(capsys, "new", "kiln.txt")
    assert code == 2
    assert "--force" in err
    assert rubric.read_text() == "mine"
    assert call(capsys, "new", "kiln.txt", "--force")[0] == 0
    assert rubric.read_text() != "mine"


def test_new_elsewhere_copies_the_log_and_names_other_endings(log: Path, capsys: pytest.CaptureFixture[str]) -> None:
    chat = log.rename(log.with_name("chat.md"))
    assert call(capsys, "new", "chat.md")[1] == "chat.toml\n"
    assert 'log = "chat.md"' in Path("chat.toml").read_text()
    assert call(capsys, "new", "chat.md", "-o", "set")[1].split() == ["set/chat.toml", "set/chat.txt"]
    assert Path("set/chat.txt").read_text() == chat.read_text()
    assert "log =" not in Path("set/chat.toml").read_text()


@pytest.mark.parametrize(
    ("content", "says"), [(b" \n", "is empty"), (b"Hm.\n", "no candidate items"), (b"\xff", "not UTF-8")]
)
def test_logs_that_give_nothing(log: Path, content: bytes, says: str, capsys: pytest.CaptureFixture[str]) -> None:
    log.write_bytes(content)
    code, _, err = call(capsys, "new", "kiln.txt")
    assert code == 2
    assert says in err
    assert not log.with_suffix(".toml").exists()


class FakeEngine:
    """An engine with one model, which proposes two facts and counts a token per character."""

    name, address = "fake", "here"

    def __init__(self, models: list[str], answer: object = None) -> None:
        self.known = models
        self.answer = answer
        self.closed = False
        self.options: dict[str, Any] = {}

    def models(self) -> list[str]:
        return self.known

    def chat_json(self, prompt, schema, *, options, model):
        self.options = dict(options)
        if isinstance(self.answer, Exception):
            raise self.answer
        return {"items": [{"text": "The kiln tripped.", "level": 1}, {"text": f"Said {model}.", "level": 4}]}

    def count_tokens(self, prompt, *, model, options):
        return len(prompt.user)

    def close(self) -> None:
        self.closed = True


def use(monkeypatch: pytest.MonkeyPatch, engine: FakeEngine) -> list[Any]:
    specs: list[Any] = []
    monkeypatch.setattr("sweeps.engines.open_engine", lambda spec: (specs.append(spec), engine)[1])
    return specs


def test_new_asks_the_engine(log: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    engine = FakeEngine(["tiny:1b"])
    specs = use(monkeypatch, engine)
    assert call(capsys, "new", "kiln.txt", "--host", "box:1234")[0] == 0
    assert (specs[0].kind, specs[0].host) == ("ollama", "box:1234")
    text = log.with_suffix(".toml").read_text()
    assert "The kiln tripped." in text
    assert "Said tiny:1b." in text
    assert "reviewed = false" in text
    assert engine.closed
    assert engine.options["temperature"] == 0
    assert engine.options["num_ctx"] > engine.options["num_predict"] > 128


def test_new_wants_a_model_named_where_there_are_several(
    log: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    engine = FakeEngine(["a", "b"])
    use(monkeypatch, engine)
    code, _, err = call(capsys, "new", "kiln.txt", "--engine", "ollama")
    assert code == 2
    assert "--model: name one of the models of fake at here: it has a, b" in err
    assert engine.closed


def test_new_says_what_to_do_if_the_model_cannot(
    log: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from sweeps.engines.base import EngineProtocolError

    use(monkeypatch, FakeEngine(["a"], EngineProtocolError("no JSON")))
    code, _, err = call(capsys, "new", "kiln.txt", "--engine", "ollama")
    assert code == 3
    assert "no JSON" in err
    assert "leave out --engine" in err
    assert not log.with_suffix(".toml").exists()


def test_check_counts_tokens_with_the_engine(
    log: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    use(monkeypatch, FakeEngine(["a"]))
    call(capsys, "new", "kiln.txt")
    code, out, _ = call(capsys, "check", ".", "--json", "--engine", "ollama", "--num-ctx", "200", "--reserve", "0")
    assert code == 2
    (finding,) = [f for f in json.loads(out)["findings"] if f["check"] == "length"]
    assert f"{len(LOG)} tokens" in finding["message"]


def test_import_csv_and_markdown(log: Path, capsys: pytest.CaptureFixture[str]) -> None:
    Path("items.csv").write_text("level,text,any\n1,The kiln tripped.,kiln\n")
    assert call(capsys, "import", "items.csv", "--log", "kiln.txt")[1] == "kiln.toml\n"
    Path("items.md").write_text("# Kiln\n- [1] The kiln tripped.\n- [!2] The plates are scrapped.\n")
    code, _, err = call(capsys, "import", "items.md", "--log", "kiln.txt", "-o", "set")
    assert code == 0
    assert "2 items" in err
    assert 'title = "Kiln"' in Path("set/kiln.toml").read_text()
    code, _, err = call(capsys, "import", "items.md", "--log", "kiln.txt")
    assert code == 2
    assert "exists already" in err


def test_import_tells_bad_lines(log: Path, capsys: pytest.CaptureFixture[str]) -> None:
    Path("items.csv").write_text("level,text\n7,a\n2,\n")
    code, _, err = call(capsys, "import", "items.csv", "--log", "kiln.txt")
    assert code == 2
    assert "items.csv:2" in err
    assert "items.csv:3" in err
    assert not log.with_suffix(".toml").exists()
    assert call(capsys, "import", "none.csv", "--log", "kiln.txt")[0] == 2


def test_import_of_nuggets_says_how_it_read_them(log: Path, capsys: pytest.CaptureFixture[str]) -> None:
    nuggets = [
        {"text": "The kiln tripped at 03:12.", "importance": "vital"},
        {"text": "460 plates cooled.", "importance": "okay"},
    ]
    Path("n.json").write_text(json.dumps({"qid": 1, "nuggets": nuggets}))
    code, out, err = call(capsys, "import", "n.json", "--log", "kiln.txt")
    assert (code, out) == (0, "kiln.toml\n")
    assert "Level is read from 'importance'." in err
    assert "'vital' is level 1, 'okay' is level 3." in err
    assert call(capsys, "check", ".")[0] == 0
    Path("q.jsonl").write_text('{"qid": 1, "answer": "It tripped."}\n{"qid": 2, "answer": "Plates cooled."}\n')
    arguments = ("import", "q.jsonl", "--log", "kiln.txt", "--force", "--level", "2", "--where", "qid=2")
    assert call(capsys, *arguments, "--columns", "text=answer")[0] == 0
    assert "Plates cooled." in log.with_suffix(".toml").read_text()
    assert "It tripped" not in log.with_suffix(".toml").read_text()
    code, _, err = call(capsys, "import", "q.jsonl", "--log", "kiln.txt", "--columns", "texts=answer")
    assert code == 2
    assert "did you mean 'text'?" in err
    assert "no NAME=VALUE" in call(capsys, "import", "q.jsonl", "--log", "kiln.txt", "--where", "qid")[2]


def test_new_reads_exports_for_programs_and_writes_their_transcript(
    log: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    said = [line.partition(": ") for line in LOG.splitlines()]
    slack = [{"type": "message", "subtype": "channel_join", "user": "U1", "text": "Jonas has joined the channel"}]
    slack += [{"type": "message", "username": name, "text": text} for name, _, text in said]
    Path("slack.json").write_text(json.dumps(slack))
    cues = [f"00:00:0{i}.000 --> 00:00:0{i + 1}.000\n<v {name}>{text}</v>\n" for i, (name, _, text) in enumerate(said)]
    Path("meeting.vtt").write_text("WEBVTT\n\n" + "\n".join(cues))
    for name in ("slack.json", "meeting.vtt"):
        code, out, err = call(capsys, "new", name, "-o", "cases")
        stem = name.partition(".")[0]
        assert (code, out.split()) == (0, [f"cases/{stem}.toml", f"cases/{stem}.txt"])
    assert Path("cases/slack.txt").read_text() == LOG
    assert Path("cases/meeting.txt").read_text().count("Petra: ") == 2
    assert call(capsys, "check", "cases")[0] == 0
    assert call(capsys, "new", "slack.json")[1].split() == ["slack.toml", "slack.txt"]
    code, _, err = call(capsys, "new", "slack.json")
    assert code == 2
    assert "slack.txt: exists already" in err
    Path("items.csv").write_text("level,text\n1,The kiln tripped.\n")
    assert call(capsys, "import", "items.csv", "--log", "meeting.vtt")[1].split() == ["meeting.toml", "meeting.txt"]


def test_new_leaves_a_messenger_s_export_as_the_log(log: Path, capsys: pytest.CaptureFixture[str]) -> None:
    chat = "12/03/24, 14:04 - Messages and calls are end-to-end encrypted. No one outside of this chat can read them.\n"
    chat += "".join(f"12/03/24, 14:0{i} - {line}\n" for i, line in enumerate(LOG.splitlines(), 5))
    Path("chat.txt").write_text(chat)
    assert call(capsys, "new", "chat.txt")[1] == "chat.toml\n"
    assert Path("chat.txt").read_text() == chat
    rubric = Path("chat.toml").read_text()
    assert rubric.count("[[items]]") == 4
    assert "14:0" not in rubric
    assert "encrypted" not in rubric


def test_a_date_in_a_logs_name_stays_a_date_in_the_title(log: Path, capsys: pytest.CaptureFixture[str]) -> None:
    log.rename("weekly-call.2026-03-02.txt")
    assert call(capsys, "new", "weekly-call.2026-03-02.txt")[0] == 0
    assert 'title = "weekly call.2026-03-02"' in Path("weekly-call.2026-03-02.toml").read_text()


def test_several_logs_get_a_rubric_each_and_a_bad_one_stops_no_other(
    log: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    Path("empty.txt").touch()
    Path("b a.txt").write_text(LOG)
    code, out, err = call(capsys, "new", "kiln.txt", "empty.txt", "b a.txt", "none.txt", "--out", "my cases")
    assert code == 2
    assert out.split("\n")[:-1] == [f"my cases/{name}.{end}" for name in ("kiln", "b a") for end in ("toml", "txt")]
    assert "8 candidates: review them, then run `sweeps cases check 'my cases'`" in err
    assert "empty.txt: the log is empty" in err
    assert "none.txt" in err
    code, out, err = call(capsys, "new", "kiln.txt", "b a.txt", "--out", "my cases")
    assert (code, out) == (2, "")
    assert err.count("exists already") == 4
