"""JSON Lines and CSV with a column of prompts: all columns are kept, and the answer's are added.

The prompts stand in the column that is named, else in the first of `PROMPT_COLUMNS` that is there; their ids
in the first of `ID_COLUMNS`, else a prompt's id is its place. Added are `moa_id`, `moa_answer`,
`moa_model` and `moa_error`; where the input has one of these, as an earlier output
does, they end in `_2` and so on.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from moa_tui.errors import FileError
from moa_tui.evaluation.benchmarks.csv_cells import ANSWER, ERROR, ID, MODEL
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
from moa_tui.text.safe import as_unicode

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from moa_tui.evaluation.benchmarks.source import Container, Entry
    from moa_tui.evaluation.values import PromptResult

PROMPT_COLUMNS = ("prompt", "instruction", "question", "text", "input", "query")
"""The columns in which prompts are looked for, in this order, in whatever case."""
ID_COLUMNS = ("id", "uid", "question_id", "prompt_id", "idx")
"""The columns in which ids are looked for, in this order, in whatever case."""
_SHOWN_COLUMNS = 12
_LONGEST_NAME = 40


def shown(columns: Iterable[str]) -> str:
    """The names of columns for a message, the first few of them."""
    names = [
        as_unicode(name) if len(name) <= _LONGEST_NAME else f"{name[:_LONGEST_NAME]}…" for name in columns
    ]
    more = f", and {len(names) - _SHOWN_COLUMNS} more" if len(names) > _SHOWN_COLUMNS else ""
    return ", ".join(names[:_SHOWN_COLUMNS]) + more or "none"


def has_prompts(row: Mapping[str, Any]) -> bool:
    """True where one of the usual columns of prompts is there."""
    return _first(PROMPT_COLUMNS, row) is not None


def _first(names: Iterable[str], row: Mapping[str, Any]) -> str | None:
    """The column that has the first of these names, in whatever case."""
    columns = {column.casefold(): column for column in reversed(list(row))}
    return next((columns[name] for name in names if name in columns), None)


def _prompt_column(row: Mapping[str, Any], named: str | None) -> str:
    """The column of the prompts. Raises FileError where it cannot be told."""
    if named is not None:
        column = named if named in row else _first([named.casefold()], row)
        if column is None:
            raise FileError(f'it has no column "{named}"; its columns are: {shown(row)}')
        return column
    column = _first(PROMPT_COLUMNS, row)
    if column is None:
        raise FileError(f"none of its columns has prompts by its name; name one of: {shown(row)}")
    return column


def _reader(first: Entry, named: str | None) -> Callable[[Entry], BulkPrompt]:
    column = _prompt_column(first.row, named)
    id_column = _first((name for name in ID_COLUMNS if name != column.casefold()), first.row)

    def prompt(entry: Entry) -> BulkPrompt:
        name = id_of(entry.row, id_column) if id_column is not None else str(entry.number)
        return BulkPrompt(name, (text_of(entry.row, column),), row=entry.row)

    return prompt


def _added(columns: Iterable[str]) -> str:
    """What ends the names of the added columns, so that none is among those that are there: empty or `_2`."""
    taken = set(columns)
    ending, number = "", 1
    while taken & {f"{name}{ending}" for name in (ID, ANSWER, MODEL, ERROR)}:
        number += 1
        ending = f"_{number}"
    return ending


def _last_added(columns: Iterable[str]) -> str | None:
    """What ends the names of the columns that were added last; None where none were."""
    taken = set(columns)
    ending, number, last = "", 1, None
    while f"{ANSWER}{ending}" in taken:
        last, number = ending, number + 1
        ending = f"_{number}"
    return last


def _row(model_id: str, result: PromptResult) -> dict[str, Any]:
    row = result.prompt.row
    ending = _added(row)
    added = {ID: result.prompt.id, ANSWER: result.answers[0], MODEL: model_id, ERROR: result.failure}
    return dict(row) | {f"{name}{ending}": value for name, value in added.items()}


def _has_answers(row: Mapping[str, Any]) -> bool:
    return {ID, ANSWER} <= row.keys()


def _answer(row: Mapping[str, Any], generator: str) -> Answer:
    ending = _last_added(row)
    if ending is None:
        raise FileError(f"it has no `{ANSWER}`")
    column = _first(PROMPT_COLUMNS, row)
    prompt = row[column] if column is not None else ""
    return Answer(
        generator_of(row, f"{MODEL}{ending}", generator),
        id_of(row, f"{ID}{ending}"),
        as_unicode(prompt) if isinstance(prompt, str) else "",
        (answer_of(row[f"{ANSWER}{ending}"]),),
        error_of(row, f"{ERROR}{ending}"),
        row,
    )


def _fits_jsonl(row: Mapping[str, Any], container: Container) -> bool:
    return container != "csv"


def _fits_csv(row: Mapping[str, Any], container: Container) -> bool:
    return container == "csv"


JSONL = Benchmark(
    name="jsonl",
    suffix=".jsonl",
    expects="a line for each prompt, an object of JSON with a field that has the prompt",
    fits=_fits_jsonl,
    reader=_reader,
    row=_row,
    has_answers=_has_answers,
    answer=_answer,
)
CSV = Benchmark(
    name="csv",
    suffix=".csv",
    expects="a header, and a row for each prompt with a column that has the prompt",
    fits=_fits_csv,
    reader=_reader,
    row=_row,
    has_answers=_has_answers,
    answer=_answer,
)
