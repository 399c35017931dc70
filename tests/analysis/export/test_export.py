"""Exports are read back by the programs that will read them: sh, json, tomllib, and Ollama's Modelfile rules."""

from __future__ import annotations

import json
import math
import shutil
import subprocess
import tomllib
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from analysis.export.formats import FORMATS, MODES, ExportError, ExportSet, remove_unforced, render, write_exports

SHELLS = [shell for shell in ("sh", "bash", "dash") if shutil.which(shell)]


def make(**changes) -> ExportSet:
    fields = {
        "options": {"temperature": 0.35, "top_k": 20, "top_p": 0.9, "num_ctx": 4096},
        "model": "qwen2.5:14b",
        "prompt": "terse",
        "system": "You summarise.\nBe brief.",
        "user": "Summarise:\n{log}",
        "study": "quickstart",
        "configuration": "0123456789ab",
        "date": "2026-03-02T10:00:00+00:00",
        "shown_better": True,
        "outcome": "better",
        "trial": 17,
        "effect": 0.081,
        "ci_low": 0.032,
        "ci_high": 0.13,
        "level": 0.975,
        "p_value": 0.0023,
        "claim": "these-cases",
        "n_per_arm": 48,
        "seeds": range(1000, 1008),
        "model_digest": "7cdf5a0187d5",
        "weights_sha256": "2049f5674b1e",
        "engine": "ollama",
        "engine_version": "0.32.15",
        "host_digest": "abcd",
        "host": "Linux x86_64, 2 cores",
        "version": "0.1.0",
    }
    return ExportSet(**(fields | changes))


def sourced(path: Path, shell: str = "sh") -> dict[str, str]:
    """The OLLAMA_* variables that a program started by a shell sees after `set -a; . file`."""
    script = 'set -eu; set -a; . "$1"; set +a; env -0'
    done = subprocess.run(
        [shell, "-c", script, shell, str(path)], capture_output=True, check=True, env={"PATH": "/usr/bin:/bin"}
    )
    assert done.stderr == b""
    pairs = (entry.decode(errors="surrogateescape").partition("=") for entry in done.stdout.split(b"\0") if entry)
    return {name: value for name, _, value in pairs if name.startswith("OLLAMA_")}


def docker_env(text: str) -> dict[str, str]:
    """What `docker run --env-file` makes of a file: comment lines, then NAME=everything after the sign, literally."""
    lines = [line for line in text.split("\n") if line and not line.startswith("#")]
    return {line.partition("=")[0]: line.partition("=")[2] for line in lines}


def parse_modelfile(text: str) -> list[tuple[str, str]]:
    """Ollama's Modelfile grammar, as far as exports use it: one command a line, values in triple quotes over lines.

    Written from the rules that the server's parser follows: a value ends at the first line break before which it is
    unquoted, or starts and ends with three quotes; characters that cannot be printed are dropped.
    """
    commands: list[tuple[str, str]] = []
    lines = text.split("\n")
    at = 0
    while at < len(lines):
        line = lines[at]
        at += 1
        if not line.strip() or line.startswith("#"):
            continue
        name, _, value = line.partition(" ")
        value = value.lstrip() if value.lstrip().startswith('"""') else value.strip()
        while value.startswith('"""') and not (len(value.strip()) >= 6 and value.strip().endswith('"""')):
            value += "\n" + lines[at]
            at += 1
        if value.startswith('"""'):
            value = value.strip()[3:-3]
        elif len(value) > 1 and value[0] == value[-1] == '"':
            value = value[1:-1]
        commands.append((name, "".join(char for char in value if char.isprintable() or char in "\n\r\t")))
    return commands


FLOATS = {"temperature", "top_p", "min_p", "repeat_penalty", "mirostat_tau", "mirostat_eta"}
INTEGERS = {"top_k", "num_ctx", "num_predict", "repeat_last_n"}
option_sets = st.fixed_dictionaries(
    {},
    optional={name: st.floats(0, 1000, allow_nan=False) for name in sorted(FLOATS)}
    | {name: st.integers(-1, 2**40) for name in sorted(INTEGERS)}
    | {"mirostat": st.sampled_from([0, 1, 2])},
)
encodable = st.text(st.characters(codec="utf-8"), max_size=60)
names = encodable.filter(lambda text: text.isprintable())
RELAXED = settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


