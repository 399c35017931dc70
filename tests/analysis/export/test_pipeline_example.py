"""The example pipeline sends exactly what was exported."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest

from analysis.export.formats import write_exports
from sweeps.options import NUMBERS, OPTIONS
from tests.analysis.export.test_export import make

PIPELINE = Path(__file__).parents[3] / "examples" / "pipeline"


@pytest.fixture
def server():
    """An HTTP server that keeps request bodies and answers as `/api/chat` does."""
    seen: list[dict] = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self):
            seen.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))) | {"path": self.path})
            body = json.dumps(
                {"message": {"role": "assistant", "content": "a summary"}, "done_reason": "stop"}
            ).encode()
            self.send_response(200)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *arguments):
            pass

    httpd = HTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=httpd.serve_forever)
    thread.start()
    yield f"127.0.0.1:{httpd.server_port}", seen
    httpd.shutdown()
    thread.join()
    httpd.server_close()


def run(command, host, stdin=None, **environment):
    base = {name: value for name, value in os.environ.items() if not name.startswith("OLLAMA_")}
    environment = base | {"OLLAMA_HOST": host} | environment
    return subprocess.run(command, check=False, capture_output=True, text=True, env=environment, stdin=stdin)


def test_the_shell_pipeline_sends_what_the_env_file_says(tmp_path, server):
    host, seen = server
    write_exports(make(), tmp_path / "exports")
    (tmp_path / "log one.txt").write_text("A: the disk is full {log}")
    command = [PIPELINE / "run_bundle.sh", tmp_path / "exports" / "production.env", tmp_path / "log one.txt"]
    done = run(command, host, OUT=str(tmp_path / "out"), PYTHON=sys.executable)
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "out" / "log one.txt").read_text() == "a summary\n"
    exported = json.loads((tmp_path / "exports" / "production.json").read_text())
    assert seen[0]["options"] == exported["options"]
    assert seen[0]["path"] == "/api/chat"
    assert seen[0]["model"] == "qwen2.5:14b"
    assert seen[0]["truncate"] is False
    assert seen[0]["messages"] == [
        {"role": "system", "content": "You summarise.\nBe brief."},
        {"role": "user", "content": "Summarise:\nA: the disk is full {log}"},
    ]


def test_json_and_env_ask_for_the_same(tmp_path, server):
    host, seen = server
    write_exports(make(), tmp_path, mode="baseline")
    (tmp_path / "log.txt").write_text("日本語のログ")
    by_env = [PIPELINE / "run_bundle.sh", tmp_path / "baseline.env", tmp_path / "log.txt"]
    by_json = [sys.executable, PIPELINE / "summarise.py", tmp_path / "log.txt", "--options", tmp_path / "baseline.json"]
    for command in (by_env, by_json):
        done = run(command, host, OUT=str(tmp_path / "out"), PYTHON=sys.executable)
        assert done.returncode == 0, done.stderr
    assert seen[0] == seen[1]
    assert seen[0]["options"]["seed"] == 42


def test_every_option_gets_from_either_file_into_the_request(tmp_path, server):
    """An option that the pipeline does not know would be tuned, exported, and never sent."""
    host, seen = server
    options = {name: spec.cast(1) for name, spec in NUMBERS.items()}
    options |= {"stop": ("<|im_end|>", "it's \n over"), "think": False}
    assert set(options) == set(OPTIONS)
    write_exports(make(options=options), tmp_path)
    (tmp_path / "log.txt").write_text("x")
    by_env = [PIPELINE / "run_bundle.sh", tmp_path / "production.env", tmp_path / "log.txt"]
    by_json = [sys.executable, PIPELINE / "summarise.py", tmp_path / "log.txt"]
    for command in (by_env, [*by_json, "--options", tmp_path / "production.json"]):
        done = run(command, host, OUT=str(tmp_path / "out"), PYTHON=sys.executable)
        assert done.returncode == 0, done.stderr
    assert seen[0] == seen[1]
    assert seen[0]["options"] == {n: v for n, v in options.items() if n not in ("think", "stop")} | {
        "stop": ["<|im_end|>", "it's \n over"]
    }
    assert seen[0]["think"] is False


def test_a_variable_set_by_hand_wins(tmp_path, server):
    host, seen = server
    write_exports(make(), tmp_path)
    (tmp_path / "log.txt").write_text("x")
    command = [PIPELINE / "run_bundle.sh", tmp_path / "production.env", tmp_path / "log.txt"]
    by_hand = {"OLLAMA_TEMPERATURE": "0", "OLLAMA_SEED": "42"}
    done = run(command, host, OUT=str(tmp_path / "out"), PYTHON=sys.executable, **by_hand)
    assert done.returncode == 0, done.stderr
    assert seen[0]["options"] == {"temperature": 0, "seed": 42, "top_k": 20, "top_p": 0.9, "num_ctx": 4096}
    assert [line.partition(": ")[2].replace(str(tmp_path), "") for line in done.stderr.splitlines()] == [
        "OLLAMA_TEMPERATURE=0 is yours; /production.env has 0.35",
        "OLLAMA_SEED=42 is yours; /production.env has no value",
    ]


def test_the_shell_script_names_every_variable_that_is_read():
    """One that an earlier export left in the shell would win over the file without a word."""
    named = set((PIPELINE / "run_bundle.sh").read_text().split('read_by_summarise="')[1].split('"')[0].split())
    read = set(re.findall(r'"OLLAMA_([A-Z_]+)"', (PIPELINE / "summarise.py").read_text()))
    assert named == {*map(str.upper, OPTIONS), "SEED", *read} - {"HOST", "EXPORT_DIR"}


def test_a_log_is_read_as_a_sweep_reads_it(tmp_path, server):
    host, seen = server
    write_exports(make(), tmp_path)
    (tmp_path / "log.txt").write_bytes(b"\xef\xbb\xbfA: full\r\nB: yes\r")
    command = [sys.executable, PIPELINE / "summarise.py", "--options", tmp_path / "production.json"]
    with (tmp_path / "log.txt").open("rb") as log:
        by_name, by_pipe = run([*command, tmp_path / "log.txt"], host), run([*command, "-"], host, stdin=log)
    assert (by_name.returncode, by_pipe.returncode) == (0, 0)
    assert [body["messages"][-1]["content"] for body in seen] == ["Summarise:\nA: full\nB: yes\n"] * 2


@pytest.mark.skipif(not shutil.which("jq"), reason="needs jq")
@pytest.mark.parametrize("page", [PIPELINE / "README.md", PIPELINE.parents[1] / "docs/guides/pipeline.md"])
def test_the_jq_line_fills_in_the_log_as_the_sweep_did(tmp_path, page):
    """A log's own marks, backslashes and dollars stay; the log may stand in the system prompt."""
    (line,) = re.findall(r"^jq --rawfile log log.txt '(.*?)'", page.read_text(encoding="utf-8"), re.MULTILINE)
    log, system, user = 'A: "\\1 $x" {log} \\(.a)\n', "S {log} {x}", "U $HOME"
    (tmp_path / "log.txt").write_text(log)
    write_exports(make(system=system, user=user), tmp_path, formats=["json"])
    command = ["jq", "--rawfile", "log", tmp_path / "log.txt", line, tmp_path / "production.json"]
    body = json.loads(subprocess.run(command, check=True, capture_output=True).stdout)
    assert [each["content"] for each in body["messages"]] == [system.replace("{log}", log), user]
    assert body["options"] == json.loads((tmp_path / "production.json").read_text())["options"]


