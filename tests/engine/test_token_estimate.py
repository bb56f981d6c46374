"""The estimate of tokens against two real tokenizers, whose counts of these texts are written down here.

The counts are those of tiktoken's o200k_base and cl100k_base, as `python -m tests.benchmarks.tokens` writes
them; `python -m tests.benchmarks tokens` shows them beside the estimates.
"""

from __future__ import annotations

import json
import time
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from moa_tui.engine.token_estimate import estimate_tokens
from tests.benchmarks.tokens import SAMPLES

COUNTS: dict[str, list[int]] = json.loads(
    Path(__file__).with_name("token_counts.json").read_text(encoding="utf-8")
)
# Scripts that one of the two cuts into bytes: no estimate is right for both.
FAR_APART = ("Georgian", "Amharic", "Tamil", "Burmese", "Lao", "Khmer", "Bengali", "Hindi")


@pytest.mark.parametrize("name", SAMPLES)
def test_the_estimate_is_near_what_tokenizers_count(name: str) -> None:
    newer, older = COUNTS[name]
    estimate = estimate_tokens(SAMPLES[name])
    assert estimate / (newer * older) ** 0.5 == pytest.approx(1.0, abs=0.36)
    if name not in FAR_APART:
        assert 0.5 < estimate / newer < 2
        assert 0.5 < estimate / older < 2


@pytest.mark.parametrize(("text", "tokens"), [("", 0), ("hello", 1), ("a", 1), ("\ud800", 1), ("恐鳥", 2)])
def test_a_short_text_has_at_least_one(text: str, tokens: int) -> None:
    assert estimate_tokens(text) == tokens


def test_a_long_text_is_estimated_by_its_parts_and_in_no_time() -> None:
    text = " ".join(SAMPLES[name] for name in ("English", "JSON", "Russian"))
    long = text * (2_000_000 // len(text))
    started = time.perf_counter()
    estimate = estimate_tokens(long)
    assert time.perf_counter() - started < 1
    assert estimate == pytest.approx(estimate_tokens(text) * len(long) / len(text), rel=0.1)


@given(st.text(max_size=300), st.integers(1, 100))
def test_any_text_has_an_estimate(text: str, times: int) -> None:
    assert (estimate_tokens(text) > 0) == bool(text)
    assert estimate_tokens(text * times) <= 4 * len(text) * times + 1
