"""How alike related and unrelated texts are, in twenty languages, now and by the idf of the two texts alone.

With the names of files behind `likeness`, lists of {"instruction", "output"} as AlpacaEval's and MoA's
repositories have them, real answers are compared too: of two models to one prompt, and to two prompts.
"""

from __future__ import annotations

import json
import math
import random
import re
import sys
import unicodedata
from collections import Counter
from itertools import permutations
from pathlib import Path
from statistics import mean
from typing import TYPE_CHECKING

from moa_tui.engine.claims import claims
from moa_tui.engine.likeness import cosine, vector
from moa_tui.engine.words import words
from tests.benchmarks.figures import Figure, percentile

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

_TEXTS = Path(__file__).parents[1] / "engine" / "scripts.json"
_WORD_BEFORE = re.compile(
    r"[\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff]|[^\W\u3040-\u30ff\u3400-\u9fff]+"
)
Pair = tuple[str, str]


def alike(text: str, other: str) -> float:
    return cosine(vector(words(text)), vector(words(other)))


def alike_before(text: str, other: str) -> float:
    """As it was: words cut at marks, and how rare a word is taken from the two texts."""
    counts = [Counter(word.casefold() for word in _WORD_BEFORE.findall(each)) for each in (text, other)]
    vectors = []
    for count in counts:
        weights = {
            word: times * (math.log(3 / (1 + sum(word in each for each in counts))) + 1)
            for word, times in count.items()
        }
        length = math.sqrt(sum(weight * weight for weight in weights.values())) or 1.0
        vectors.append({word: weight / length for word, weight in weights.items()})
    return cosine(*vectors)


def measure() -> list[Figure]:
    """Medians; the spread is from the 5th to the 95th percentile, the baseline is the median before."""
    texts: dict[str, dict[str, str]] = json.loads(_TEXTS.read_text(encoding="utf-8"))
    texts |= {
        f"{language}, decomposed": {name: unicodedata.normalize("NFD", text) for name, text in each.items()}
        for language, each in texts.items()
        if language in ("Vietnamese", "Korean")
    }
    figures, related, unrelated = [], [], []
    for language, each in texts.items():
        same = [(each["rain"], each["rain again"])]
        other = [(each["rain"], each["bread"]), (each["rain again"], each["bread"])]
        related += same
        unrelated += other
        figures += [_figure(f"{language}: related", same), _figure(f"{language}: unrelated", other)]
    figures += [_figure("all languages: related", related), _figure("all languages: unrelated", unrelated)]
    if files := sys.argv[2:]:
        figures += _of_real_answers(list(map(Path, files)))
    return figures


def _figure(name: str, pairs: Sequence[Pair], measured: Callable[[str, str], float] = alike) -> Figure:
    now, before = ([how(*pair) for pair in pairs] for how in (measured, alike_before))
    return Figure(
        name,
        percentile(now, 0.5),
        "cosine",
        percentile(now, 0.05),
        percentile(now, 0.95),
        percentile(before, 0.5),
    )


def _of_real_answers(files: Sequence[Path]) -> list[Figure]:
    models = [
        {entry["instruction"]: entry["output"] for entry in json.loads(path.read_text(encoding="utf-8"))}
        for path in files
    ]
    rng = random.Random(1)
    prompts = [prompt for prompt in models[0] if all(prompt in model for model in models)]
    related, unrelated = [], []
    for prompt in prompts:
        first, second = rng.choice(list(permutations(models, 2)))
        other = rng.choice([another for another in prompts if another != prompt])
        related.append((first[prompt], second[prompt]))
        unrelated.append((first[prompt], second[other]))
    figures = [_figure("real answers: one prompt", related), _figure("real answers: two prompts", unrelated)]
    before = percentile([alike_before(*pair) for pair in unrelated], 0.95)
    figures.append(
        Figure("real answers: two prompts, 95th percentile", figures[1].high, "cosine", 0, 1, before)
    )
    for least in (0.6, 0.8, 0.92):
        shares = [
            mean(how(*pair) >= least for pair in related)
            for how in (
                alike_before,
                alike,
                lambda *pair: alike(*pair) * (claims(pair[0]) == claims(pair[1])),
            )
        ]
        figures.append(
            Figure(
                f"answers to one prompt alike to {least}, claims too",
                shares[2],
                "share",
                shares[2],
                shares[1],
                shares[0],
            )
        )
    return figures
