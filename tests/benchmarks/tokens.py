"""The estimate of tokens, as ratios to what two real tokenizers count; and how long an estimate takes.

The tokenizers are tiktoken's o200k_base and cl100k_base, whose tables litellm's package has. The program
loads neither.
"""

from __future__ import annotations

import base64
import importlib.util
import json
import os
import random
import time
import uuid
from pathlib import Path

from moa_tui.engine.token_estimate import _counted, estimate_tokens
from tests.benchmarks.figures import Figure, figure

_TESTS = Path(__file__).parents[1]


def _samples() -> dict[str, str]:
    """Texts of many kinds, the same at every call."""
    rng = random.Random(13)
    scripts = json.loads((_TESTS / "engine" / "scripts.json").read_text(encoding="utf-8"))
    samples = {language: "\n\n".join(texts.values()) for language, texts in scripts.items()}
    records = [
        {"id": rng.randrange(10**6), "name": rng.choice(["Ann", "Bob"]), "price": round(rng.random() * 99, 2)}
        for _ in range(30)
    ]
    return samples | {
        "JSON": json.dumps(records),
        "JSON indented": json.dumps(records, indent=2),
        "code": _CODE * 4,
        "minified code": "".join(f"function f{n}(a,b){{return a[{n}]?b.c(a,{n}):null}}" for n in range(30)),
        "digits": "".join(rng.choice("0123456789") for _ in range(600)),
        "numbers": " ".join(str(rng.randrange(10 ** rng.randrange(1, 7))) for _ in range(120)),
        "table of numbers": "\n".join(
            ",".join(f"{rng.random() * 99:.3f}" for _ in range(5)) for _ in range(20)
        ),
        "base64": base64.b64encode(rng.randbytes(500)).decode(),
        "hex": rng.randbytes(300).hex(),
        "UUIDs": "\n".join(str(uuid.UUID(bytes=rng.randbytes(16))) for _ in range(20)),
        "URLs": "\n".join(
            f"https://www.example.org/wiki/Water_cycle?page={rng.randrange(999)}&sort=up#part-{n}"
            for n in range(15)
        ),
        "Markdown table": "| Name | Value |\n|------|------:|\n"
        + "\n".join(f"| item {n} | {rng.randrange(999)} kg |" for n in range(25)),
        "LaTeX": r"\frac{a}{b} + \sqrt{x^2+1} = \int_0^\infty e^{-x}\,dx " * 8,
        "log": "\n".join(
            f"2026-11-{n + 1:02d}T10:{rng.randrange(60):02d}:07Z INFO worker-{n} took {rng.randrange(900)} ms"
            for n in range(20)
        ),
        "emoji": " ".join(rng.choice(["😀", "🎉", "👍🏽", "❤️", "🇩🇪", "🚀"]) for _ in range(60)),
        "indented lines": "".join("\n" + " " * rng.choice([4, 8, 12]) + "return x" for _ in range(60)),
        "blank lines": "a line of text\n\n\n" * 30,
        "tree of files": (
            "src/\n├── main.py\n│   └── parts/\n│       ├── a.py\n│       └── b.py\n└── README.md\n" * 5
        ),
        "drawn table": (
            "┌──────┬──────┐\n│ name │ kg   │\n├──────┼──────┤\n│ moa  │ 230  │\n└──────┴──────┘\n" * 5
        ),
        "bars": "moa ████████████░░░░░░ 60%\nkiwi ██████░░░░░░░░░░░░ 30%\n" * 5,
        "rules": ("-" * 40 + "\nTitle\n" + "=" * 40 + "\n") * 6,
    }


_CODE = '''\
def percentile(values, share):
    """The value that `share` of the values do not exceed."""
    ordered = sorted(values)
    for index, value in enumerate(ordered):
        if index >= len(ordered) * share and value is not None:
            return ordered[min(len(ordered) - 1, int(len(ordered) * share))]
    raise ValueError(f"no value among {len(values)}")


'''
SAMPLES = _samples()


def estimate_before(text: str) -> int:
    """The estimate as it was: four ASCII characters to a token, other characters one each."""
    ascii_size = len(text.encode("ascii", "ignore"))
    return (ascii_size + 3) // 4 + len(text) - ascii_size


def counts() -> dict[str, list[int]]:
    """What the two tokenizers count, the newer one first."""
    spec = importlib.util.find_spec("litellm")
    assert spec is not None
    assert spec.origin is not None
    tables = Path(spec.origin).parent / "litellm_core_utils" / "tokenizers"
    os.environ["TIKTOKEN_CACHE_DIR"] = str(tables)
    import tiktoken

    encodings = [tiktoken.get_encoding(name) for name in ("o200k_base", "cl100k_base")]
    return {
        name: [len(encoding.encode(text, disallowed_special=())) for encoding in encodings]
        for name, text in SAMPLES.items()
    }


def measure() -> list[Figure]:
    """Estimate to count: the value is now, the baseline before; low and high are by each tokenizer."""
    figures = []
    for name, (newer, older) in counts().items():
        mean = (newer * older) ** 0.5
        now, before = estimate_tokens(SAMPLES[name]), estimate_before(SAMPLES[name])
        figures.append(
            Figure(
                f"tokens of {name}, estimate to count",
                now / mean,
                "ratio",
                now / older,
                now / newer,
                before / mean,
            )
        )
    for size in (100, 2_000, 20_000, 1_000_000):
        text = (SAMPLES["English"] * (size // len(SAMPLES["English"]) + 1))[:size]
        rounds = []
        for _ in range(20):
            _counted.cache_clear()
            begin = time.perf_counter()
            estimate_tokens(text)
            rounds.append((time.perf_counter() - begin) * 1e6)
        figures.append(figure(f"estimate of {size:,} characters", "µs", rounds))
    return figures


if __name__ == "__main__":
    path = _TESTS / "engine" / "token_counts.json"
    path.write_text(json.dumps(counts(), indent=1) + "\n", encoding="utf-8")