@RELAXED
@given(options=option_sets, study=encodable, prompt=names, host=encodable)
def test_env_comes_back_from_a_real_shell_and_from_docker(tmp_path, options, study, prompt, host):
    export = make(options=options, study=study, prompt=prompt, host=host)
    text = render(export, "env")
    path = tmp_path / "x.env"
    path.write_bytes(text.encode())
    seen = sourced(path)
    assert seen.pop("OLLAMA_MODEL") == "qwen2.5:14b"
    assert seen.pop("OLLAMA_PROMPT") == prompt
    assert {name: float(value) for name, value in seen.items()} == {
        f"OLLAMA_{name.upper()}": value for name, value in export.options.items()
    }
    assert {name: value for name, value in docker_env(text).items() if name != "OLLAMA_PROMPT"} == {
        "OLLAMA_MODEL": "qwen2.5:14b",
        **seen,
    }


@pytest.mark.parametrize("shell", SHELLS)
def test_a_hostile_name_cannot_run_in_a_shell(tmp_path, shell):
    evil = "x\ntouch pwned\n$(touch pwned)`touch pwned`'; touch pwned #"
    export = make(study=evil, host=evil, engine=evil, model_digest=evil, prompt=evil, model="my $(touch pwned) 'model'")
    write_exports(export, tmp_path)
    seen = sourced(tmp_path / "production.env", shell)
    assert seen["OLLAMA_MODEL"] == "my $(touch pwned) 'model'"
    assert seen["OLLAMA_PROMPT"] == evil.replace("\n", " ")
    assert not list(Path.cwd().glob("pwned"))
    assert not list(tmp_path.glob("pwned"))


@RELAXED
@given(options=option_sets, system=st.none() | encodable, user=encodable, study=encodable)
def test_json_holds_exactly_what_the_api_takes(options, system, user, study):
    export = make(options=options, system=system, user=user, study=study)
    body = json.loads(render(export, "json"), parse_constant=pytest.fail)
    assert body["options"] == export.options
    assert all(type(body["options"][name]) is int for name in INTEGERS & set(body["options"]))
    assert "seed" not in body["options"]
    assert body["messages"][-1] == {"role": "user", "content": user}
    assert [message["content"] for message in body["messages"][:-1]] == ([] if system is None else [system])
    assert body["provenance"]["study"] == study
    assert body["truncate"] is False


@RELAXED
@given(options=option_sets, prompt=encodable, study=encodable)
def test_toml_is_a_baseline_table(options, prompt, study):
    export = make(options=options, prompt=prompt, study=study)
    table = tomllib.loads(render(export, "toml"))
    assert table == {"baseline": {"model": "qwen2.5:14b", "prompt": prompt, **export.options}}


@RELAXED
@given(system=st.text(st.sampled_from("ab\" \n\t'#{}日\u3000\u200b"), max_size=30), study=encodable)
def test_a_modelfile_holds_the_system_prompt_or_says_that_it_cannot(system, study):
    visible = "".join(char for char in system if char not in "\u3000\u200b")
    try:
        text = render(make(system=system, study=study), "modelfile")
    except ExportError:
        assert any(line.rstrip().endswith('"""') for line in visible.split("\n"))
        return
    commands = parse_modelfile(text)
    kept = "".join(char for char in system if char.isprintable() or char in "\n\t")
    assert commands[0] == ("FROM", "qwen2.5:14b")
    assert [value for name, value in commands if name == "SYSTEM"] == ([kept] if system else [])
    assert {value for name, value in commands if name == "PARAMETER"} == {
        "temperature 0.35",
        "top_k 20",
        "top_p 0.9",
        "num_ctx 4096",
    }
    if kept != system:
        assert "drops these characters" in text


def test_a_modelfile_leaves_out_what_the_host_ignores():
    export = make(options={"temperature": 0.7, "repeat_penalty": 1.2, "mirostat": 2, "mirostat_tau": 3.0, "typo": 1})
    parameters = {
        value.split()[0] for name, value in parse_modelfile(render(export, "modelfile")) if name == "PARAMETER"
    }
    assert parameters == {"temperature", "repeat_penalty"}
    text = render(export, "modelfile", honoured={"temperature", "mirostat", "mirostat_tau"})
    parameters = {value.split()[0] for name, value in parse_modelfile(text) if name == "PARAMETER"}
    assert parameters == {"temperature", "mirostat", "mirostat_tau"}
    assert "Ollama ignores them here: repeat_penalty, typo\n" in text.partition("FROM")[0]


