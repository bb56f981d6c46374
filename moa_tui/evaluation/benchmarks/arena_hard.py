"""Arena-Hard v2: prompts with a category, and the messages of one model.

The fields are those of lmarena/arena-hard-auto: `gen_answer.py` for the answer, whose text stands in the last
message's content under `answer`, and `utils/add_markdown_info.py` for the counts that control for style.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from moa_tui.engine.token_estimate import estimate_tokens
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
    text_of,
)
from moa_tui.evaluation.values import BulkPrompt
from moa_tui.text.safe import as_unicode

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from moa_tui.evaluation.benchmarks.source import Container, Entry
    from moa_tui.evaluation.values import PromptResult

# What stands in code is no style; its marks stay, as the grader leaves them.
_CODE = re.compile("```[^`]*```")
_HEADERS = re.compile(r"^(#{1,6})\s", re.MULTILINE)
# The blank before an entry of a list is looked for in its own line alone, so that blank lines cost nothing.
_ORDERED = re.compile(r"^[^\S\n]*[0-9]+\.\s", re.MULTILINE)
_UNORDERED = re.compile(r"^[^\S\n]*[-*+]\s", re.MULTILINE)
_BOLD = {"**": re.compile(r"\*\*[^*\n]+\*\*"), "__": re.compile(r"__[^_\n]+__")}


def style_counts(answer: str) -> dict[str, Any]:
    """The `metadata` of an answer: its tokens, and the marks of Markdown outside code.

    The grader counts the tokens of GPT-4o; here they are estimated. It takes no other fields in this place.
    """
    text = _CODE.sub("``````", answer)
    headers = [len(marks) for marks in _HEADERS.findall(text)]
    return {
        "token_len": estimate_tokens(answer),
        "header_count": {f"h{level}": headers.count(level) for level in range(1, 7)},
        "list_count": {"ordered": len(_ORDERED.findall(text)), "unordered": len(_UNORDERED.findall(text))},
        "bold_count": {mark: len(pattern.findall(text)) for mark, pattern in _BOLD.items()},
    }


def _fits(row: Mapping[str, Any], _container: Container) -> bool:
    return {"uid", "prompt", "category"} <= row.keys()


def _reader(_first: Entry, _column: str | None) -> Callable[[Entry], BulkPrompt]:
    return _prompt


def _prompt(entry: Entry) -> BulkPrompt:
    return BulkPrompt(id_of(entry.row, "uid"), (text_of(entry.row, "prompt"),), row=entry.row)


def _row(model_id: str, result: PromptResult) -> dict[str, Any]:
    answer = result.answers[0]
    document = {
        "uid": result.prompt.row["uid"],
        "ans_id": derived_id(model_id, result.prompt.id, answer),
        "model": model_id,
        "messages": [
            {"role": "user", "content": result.prompt.turns[0]},
            {"role": "assistant", "content": {"answer": answer}},
        ],
        "tstamp": ended(result),
        "metadata": style_counts(answer),
    }
    return document | ({"error": result.failure} if result.failure else {})


def _has_answers(row: Mapping[str, Any]) -> bool:
    return "uid" in row and isinstance(row.get("messages"), list)


def _answer(row: Mapping[str, Any], generator: str) -> Answer:
    match row.get("messages"):
        case [*_, {"content": {"answer": value}}]:
            answer = answer_of(value)
        case _:
            raise FileError("its last message has no `answer`")
    return Answer(
        generator_of(row, "model", generator),
        id_of(row, "uid"),
        _asked(row["messages"]),
        (answer,),
        error_of(row),
        row,
    )


def _asked(messages: list[Any]) -> str:
    """The text of the last prompt among messages; empty where there is none."""
    for message in reversed(messages):
        match message:
            case {"role": "user", "content": str(text)}:
                return as_unicode(text)
    return ""


ARENA_HARD = Benchmark(
    name="arena-hard",
    suffix=".jsonl",
    expects="a line for each prompt, with a `uid`, a `prompt` and a `category`",
    fits=_fits,
    reader=_reader,
    row=_row,
    has_answers=_has_answers,
    answer=_answer,
)
