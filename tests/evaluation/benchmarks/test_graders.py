"""The graders' own loaders read what is written for them; `graders.py` fetches the packages."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from moa_tui.evaluation.benchmarks import open_input, output_name, write_outputs
from moa_tui.evaluation.benchmarks.mt_bench import TEMPERATURES
from tests.evaluation.benchmarks import graders, loaders
from tests.evaluation.benchmarks.results import answered, failed

FILES = Path(__file__).parent / "files"
# What a grader's pandas or judge could stumble over.
ODD = 'A “quote”, \u2028 a line, \x00 \x1b[31m, a lone \ud800 and {braces} "…" 😀'

pytestmark = [
    pytest.mark.program,
    pytest.mark.skipif(
        not graders.folder().is_dir(),
        reason="the graders are fetched by `python -m tests.evaluation.benchmarks.graders`",
    ),
]


def graded(*arguments: str | Path) -> dict[str, Any]:
    """What a grader makes of outputs."""
    command = [sys.executable, "-I", loaders.__file__, str(graders.folder()), *map(str, arguments)]
    run = subprocess.run(command, capture_output=True, text=True, timeout=100)
    assert run.returncode == 0, run.stderr
    document: dict[str, Any] = json.loads(run.stdout)
    return document


def written(format: str, input_name: str, folder: Path) -> Path:
    """The outputs of a golden input: an odd answer, an ordinary one, and a failure."""
    prompts = list(open_input(FILES / input_name))
    path = folder / output_name(format, "moa-lite")
    results = [
        answered(prompts[0], *(ODD for _ in prompts[0].turns)),
        answered(prompts[1]),
        failed(prompts[2]),
    ]
    write_outputs(format, path, "moa-lite", results)
    return path


def test_alpaca_eval_merges_the_outputs_with_a_baseline(tmp_path: Path) -> None:
    outputs = written("alpaca-eval", "alpaca_eval.json", tmp_path)
    baseline = [
        {**entry, "output": "The baseline.", "generator": "base"}
        for entry in json.loads((FILES / "alpaca_eval.json").read_text())
    ]
    (tmp_path / "baseline.json").write_text(json.dumps(baseline))
    document = graded("alpaca-eval", outputs, tmp_path / "baseline.json")
    assert list(document["leaderboard"]) == ["moa-lite"]
    assert document["leaderboard"]["moa-lite"]["n_total"] == 3
    assert document["leaderboard"]["moa-lite"]["win_rate"] == 100.0
    assert [row["output_2"] for row in document["annotations"]] == [
        ODD.replace("\ud800", "\ufffd"),
        "Answer 1 to 2.",
        "",
    ]


def test_mt_bench_finds_an_answer_to_every_question(tmp_path: Path) -> None:
    written("mt-bench", "mt_bench.jsonl", tmp_path)
    document = graded("mt-bench", FILES / "mt_bench.jsonl", tmp_path, "moa-lite")
    assert document["models"] == ["moa-lite"]
    assert document["ids"] == [81, 111, 151]
    odd = ODD.replace("\ud800", "\ufffd")
    assert document["turns"] == [[odd, odd], ["Answer 1 to 111.", "Answer 2 to 111."], ["", ""]]
    assert document["temperatures"] == TEMPERATURES


def test_arena_hard_reads_answers_and_style_with_pandas(tmp_path: Path) -> None:
    outputs = written("arena-hard", "arena_hard.jsonl", tmp_path)
    document = graded("arena-hard", outputs)
    assert document["model"] == "moa-lite"
    assert document["answers"] == [
        ODD.replace("\ud800", "\ufffd"),
        "Answer 1 to a0b1c2d3e4f50617.",
        "",
    ]
    assert [len(numbers) for numbers in document["style"].values()] == [4, 4, 4]