def test_think_is_a_field_of_the_request_and_stop_an_option(tmp_path):
    export = make(options={"temperature": 0.35, "think": "low", "stop": ("\n\n", 'a "word"', "終")})
    body = json.loads(render(export, "json"))
    assert body["think"] == "low"
    assert body["options"] == {"temperature": 0.35, "stop": ["\n\n", 'a "word"', "終"]}
    baseline = tomllib.loads(render(export, "toml"))["baseline"]
    assert (baseline["think"], baseline["stop"]) == ("low", ["\n\n", 'a "word"', "終"])
    text = render(export, "modelfile")
    stops = parse_modelfile(text.replace("PARAMETER stop", "stop"))
    assert [value for name, value in stops if name == "stop"] == ["\n\n", 'a "word"', "終"]
    assert '# a Modelfile cannot set think; send it with each request: "low"' in text
    assert "no effect" not in text
    path, _ = write_exports(replace(export, system=None), tmp_path, formats=["env"])
    variables = sourced(path)
    assert (variables["OLLAMA_THINK"], json.loads(variables["OLLAMA_STOP"])) == ("low", ["\n\n", 'a "word"', "終"])


def test_no_stop_at_all_is_nothing_that_a_modelfile_can_say():
    text = render(make(options={"temperature": 0.35, "stop": ()}), "modelfile")
    assert "PARAMETER stop" not in text
    assert "send stop = [] with each request" in text


def test_a_stop_text_that_a_modelfile_would_change_is_refused_there():
    export = make(options={"stop": ("a\u200bb",)})
    with pytest.raises(ExportError, match="a Modelfile cannot hold"):
        render(export, "modelfile")
    assert json.loads(render(export, "json"))["options"]["stop"] == ["a\u200bb"]


@pytest.mark.parametrize("fmt", FORMATS)
def test_baseline_mode_is_greedy_with_a_fixed_seed_and_otherwise_as_tuned(fmt):
    text = render(make(), fmt, "baseline")
    if fmt == "env":
        values = docker_env(text)
        assert (values["OLLAMA_TEMPERATURE"], values["OLLAMA_SEED"], values["OLLAMA_TOP_K"]) == ("0", "42", "20")
    elif fmt == "json":
        assert json.loads(text)["options"] == {"temperature": 0, "seed": 42, "top_k": 20, "top_p": 0.9, "num_ctx": 4096}
    elif fmt == "toml":
        # A seed belongs to a request; a sweep's [baseline] has none.
        assert tomllib.loads(text)["baseline"] == {
            "model": "qwen2.5:14b",
            "prompt": "terse",
            "temperature": 0,
            "top_k": 20,
            "top_p": 0.9,
            "num_ctx": 4096,
        }
    else:
        assert {("PARAMETER", "temperature 0"), ("PARAMETER", "seed 42")} <= set(parse_modelfile(text))
    assert "temperature 0, seed 42" in text or fmt == "json"


@pytest.mark.parametrize("fmt", FORMATS)
@pytest.mark.parametrize("mode", MODES)
def test_every_file_says_where_it_comes_from(fmt, mode):
    text = render(make(), fmt, mode)
    for fact in ("quickstart", "17", "better", "0.081", "0.032", "0.13", "7cdf5a0187d5", "0.32.15", "2026-03-02"):
        assert fact in text


@pytest.mark.parametrize("fmt", FORMATS)
@pytest.mark.parametrize("outcome", ["worse", "equivalent", "not distinguishable", None])
def test_what_is_not_shown_better_is_refused_unless_forced_and_then_says_so(fmt, outcome):
    export = make(shown_better=False, outcome=outcome)
    with pytest.raises(ExportError, match=r"not shown better.*--force"):
        render(export, fmt)
    forced = render(replace(export, forced=True), fmt)
    assert "NOT SHOWN BETTER" in "".join(forced.splitlines()[:2])
    assert "NOT SHOWN BETTER" not in render(make(forced=True), fmt)


def test_the_interval_is_told_with_its_level_and_the_arms_with_their_sizes():
    export = make(n_per_arm=12, n_finalist=48, n_baseline=12)
    first = render(export, "env").splitlines()[0]
    assert "effect +0.081, 97.5% interval [+0.032, +0.130], p = 0.002, 48 generations against 12 of the base" in first
    assert "interval" not in render(make(ci_low=None), "env").splitlines()[0]
    assert ", 48 generations each" in render(make(n_finalist=48, n_baseline=48), "env").splitlines()[0]
    known = json.loads(render(export, "json"))["provenance"]
    assert (known["level"], known["n_per_arm"], known["n_finalist"], known["n_baseline"]) == (0.975, 12, 48, 12)


def test_refusal_leaves_no_file(tmp_path):
    with pytest.raises(ExportError):
        write_exports(make(shown_better=False, outcome="equivalent"), tmp_path / "out", formats=FORMATS)
    assert not (tmp_path / "out").exists()


