"""Inputs as the benchmarks publish them are read, and outputs written as their graders read them."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from moa_tui.evaluation import benchmarks
from tests.evaluation.benchmarks.results import answered, failed

if TYPE_CHECKING:
    from moa_tui.evaluation.values import PromptResult

FILES = Path(__file__).parent / "files"
INPUTS = {
    "alpaca-eval": "alpaca_eval.json",
    "mt-bench": "mt_bench.jsonl",
    "flask": "flask.jsonl",
    "arena-hard": "arena_hard.jsonl",
    "jsonl": "prompts.jsonl",
    "csv": "prompts.csv",
}


def results(format: str) -> tuple[benchmarks.BulkInput, list[PromptResult]]:
    """The prompts of a golden input, all answered but the last, which failed."""
    bulk = benchmarks.open_input(FILES / INPUTS[format])
    prompts = list(bulk)
    return bulk, [*map(answered, prompts[:-1]), failed(prompts[-1])]


@pytest.mark.parametrize("format", benchmarks.FORMATS)
def test_a_format_is_told_by_what_is_in_the_file(format: str, tmp_path: Path) -> None:
    unnamed = tmp_path / "input"
    unnamed.write_bytes((FILES / INPUTS[format]).read_bytes())
    bulk = benchmarks.open_input(unnamed)
    assert bulk.format == format
    assert bulk.count == len(list(bulk)) == len(list(bulk)) == 3
    assert bulk.problems == ()


@pytest.mark.parametrize("format", benchmarks.FORMATS)
def test_outputs_are_as_the_graders_read_them(format: str, tmp_path: Path) -> None:
    bulk, given = results(format)
    path = tmp_path / benchmarks.output_name(format, "moa-lite")
    benchmarks.write_outputs(format, path, "moa-lite", iter(given), like=bulk)
    golden = FILES / "out" / f"{format}{path.suffix}"
    assert path.read_bytes() == golden.read_bytes()
    assert path.stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize("format", benchmarks.FORMATS)
def test_outputs_are_read_again(format: str, tmp_path: Path) -> None:
    bulk, given = results(format)
    path = tmp_path / "out"
    benchmarks.write_outputs(format, path, "moa-lite", given, like=bulk)
    outputs = benchmarks.read_outputs(path)
    answers = list(outputs)
    assert (outputs.format, outputs.generators, outputs.count) == (format, ("moa-lite",), 3)
    assert [answer.turns for answer in answers] == [result.answers for result in given]
    assert [answer.error for answer in answers] == [result.failure for result in given]
    by_id = [result.prompt.id for result in given]
    by_text = [result.prompt.turns[0] for result in given]
    assert [answer.key for answer in answers] == (by_text if format == "alpaca-eval" else by_id)
