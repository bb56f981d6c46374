"""FLASK: instructions with the skills they need, and the texts of one model.

The grader finds an answer by `question_id` (kaistAI/FLASK, `gpt_review/gpt4_eval.py`), which is the `idx` of
the evaluation set; the set's other file, of raw questions, has `question_id` and `text` instead.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from moa_tui.evaluation.benchmarks.values import (
    Answer,
    Benchmark,
    answer_of,
    error_of,
    generator_of,
    id_of,
    text_of,
)
from moa_tui.evaluation.values import BulkPrompt

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from moa_tui.evaluation.benchmarks.source import Container, Entry
    from moa_tui.evaluation.values import PromptResult


def _fits(row: Mapping[str, Any], _container: Container) -> bool:
    return {"idx", "instruction"} <= row.keys() or {"question_id", "text", "task"} <= row.keys()


def _reader(_first: Entry, _column: str | None) -> Callable[[Entry], BulkPrompt]:
    return _prompt


def _prompt(entry: Entry) -> BulkPrompt:
    row = entry.row
    is_raw = "text" in row and "instruction" not in row
    text = text_of(row, "text" if is_raw else "instruction")
    return BulkPrompt(id_of(row, _id_field(row)), (text,), row=row)


def _id_field(row: Mapping[str, Any]) -> str:
    return "question_id" if "question_id" in row and "idx" not in row else "idx"


def _row(model_id: str, result: PromptResult) -> dict[str, Any]:
    row = result.prompt.row
    document = {"question_id": row[_id_field(row)], "text": result.answers[0], "model_id": model_id}
    return document | ({"error": result.failure} if result.failure else {})


def _has_answers(row: Mapping[str, Any]) -> bool:
    return {"question_id", "text"} <= row.keys() and not {"task", "turns", "choices"} & row.keys()


def _answer(row: Mapping[str, Any], generator: str) -> Answer:
    return Answer(
        generator_of(row, "model_id", generator),
        id_of(row, "question_id"),
        "",
        (answer_of(row.get("text")),),
        error_of(row),
        row,
    )


FLASK = Benchmark(
    name="flask",
    suffix=".jsonl",
    expects="a line for each instruction, with an `idx` and an `instruction`",
    fits=_fits,
    reader=_reader,
    row=_row,
    has_answers=_has_answers,
    answer=_answer,
)
