"""AlpacaEval: an array of instructions, and the same with the outputs of one generator.

The grader reads outputs with pandas and merges them with a baseline's by `instruction`
(tatsu-lab/alpaca_eval, `annotators/pairwise_evaluator.py`), so an instruction is written as it was read.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from moa_tui.errors import FileError
from moa_tui.evaluation.benchmarks.values import (
    Answer,
    Benchmark,
    answer_of,
    error_of,
    generator_of,
    text_of,
)
from moa_tui.evaluation.values import BulkPrompt
from moa_tui.text.safe import as_unicode

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from moa_tui.evaluation.benchmarks.source import Container, Entry
    from moa_tui.evaluation.values import PromptResult

# What the grader may merge by or show, besides the instruction; all else could only be in its way.
_PASSED_ON = ("dataset", "datasplit")


def _fits(row: Mapping[str, Any], container: Container) -> bool:
    return container == "array" and "instruction" in row


def _reader(_first: Entry, _column: str | None) -> Callable[[Entry], BulkPrompt]:
    return _prompt


def _prompt(entry: Entry) -> BulkPrompt:
    return BulkPrompt(str(entry.number), (_text(entry.row),), row=entry.row)


def _text(row: Mapping[str, Any]) -> str:
    """The instruction, with the input that older sets give to it, as AlpacaEval puts the two together."""
    instruction, more = text_of(row, "instruction"), row.get("input")
    return f"{instruction}\n\n{as_unicode(more)}" if isinstance(more, str) and more.strip() else instruction


def _row(model_id: str, result: PromptResult) -> dict[str, Any]:
    row = result.prompt.row
    document = {"instruction": row["instruction"]}
    if "input" in row:
        document["input"] = row["input"]
    document |= {"output": result.answers[0], "generator": model_id}
    document |= {name: row[name] for name in _PASSED_ON if name in row}
    return document | ({"error": result.failure} if result.failure else {})


def _has_answers(row: Mapping[str, Any]) -> bool:
    return "instruction" in row and "output" in row


def _answer(row: Mapping[str, Any], generator: str) -> Answer:
    if "output" not in row:
        raise FileError("it has no `output`")
    return Answer(
        generator_of(row, "generator", generator),
        "",
        _text(row),
        (answer_of(row["output"]),),
        error_of(row),
        row,
    )


ALPACA_EVAL = Benchmark(
    name="alpaca-eval",
    suffix=".json",
    expects="an array of objects, each with an `instruction`",
    fits=_fits,
    reader=_reader,
    row=_row,
    has_answers=_has_answers,
    answer=_answer,
)
