"""Tables from files that real tools wrote; the numbers below were read off these files by hand."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import analysis
from analysis.observations.table import TableError
from analysis.sources.read_table import SOURCES, read_table

TABLES = Path(__file__).parents[2] / "data" / "tables"
CAPITALS = ["france", "japan", "peru", "kenya", "cuba", "nepal"]


def scores(table: object, configuration: str) -> dict[tuple[str, object], float]:
    rows = table[table["configuration"] == configuration]  # type: ignore[index]
    return {(case, seed): score for case, seed, score in zip(rows["case"], rows["seed"], rows["score"], strict=True)}


def test_inspect() -> None:
    table = read_table(sorted((TABLES / "inspect").glob("*.eval")), source="inspect", score="match")
    assert sorted(table["configuration"].unique()) == ["temperature=0.2", "temperature=0.8"]
    assert set(table["case"]) == set(CAPITALS)
    assert set(table["seed"]) == {1, 2}
    cold = scores(table, "temperature=0.2")
    assert {at for at, score in cold.items() if score == 0} == {("nepal", 1), ("nepal", 2)}
    hot = scores(table, "temperature=0.8")
    assert {at for at, score in hot.items() if score == 1} == {("france", 1), ("france", 2)}
    lost = table[table["finish"] == "error"]
    assert list(zip(lost["case"], lost["seed"], strict=True)) == [("cuba", 2)]
    assert lost["score"].isna().all()
    assert table.attrs["notes"] == ["scores are words: 'C' counts as 1, 'I' counts as 0"]
    (verdict,) = analysis.judge(table, baseline="temperature=0.8", claim="new-cases")
    assert verdict.cases == 6
    assert verdict.effect > 0


def test_inspect_json_says_the_same_as_eval() -> None:
    packed = read_table(TABLES / "inspect" / "capitals-1.eval", source="inspect", score="includes")
    plain = read_table(TABLES / "inspect" / "capitals-1.json", source="inspect", score="includes")
    whole = scores(packed, "mockllm/model")
    assert scores(plain, "mockllm/model") == {at: whole[at] for at in scores(plain, "mockllm/model")}
    assert len(plain) == 4


def test_two_logs_of_one_configuration_are_repeats(tmp_path: Path) -> None:
    log = json.loads((TABLES / "inspect" / "capitals-1.json").read_text())
    log["eval"]["eval_id"] = "another"
    (tmp_path / "again.json").write_text(json.dumps(log))
    table = read_table(
        [TABLES / "inspect" / "capitals-1.json", tmp_path / "again.json"], source="inspect", score="match"
    )
    assert set(table["configuration"]) == {"mockllm/model"}
    assert set(table["seed"]) == {"run 1, 1", "run 1, 2", "run 2, 1", "run 2, 2"}
    analysis.summarize(table)


def test_lm_eval() -> None:
    table = read_table(TABLES / "lm-eval", source="lm-eval", score="acc")
    assert sorted(table["configuration"].unique()) == ["tiny-a", "tiny-b"]
    for name in ("tiny-a", "tiny-b"):
        (results,) = (TABLES / "lm-eval" / name).glob("results_*.json")
        wanted = json.loads(results.read_text())["results"]["capitals"]["acc,none"]
        assert table[table["configuration"] == name]["score"].mean() == pytest.approx(wanted)
    assert "left out, because it has no score 'acc': capitals_free" in table.attrs["notes"]
    one = read_table(TABLES / "lm-eval", source="lm-eval", score="exact_match,strict-match")
    assert set(one["score"]) == {0.0}
    with pytest.raises(TableError, match="may be any of exact_match,strict-match, exact_match,flexible-extract"):
        read_table(TABLES / "lm-eval", source="lm-eval", score="exact")


def test_promptfoo() -> None:
    path = TABLES / "promptfoo" / "results.json"
    table = read_table(path, source="promptfoo", score="copied")
    assert sorted(table["configuration"].unique()) == ["plain", "polite"]
    assert set(table["case"]) == {"France, Paris", "Japan, Tokyo", "third"}
    assert set(table["seed"]) == {1, 2}  # --repeat 2, which promptfoo writes as tests of their own
    plain = scores(table, "plain")
    assert {at for at, score in plain.items() if score == 0} == {("third", 1), ("third", 2)}
    passed = read_table(path, source="promptfoo", score="pass")
    assert passed["score"].sum() == 10
    with pytest.raises(TableError, match=r"several scores: score, pass, copied, length; choose one with --score NAME"):
        read_table(path, source="promptfoo")


def test_mlflow_runs() -> None:
    table = read_table(TABLES / "mlflow" / "runs.csv", source="mlflow", score="accuracy")
    assert len(table) == 18
    assert set(table["configuration"]) == {"large", "small"}
    assert set(table["case"]) == {"france", "japan", "peru"}
    assert set(table["seed"]) == {"1", "2", "3"}
    (verdict,) = analysis.judge(table, baseline="small")
    assert verdict.outcome == "better"
    theirs = {
        "configuration": "params.model",
        "case": "params.case",
        "seed": "params.seed",
        "score": "metrics.accuracy",
    }
    mapped = read_table(TABLES / "mlflow" / "runs.csv", columns=theirs)
    (same,) = analysis.judge(mapped, baseline="small")
    assert same.effect == pytest.approx(verdict.effect)


def test_mlflow_evaluations() -> None:
    files = [TABLES / "mlflow" / "eval_small.csv", TABLES / "mlflow" / "eval_large.csv"]
    table = read_table(files, source="mlflow", score="exact")
    small = {(f"What is the capital of {c}?", 1): float(c == "France") for c in ("France", "Japan", "Peru")}
    assert scores(table, "eval_small") == small
    assert scores(table, "eval_large")["What is the capital of Peru?", 1] == 1
    words = read_table(files, source="mlflow", score="judged")
    assert list(words["score"]) == list(table["score"])
    with pytest.raises(TableError, match="no score 'expected_response'"):
        read_table(files, source="mlflow", score="expected_response")


def test_optuna() -> None:
    table = read_table(TABLES / "optuna" / "trials_default.csv", source="optuna")
    assert set(table["configuration"]) == {"temperature=0.2", "temperature=0.8"}
    assert len(table) == 14
    assert (table["finish"] == "error").sum() == 1
    (verdict,) = analysis.judge(table, baseline="temperature=0.2")
    assert verdict.effect > 0.1
    assert any("search" in note for note in verdict.notes)
    steps = read_table(TABLES / "optuna" / "trials.csv", source="optuna", columns={"case": "step"})
    assert set(steps["case"]) == {"0", "1", "2", "3"}
    assert len(steps) == 56
    trial = steps[(steps["configuration"] == "temperature=0.2") & (steps["seed"] == 1)]
    assert trial["score"].mean() == pytest.approx(table["score"][0])


def test_helm() -> None:
    table = read_table(TABLES / "helm", source="helm", score="exact_match")
    assert set(table["configuration"]) == {"without output_prefix", "output_prefix= no"}
    assert scores(table, "without output_prefix") == {("id0", 0): 1, ("id1", 0): 1, ("id2", 0): 0, ("id3", 0): 0}
    assert scores(table, "output_prefix= no") == {("id0", 0): 1, ("id1", 0): 0, ("id2", 0): 0, ("id3", 0): 1}


@pytest.mark.parametrize("source", SOURCES)
@pytest.mark.parametrize(
    "content", [b"{}", b"[]", b"[1]", b"a,b\n1,2\n", b"", b"\xff\xfe\x00", b"{", b'{"results": 1}']
)
@pytest.mark.parametrize("name", ["x.json", "x.eval", "samples_a_2026-01-01T00-00-00.0.jsonl", "x.csv"])
def test_files_of_something_else_are_refused(source: str, content: bytes, name: str, tmp_path: Path) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(TableError, match=name):
        read_table(tmp_path / name, source=source)


def test_wrong_names_are_refused_with_those_present(tmp_path: Path) -> None:
    runs = TABLES / "mlflow" / "runs.csv"
    with pytest.raises(TableError, match=r"runs.csv: no score 'acuracy'.*did you mean 'accuracy'\?"):
        read_table(runs, source="mlflow", score="acuracy")
    with pytest.raises(TableError, match=r"columns case=modle: .* did you mean 'model'\?"):
        read_table(runs, source="mlflow", score="accuracy", columns={"case": "modle"})
    with pytest.raises(TableError, match="no such file"):
        read_table(tmp_path / "x.json", source="promptfoo")
    with pytest.raises(TableError, match="is a folder"):
        read_table(tmp_path, source="mlflow")
    with pytest.raises(TableError, match="has no results of lm-eval; run lm-eval with --log_samples"):
        read_table(tmp_path, source="lm-eval")
    with pytest.raises(TableError, match="source 'wandb' is not known"):
        read_table(runs, source="wandb")


FILES = {
    "inspect": ("inspect/capitals-1.json", "match"),
    "promptfoo": ("promptfoo/results.json", "score"),
    "helm": ("helm/suffix-no/per_instance_stats.json", "exact_match"),
}


@settings(deadline=None)
@given(source=st.sampled_from(sorted(FILES)), data=st.data())
def test_a_changed_structure_is_no_traceback(
    source: str, data: st.DataObject, tmp_path_factory: pytest.TempPathFactory
) -> None:
    whole = json.loads((TABLES / FILES[source][0]).read_text())
    at = whole
    for _ in range(data.draw(st.integers(0, 7))):
        keys = list(at) if isinstance(at, dict) else range(len(at))
        key = data.draw(st.sampled_from(list(keys)))
        if not isinstance(at[key], (dict, list)) or not at[key]:
            break
        at = at[key]
    keys = list(at) if isinstance(at, dict) else range(len(at))
    at[data.draw(st.sampled_from(list(keys)))] = data.draw(
        st.sampled_from([None, "x", 3, [], {}, [1], {"a": None}, True])
    )
    path = tmp_path_factory.mktemp("changed") / "results.json"
    path.write_text(json.dumps(whole))
    try:
        table = read_table(
            path, source=source, score={"inspect": "match", "promptfoo": "score", "helm": "exact_match"}[source]
        )
    except TableError:
        return
    assert len(table)


def test_a_table_under_a_tools_name_is_said_to_be_no_file_of_that_tool(tmp_path: Path) -> None:
    path = tmp_path / "t.csv"
    path.write_text("configuration,case,seed,score\na,b,1,0.5\n")
    with pytest.raises(TableError, match=r"t\.csv: is not a file of promptfoo: "):
        read_table(path, source="promptfoo")
