"""What a format is: how its prompts are read, and how answers are written and read."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field
from hashlib import blake2b
from typing import TYPE_CHECKING, Any

from moa_tui.errors import FileError
from moa_tui.text.safe import as_unicode

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from moa_tui.evaluation.benchmarks.source import Container, Entry
    from moa_tui.evaluation.values import BulkPrompt, PromptResult

_LONGEST_ID = 200
_NOT_PLAIN = re.compile(r"[^\x00-\x7e]+")


@dataclass(frozen=True, slots=True)
class Answer:
    """The answer of one generator, a model or a recipe, to one prompt, as an outputs file has it.

    `id` is that of the prompt, and `prompt` its text: either is empty where the format does not have it, so
    `key` is what tells which prompt is meant. `turns` has the answer to each turn. `error` is why an answer
    is missing or cut off, None where it is whole. `row` has all fields.
    """

    generator: str
    id: str
    prompt: str
    turns: tuple[str, ...]
    error: str | None = None
    row: Mapping[str, Any] = field(default_factory=dict, repr=False)

    @property
    def key(self) -> str:
        """What tells which prompt this answers: its id, or its text where the format has no ids."""
        return self.id or self.prompt


@dataclass(frozen=True, slots=True)
class Benchmark:
    """A format of prompts and answers.

    `expects` says in words what an input of this format has. `fits` tells by the fields of an entry, and by
    what holds the entries, whether they are prompts of this format; `has_answers`, whether they are answers.
    `reader` gives what reads prompts, for a first entry and the name of a column, and `answer` reads an
    answer, with a name for a generator without one; both raise FileError. `row` has the fields of an output.
    """

    name: str
    suffix: str
    expects: str
    fits: Callable[[Mapping[str, Any], Container], bool]
    reader: Callable[[Entry, str | None], Callable[[Entry], BulkPrompt]]
    row: Callable[[str, PromptResult], dict[str, Any]]
    has_answers: Callable[[Mapping[str, Any]], bool]
    answer: Callable[[Mapping[str, Any], str], Answer]


def text_of(row: Mapping[str, Any], name: str) -> str:
    """The text of a field. Raises FileError where there is none."""
    text = row.get(name)
    if name not in row:
        raise FileError(f"it has no `{name}`")
    if not isinstance(text, str):
        raise FileError(f"its `{name}` is not a text")
    if not text.strip():
        raise FileError(f"its `{name}` is empty")
    return as_unicode(text)


def id_of(row: Mapping[str, Any], name: str) -> str:
    """The id in a field, a text or a whole number, as text. Raises FileError where there is none."""
    value = row.get(name)
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    if isinstance(value, bool) or not isinstance(value, str | int) or not str(value).strip():
        raise FileError(f"it has no `{name}`, or one that is neither a text nor a whole number")
    if len(str(value)) > _LONGEST_ID:
        raise FileError(f"its `{name}` is longer than {_LONGEST_ID} characters")
    return as_unicode(str(value))


def answer_of(value: object) -> str:
    """The text of an answer; null is an empty one. Raises FileError for another value."""
    if value is None:
        return ""
    if not isinstance(value, str):
        raise FileError("its answer is not a text")
    return as_unicode(value)


def error_of(row: Mapping[str, Any], name: str = "error") -> str | None:
    """Why an answer is missing, as an output of moa-tui says it; None where it does not."""
    words = row.get(name)
    return as_unicode(words) if isinstance(words, str) and words else None


def generator_of(row: Mapping[str, Any], name: str, otherwise: str) -> str:
    """The name of a generator in a field, or another where there is none."""
    generator = row.get(name)
    return as_unicode(generator) if isinstance(generator, str) and generator.strip() else otherwise


def ended(result: PromptResult) -> float | None:
    """When the last turn of a prompt ended, in Unix seconds; None where none was asked."""
    return result.turns[-1].ended if result.turns else None


def derived_id(*parts: str) -> str:
    """An id that follows from these texts, of 22 hexadecimal digits."""
    digest = blake2b(digest_size=11)
    for part in parts:
        digest.update(f"{part}\0".encode("utf-8", "surrogatepass"))
    return digest.hexdigest()


def json_text(value: object) -> str:
    """A value as JSON in one line of ASCII, which every reader takes whatever encoding it expects.

    Lone surrogates, at which some readers stop, become U+FFFD.
    """
    text = as_unicode(json.dumps(value, ensure_ascii=False))
    return _NOT_PLAIN.sub(_escaped, text)


def _escaped(characters: re.Match[str]) -> str:
    """Characters as JSON's escapes, of which those beyond U+FFFF take two."""
    units = characters[0].encode("utf-16-be").hex()
    return "".join(f"\\u{units[at : at + 4]}" for at in range(0, len(units), 4))
