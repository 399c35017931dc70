"""Facts side by side."""

from sweeps.audits.findings.facts_table import fact, facts, facts_table, weights_remark
from tests.sweeps.audits.records import BLOB, CASES, answer, fingerprint, host, three_machines


def with_model(label, **model):
    facts = fingerprint(label)
    return host(label, fingerprint={**facts, "model": {**facts["model"], **model}})


def test_the_three_machines_differ_in_version_path_chip_cores_and_memory():
    table = facts_table(three_machines())

    assert list(table.columns) == ["fact", "wk-01", "wk-02", "mbp", "state", "note"]
    differs = set(table.loc[table["state"] == "differs", "fact"])
    assert differs == {"Server", "API path", "Chip", "Cores", "Memory", "GPU"}
    rows = table.set_index("fact")
    assert rows.loc["Server", ["wk-01", "wk-02", "mbp"]].tolist() == ["Ollama 0.13.5", "Ollama 0.17.4", "Ollama 0.15.6"]
    assert rows.loc["Model blob", "wk-01"] == BLOB[:12]
    assert rows.loc["GPU", "mbp"] == "in the chip, 20 cores, 48 GB"
    assert rows.loc["API path", "mbp"] == "OpenAI-compatible (/v1)"


def test_facts_that_no_host_tells_are_left_out_and_partly_known_ones_do_not_differ():
    told = three_machines(hosts=(host("wk-01"), host("wk-02", num_ctx=None, fingerprint={"host": {}})))

    assert fact(told, "Batch") is None
    found = fact(told, "Effective num_ctx")
    assert (found.state, found.values["wk-02"]) == ("partly known", "not known")
    assert all(each.state != "differs" for each in facts(told) if "not known" in each.values.values())


def test_unequal_files_are_explained_by_the_tensors():
    assert weights_remark(three_machines()) == ""
    other = {"digest": "sha256:" + "9" * 64, "weights_sha256": "9" * 64}
    unknown = three_machines(hosts=(host("wk-01"), with_model("wk-02", **other)))
    assert "may be equal" in fact(unknown, "Model blob").note
    for tensors, words in (("a" * 64, "are equal"), ("b" * 64, "the weights differ")):
        pair = (with_model("wk-01", tensors_sha256="a" * 64), with_model("wk-02", **other, tensors_sha256=tensors))
        assert words in weights_remark(three_machines(hosts=pair))


def test_threads_are_those_of_the_texts_that_are_compared_not_of_an_experiment():
    other = answer("baseline", CASES[0], 3, 42, experiment="num_thread", arm="num_thread 1", options={"num_thread": 1})
    sent = answer("baseline", CASES[0], 3, 42, options={"num_thread": 8})
    alone = three_machines(hosts=(host("wk-01", answers=(other,)),))
    assert fact(alone, "Threads") is None
    both = three_machines(hosts=(host("wk-01", answers=(other, sent)),))
    assert fact(both, "Threads").values == {"wk-01": "8"}
