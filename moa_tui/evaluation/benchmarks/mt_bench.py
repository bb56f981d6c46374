"""MT-Bench: questions of two turns, which are one conversation, and the answers of one model.

Fields and temperatures are those of lm-sys/FastChat, `fastchat/llm_judge/common.py` and
`gen_api_answer.py`: the question's own `required_temperature`, else that of its category, else 0.7.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from moa_tui.errors import FileError
from moa_tui.evaluation.benchmarks.values import (
    Answer,
    Benchmark,
    answer_of,
    derived_id,
    ended,
    error_of,
    generator_of,
    id_of,
)
from moa_tui.evaluation.values import BulkPrompt
from moa_tui.text.safe import as_unicode

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from moa_tui.evaluation.benchmarks.source import Container, Entry
    from moa_tui.evaluation.values import PromptResult

TEMPERATURES = {
    "writing": 0.7,
    "roleplay": 0.7,
    "extraction": 0.0,
    "math": 0.0,
    "coding": 0.0,
    "reasoning": 0.0,
    "stem": 0.1,
    "humanities": 0.1,
    "arena-hard-200": 0.0,
}
"""The temperature of each category."""
_OTHER_TEMPERATURE = 0.7


def _fits(row: Mapping[str, Any], _container: Container) -> bool:
    return "question_id" in row and isinstance(row.get("turns"), list)


def _reader(_first: Entry, _column: str | None) -> Callable[[Entry], BulkPrompt]:
    return _prompt


def _prompt(entry: Entry) -> BulkPrompt:
    row = entry.row
    turns = row.get("turns")
    if not isinstance(turns, list) or not turns:
        raise FileError("it has no `turns`, or they are no list of texts")
    for number, turn in enumerate(turns, 1):
        if not isinstance(turn, str):
            raise FileError(f"turn {number} is not a text")
        if not turn.strip():
            raise FileError(f"turn {number} is empty")
    return BulkPrompt(id_of(row, "question_id"), tuple(map(as_unicode, turns)), _temperature(row), row)


def _temperature(row: Mapping[str, Any]) -> float | None:
    """The temperature of a question; None for one without a category."""
    required = row.get("required_temperature")
    if isinstance(required, int | float) and not isinstance(required, bool):
        return float(required)
    category = row.get("category")
    return TEMPERATURES.get(category, _OTHER_TEMPERATURE) if isinstance(category, str) else None


def _row(model_id: str, result: PromptResult) -> dict[str, Any]:
    document = {
        "question_id": result.prompt.row["question_id"],
        "answer_id": derived_id(model_id, result.prompt.id, *result.answers),
        "model_id": model_id,
        "choices": [{"index": 0, "turns": list(result.answers)}],
        "tstamp": ended(result),
    }
    return document | ({"error": result.failure} if result.failure else {})


def _has_answers(row: Mapping[str, Any]) -> bool:
    return "question_id" in row and isinstance(row.get("choices"), list)


def _answer(row: Mapping[str, Any], generator: str) -> Answer:
    match row.get("choices"):
        case [{"turns": [_, *_] as turns}, *_]:
            answers = tuple(map(answer_of, turns))
        case _:
            raise FileError("its `choices` have no `turns`")
    return Answer(
        generator_of(row, "model_id", generator),
        id_of(row, "question_id"),
        "",
        answers,
        error_of(row),
        row,
    )


MT_BENCH = Benchmark(
    name="mt-bench",
    suffix=".jsonl",
    expects="a line for each question, with a `question_id` and a list of `turns`",
    fits=_fits,
    reader=_reader,
    row=_row,
    has_answers=_has_answers,
    answer=_answer,
)