def test_files_and_prompts_are_written_whole_and_replace_older_ones(tmp_path):
    (tmp_path / "production.env").write_text("old")
    paths = write_exports(make(), tmp_path, formats=FORMATS)
    assert {path.name for path in paths} == {path.name for path in tmp_path.iterdir()}
    assert {path.name for path in paths} == {
        "production.env",
        "production.system.txt",
        "production.user.txt",
        "production.json",
        "production.Modelfile",
        "production.toml",
    }
    seen = sourced(tmp_path / "production.env")
    assert (tmp_path / seen["OLLAMA_SYSTEM_FILE"]).read_text() == "You summarise.\nBe brief."
    assert (tmp_path / seen["OLLAMA_PROMPT_FILE"]).read_text() == "Summarise:\n{log}"


def test_a_failed_write_keeps_the_old_files_and_no_leftovers(tmp_path, monkeypatch):
    (tmp_path / "production.env").write_text("old")
    monkeypatch.setattr("os.fsync", lambda _: (_ for _ in ()).throw(OSError(28, "No space left on device")))
    with pytest.raises(ExportError, match=r"cannot write .*No space left"):
        write_exports(make(), tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["production.env"]
    assert (tmp_path / "production.env").read_text() == "old"


def test_exports_of_a_verdict_that_no_longer_holds_are_removed(tmp_path):
    (tmp_path / "report.html").write_text("a report")
    names = {path.name for path in write_exports(make(), tmp_path, formats=FORMATS)}
    assert {path.name for path in tmp_path.iterdir()} == names | {"report.html"}
    remove_unforced(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["report.html"]
    remove_unforced(tmp_path / "missing")


@pytest.mark.parametrize("form", FORMATS)
@pytest.mark.parametrize("why", [{"shown_better": False}, {"broken": ["breaks words: 171 on average, limit 150"]}])
def test_what_was_exported_by_force_stays(tmp_path, form, why):
    paths = write_exports(make(**why), tmp_path, formats=[form], force=True)
    write_exports(make(), tmp_path, formats=["json"], mode="baseline")
    remove_unforced(tmp_path)
    assert sorted(tmp_path.iterdir()) == sorted(paths)


def test_numpy_and_table_values_become_plain_numbers():
    export = make(options={"temperature": np.float64(0.5), "top_k": 40.0, "num_ctx": np.int64(2048), "top_p": 1})
    assert {name: type(value) for name, value in export.options.items()} == {
        "temperature": float,
        "top_k": int,
        "num_ctx": int,
        "top_p": int,
    }
    assert make(effect=math.nan, p_value=None).provenance().keys().isdisjoint({"effect", "p_value"})


def test_inactive_options_and_the_seed_are_left_out():
    options = {"temperature": 0.5, "mirostat": 0, "mirostat_tau": 5.0, "mirostat_eta": 0.1, "seed": 7}
    assert make(options=options).options == {"temperature": 0.5, "mirostat": 0}
    assert make(options=options | {"mirostat": 2}).options.keys() == {
        "temperature",
        "mirostat",
        "mirostat_tau",
        "mirostat_eta",
    }


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"options": {"temperature": math.nan}}, "temperature must be a finite number"),
        ({"options": {"temperature": "0.3"}}, "temperature must be a finite number, not '0.3'"),
        ({"options": {"temperature": True}}, "finite number"),
        ({"options": {"top_k": 3.9}}, "top_k must be a whole number, not 3.9"),
        ({"options": {"X; rm -rf /": 1}}, "not an option name"),
        ({"model": "a\nPARAMETER x 1"}, "cannot be written into an export"),
        ({"model": ""}, "cannot be written into an export"),
        ({"date": "yesterday"}, "ISO 8601"),
        ({"outcome": "worse"}, "contradicts"),
    ],
)
def test_bad_sets_are_refused_with_the_place(changes, message):
    with pytest.raises(ExportError, match=message):
        make(**changes)


def test_unknown_format_mode_and_name_are_refused(tmp_path):
    with pytest.raises(ExportError, match=r"'yaml'; valid: env, json"):
        render(make(), "yaml")
    with pytest.raises(ExportError, match=r"'fast'; valid: production, baseline"):
        render(make(), "env", "fast")
    with pytest.raises(ExportError, match="plain file name"):
        write_exports(make(), tmp_path, stem="../x")


def test_the_env_file_says_which_quotes_docker_would_keep() -> None:
    plain, quoted = (render(make(options=options), "env") for options in ({"top_k": 20}, {"stop": ("END",)}))
    assert "# with docker:   --env-file production.env\n" in plain
    assert "--env-file production.env, once you have removed the shell's quotes around OLLAMA_STOP\n" in quoted
