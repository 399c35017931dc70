"""Records made by hand: the three machines of the article, and small ones for single rules."""

from sweeps.audits.record import (
    Alternatives,
    Answer,
    AuditCase,
    AuditItem,
    AuditRecord,
    HostRecord,
    NotDone,
    RenderedPrompt,
)

BLOB = "2049f5674b1e92b4464e5729975c9689fcfbf0b0e4443ccf10b5339f370f9a54"
PRODUCTION = {"temperature": 0.8, "top_k": 40, "top_p": 0.9, "num_ctx": 4096, "num_predict": 256}
BASELINE = {**PRODUCTION, "temperature": 0.0}
MODES = {"production": PRODUCTION, "baseline": BASELINE}
V1 = {"temperature": 1.0, "top_p": 1.0, "num_predict": 256}

# Items of levels 1 and 2 that the median text covers, as in the article's two tables.
ARTICLE = {
    "production": {"wk-01": (3, 5), "wk-02": (3, 4), "mbp": (2, 4)},
    "baseline": {"wk-01": (3, 5), "wk-02": (3, 5), "mbp": (3, 4)},
}
VERSIONS = {"wk-01": "0.13.5", "mbp": "0.15.6", "wk-02": "0.17.4"}
CHIPS = {"wk-01": ("Apple M4", 16), "wk-02": ("Apple M4", 24), "mbp": ("Apple M4 Pro", 48)}


def case(name, important, others=2):
    levels = [1 + number % 2 for number in range(important)] + [3] * others
    items = tuple(AuditItem(name=f"{name}-{i}", text=f"item {i} of {name}", level=lv) for i, lv in enumerate(levels))
    return AuditCase(name=name, digest=f"digest of {name}", items=items)


CASES = (case("c16", 5), case("c17", 6))


def fingerprint(label):
    chip, memory = CHIPS[label]
    gpu = {"name": chip, "memory_mib": memory * 1024, "driver": "macOS 15.5", "cores": 20 if "Pro" in chip else 10}
    return {
        "host": {
            "label": label,
            "os": "macOS",
            "os_version": "15.5",
            "architecture": "arm64",
            "math_library": "macOS 15.5",
            "cpu": chip,
            "cpu_physical": 14 if "Pro" in chip else 10,
            "cpu_logical": 14 if "Pro" in chip else 10,
            "memory_gib": memory,
            "gpus": [gpu],
            "container": "none",
            "environment": {"OLLAMA_NUM_PARALLEL": "1"},
        },
        "engine": {
            "name": "openai" if label == "mbp" else "ollama",
            "version": VERSIONS[label],
            "api": "/v1/chat/completions" if label == "mbp" else "/api/chat",
            "num_ctx": 4096,
            "gpu_share": 1.0,
        },
        "model": {
            "name": "qwen2.5:14b",
            "digest": f"sha256:{BLOB}",
            "weights_sha256": BLOB,
            "quantization": "Q4_K_M",
            "template_sha256": "eb4402837c78" + "0" * 52,
        },
        "client": {},
    }


def answer(mode, chosen, covered, seed, *, experiment="seeds", arm="warm", wording="", **fields):
    """Return an answer whose text names the items that it covers: the first ones of levels 1 and 2."""
    important = [item for item in chosen.items if item.level <= 2]
    items = {item.name: 0.9 if item in important[:covered] else 0.1 for item in chosen.items}
    text = f"{wording}{covered} items of {chosen.name}" + (f", seed {seed}" if mode == "production" else "")
    score = covered / len(important)
    return Answer(
        mode=mode, case=chosen.name, seed=seed, experiment=experiment, arm=arm, text=text, items=items, score=score,
        finish="stop", prompt_tokens=900, output_tokens=180, **{"options": MODES[mode], **fields},
    )  # fmt: skip


def host(name, **changes):
    """Return a host of the article: 3 seeds per case in production with repeats, one in baseline mode, experiments."""
    openai = name == "mbp"
    path = {"path": "openai", "options": V1} if openai else {}
    answers = []
    for number, chosen in enumerate(CASES):
        middle = ARTICLE["production"][name][number]
        for seed, covered in enumerate((middle, middle - 1, min(middle + 1, 5 + number)), start=1):
            answers.append(answer("production", chosen, covered, seed, **path))
            for repeat in (1, 2, 3):
                again = {"experiment": "repeat", "arm": "again", "repeat": repeat}
                answers.append(answer("production", chosen, covered, seed, **again, **path))
        steady = ARTICLE["baseline"][name][number]
        wording = "By /v1: " if openai else ""
        answers.append(answer("baseline", chosen, steady, 42, wording=wording, **path))
        answers += _experiments(chosen, steady, openai)
    return HostRecord(
        label=name,
        fingerprint=fingerprint(name),
        digest=f"d{name}",
        path="openai" if openai else "native",
        num_ctx=4096,
        taken="2026-03-02T10:00:00+00:00",
        answers=tuple(answer.model_copy(update={"order": place}) for place, answer in enumerate(answers)),
        first_tokens=() if name != "wk-02" else (Alternatives(prompt="p1", logprobs={"The": -0.1, "A": -2.4}),),
        rendered=tuple(RenderedPrompt(prompt=chosen.name, tokens=900) for chosen in CASES),
        not_done=(
            NotDone(experiment="num_gpu", reason="the chip's memory is the GPU's: there is no share to change"),
            NotDone(experiment="draft", reason="the model has no draft head"),
            NotDone(experiment="think", reason="the model cannot think"),
        ),
    ).model_copy(update=changes)


def _experiments(chosen, steady, openai):
    def one(experiment, arm, covered=steady, wording="", mode="baseline", **fields):
        seed = 42 if mode == "baseline" else 1
        return answer(mode, chosen, covered, seed, experiment=experiment, arm=arm, wording=wording, **fields)

    rows = [one("repeat", "warm"), one("repeat", "again", repeat=1)]
    rows += [one("first run", "warm"), one("first run", "cold")]
    rows += [one("first run", "warm", mode="production")]
    rows += [one("first run", "cold", steady - 1, "Cold: ", mode="production")]
    rows += [one("in flight", "warm"), one("in flight", "2", wording="Together: ")]
    rows += [one("api path", "warm"), one("api path", "/v1, its defaults", steady - 1, "By /v1: ", path="openai")]
    return [*rows, one("api path", "/v1, all it takes", path="openai")]


def three_machines(**changes):
    """Return the record of the article's three machines."""
    record = AuditRecord(
        model="qwen2.5:14b", modes=MODES, cases=CASES, objective="o1", hosts=tuple(map(host, ("wk-01", "wk-02", "mbp")))
    )
    return record.model_copy(update=changes)
