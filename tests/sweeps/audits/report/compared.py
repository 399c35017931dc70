"""Reports of records, with ladder and levels as an audit computes them."""

import pandas as pd

from sweeps.audits.report.data import AuditReport


def levels(**words):
    """Return levels of two pairs: `identical="met not-met"` gives the words of production and baseline mode."""
    rows = [
        {"host_a": "wk-01", "host_b": other, "mode": mode, "level": level.replace("_", "-"), "met": word, "n": 6,
         "sentence": f"{level}: {word}"}
        for other in ("wk-02", "mbp")
        for level, both in words.items()
        for mode, word in zip(("production", "baseline"), both, strict=True)
    ]  # fmt: skip
    return pd.DataFrame(rows)


def report(record, ladder=(), **fields):
    return AuditReport(record, ladder=pd.DataFrame(list(ladder)), **fields)
