"""Columns of the one table; this import is cheap."""

from __future__ import annotations

COLUMNS = (
    "study",  # name of the study
    "configuration",  # short digest of options without the seed, prompt and model
    "trial",  # number of the trial; -1 for the baseline
    "stage",  # floor, explore, confirm
    "host",  # fingerprint digest
    "case",
    "seed",
    "repeat",  # 0 unless the same (configuration, case, seed) was generated again on purpose
    "score",  # in [0, 1]; NaN where finish is "error"
    "covered",  # number of items covered (forbidden ones aside)
    "items",  # number of items (forbidden ones aside)
    "forbidden",  # number of forbidden items that appeared
    "lv1",  # "covered/total" per level, as the article's tables show it
    "lv2",
    "lv3",
    "lv4",
    "lv5",
    "lv12",  # levels 1 and 2 together, "covered/total"
    "words",
    "redundancy",  # share of repeated n-grams
    "copied_share",  # share of the text in long spans copied from the log
    "compression",  # words of the text per word of the log
    "matcher_sd",  # the matcher's own noise in this score, as a standard deviation; 0 for a deterministic matcher
    "prompt_tokens",
    "output_tokens",  # of thought and answer
    "answer_tokens",
    "thinking_tokens",
    "seconds",  # total
    "queue_seconds",
    "load_seconds",
    "prefill_seconds",
    "decode_seconds",
    "finish",  # stop, length, repeat, empty (no answer, whatever ended it), error
    "truncated",  # the prompt was cut
    "error",  # "" or what failed
    "text_sha256",
    "model",
    "prompt",
    # and one column per option, by Ollama's names
)
"""Columns of a sweep's observations table, in order; a column per option follows."""