def test_the_guides_python_sends_what_was_exported(tmp_path, server):
    host, seen = server
    write_exports(make(options=make().options | {"stop": ("END",)}), tmp_path / "settings")
    (tmp_path / "log.txt").write_text("A: the disk is full")
    guide = (PIPELINE.parents[1] / "docs/guides/pipeline.md").read_text(encoding="utf-8")
    (code,) = re.findall(r"^```python\n(.*?)^```", guide, re.MULTILINE | re.DOTALL)
    script = f"import os\nos.chdir({str(tmp_path)!r})\n{code}"
    done = run([sys.executable, "-c", script], host)
    assert (done.stdout, done.stderr) == ("a summary\n", "")
    exported = json.loads((tmp_path / "settings" / "production.json").read_text())
    assert seen[0]["options"] == exported["options"]
    assert seen[0]["options"]["stop"] == ["END"]
    assert seen[0]["messages"][-1]["content"] == "Summarise:\nA: the disk is full"


def test_mistakes_are_told_in_a_line(tmp_path):
    (tmp_path / "log.txt").write_text("x")
    missing = run([PIPELINE / "run_bundle.sh", tmp_path / "none.env", tmp_path / "log.txt"], "127.0.0.1:9")
    assert missing.returncode == 2
    assert "none.env" in missing.stderr
    summarise = [sys.executable, PIPELINE / "summarise.py"]
    unset = run([*summarise, tmp_path / "log.txt"], "127.0.0.1:9")
    assert unset.returncode == 1
    assert "OLLAMA_MODEL is not set" in unset.stderr
    wrong = run([*summarise, tmp_path / "log.txt"], "127.0.0.1:9", OLLAMA_MODEL="m", OLLAMA_TOP_K="many")
    assert wrong.returncode == 1
    assert "OLLAMA_TOP_K=many cannot be read" in wrong.stderr
    write_exports(make(), tmp_path)
    down = run(
        [sys.executable, PIPELINE / "summarise.py", tmp_path / "log.txt", "--options", tmp_path / "production.json"],
        "127.0.0.1:9",
    )
    assert down.returncode == 1
    assert "cannot reach Ollama at http://127.0.0.1:9/api/chat" in down.stderr
    assert "Traceback" not in unset.stderr + down.stderr
