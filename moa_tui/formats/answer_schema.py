"""The form that an answer of JSON is to have: a JSON Schema, from a file or from a few words, and its check.

    name, age int, tags [str], score float 0..1, mood good|bad, note?: anything else

A field is a name, with `?` where it may be missing, a type, and a description behind a colon; fields stand
between commas or on lines of their own. Names, types and descriptions are those of `llm` by Simon Willison
(its "concise schema syntax"); lists, choices, bounds and `?` are added here.

What an answer says and what a schema demands may be hostile or merely huge: JSON is read here, strictly, and
a schema is applied by `schema_check` in a process of its own, which is ended when it takes too long.
"""

from __future__ import annotations

import json
import math
import re
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

from moa_tui.errors import FileError, UsageError
from moa_tui.text.safe import quoted_name, safe_row

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

LARGEST_SCHEMA = 200_000
"""The characters of the largest schema: it is part of the prompt."""
CHECK_SECONDS = 10.0
_MOST_FIELDS = 200
_DEEPEST = 100
_LONGEST_ANSWER = 5_000_000  # characters
_MOST_STARTS = 50
_MOST_MISFITS = 5
_LONGEST_MISFIT = 300  # characters

_TYPES = {
    **dict.fromkeys(("str", "string", "text"), "string"),
    **dict.fromkeys(("int", "integer"), "integer"),
    **dict.fromkeys(("float", "number"), "number"),
    **dict.fromkeys(("bool", "boolean"), "boolean"),
}
_NUMBER = r"-?\d{1,15}(?:\.\d{1,15})?"
_FIELD = re.compile(r"([^\W\d]\w{0,63})(\?)?(?:\s+(\S.*))?", re.DOTALL)
_RANGE = re.compile(rf"({_NUMBER})?\.\.({_NUMBER})?")
_CHOICE = re.compile(r"[^\s|]{1,100}(?:\|[^\s|]{1,100})+")
_FENCE = re.compile(r" {0,3}(`{3,}|~{3,})")
# The keywords that hold values of the user's own, in which nothing is a reference.
_VALUES = ("enum", "const", "default", "examples")
_REFERENCES = ("$ref", "$dynamicRef", "$recursiveRef")


@dataclass(frozen=True, slots=True)
class AnswerSchema:
    """A JSON Schema that can be used, and where it comes from in words."""

    schema: Mapping[str, Any]
    source: str

    def check(self, text: str) -> CheckedAnswer:
        """What an answer holds, and whether that fits. Takes a process, for up to CHECK_SECONDS."""
        try:
            document, value = json_within(text, self._openers)
        except ValueError as error:
            return CheckedAnswer(misfit=str(error))
        misfits = _misfits({"schema": self.schema, "answer": document})
        if not misfits:
            return CheckedAnswer(document, value)
        return CheckedAnswer(misfit="; ".join(misfits))

    @property
    def _openers(self) -> str:
        """What a document of the schema can begin with, where it stands in the midst of other words."""
        types = self.schema.get("type")
        return {"object": "{", "array": "["}.get(types, "{[") if isinstance(types, str) else "{["


@dataclass(frozen=True, slots=True)
class CheckedAnswer:
    """The JSON document in an answer as it was written, and its value; or why the answer does not fit."""

    document: str = ""
    value: object = None
    misfit: str | None = None


# The schema


def answer_schema(given: str) -> AnswerSchema:
    """The schema that `--schema` names: a file, fields in words, or JSON itself.

    Raises UsageError for words that cannot be understood and FileError for a file; both say where.
    """
    words = given.strip()
    if not words:
        raise UsageError('--schema is empty: give a file, or fields such as "name, age int"')
    if words.startswith("{"):
        return _checked(_parsed(words, "--schema"), "--schema")
    if (path := _path_in(words)) is not None:
        return _checked(_parsed(_read(path), str(path)), str(path))
    return AnswerSchema(schema_of_fields(words), "--schema")


def _path_in(words: str) -> Path | None:
    """The file that the words name: one that is there, or a word that looks like a path; None for fields."""
    try:
        path = Path(words).expanduser()
        is_there = path.exists() and not path.is_dir()
    except (OSError, ValueError, RuntimeError):
        return None
    is_one_word = len(words.split()) == 1 and "," not in words
    looks_so = "/" in words or "\\" in words or words.startswith("~") or words.lower().endswith(".json")
    return path if is_there or (is_one_word and looks_so) else None


def _read(path: Path) -> str:
    try:
        with path.open("rb") as file:
            content = file.read(4 * LARGEST_SCHEMA + 1)
        return content.decode("utf-8-sig")
    except OSError as error:
        raise FileError(f"{path}: the schema cannot be read: {error.strerror or error}") from error
    except UnicodeDecodeError as error:
        raise FileError(f"{path}: the schema is not UTF-8 text") from error


def _parsed(text: str, source: str) -> Mapping[str, Any]:
    if len(text) > LARGEST_SCHEMA:
        raise FileError(
            f"{source}: the schema has more than {LARGEST_SCHEMA:,} characters, too many for a prompt"
        )
    try:
        schema = strict_json(text)
    except json.JSONDecodeError as error:
        raise FileError(f"{source}:{error.lineno}:{error.colno}: not JSON: {error.msg}") from error
    except ValueError as error:
        raise FileError(f"{source}: {error}") from error
    if not isinstance(schema, dict):
        raise FileError(f"{source}: a JSON Schema is an object in braces, and this is none")
    return schema


def _checked(schema: Mapping[str, Any], source: str) -> AnswerSchema:
    """The schema where it is one that can be applied. Raises FileError."""
    for place, reference in _references(schema):
        if not reference.startswith("#"):
            raise FileError(
                f"{source}: {place} refers to {quoted_name(reference)}: only references within the schema, "
                "which begin with #, are followed, and nothing is fetched; put what it refers to under $defs"
            )
    if misfits := _misfits({"schema": schema}):
        raise FileError(f"{source}: not a JSON Schema: {misfits[0]}")
    return AnswerSchema(schema, source)


def _references(schema: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """The references in a schema, each with its place. What is read is nested to _DEEPEST at most."""
    waiting: list[tuple[str, Any]] = [("$", schema)]
    while waiting:
        place, current = waiting.pop()
        if isinstance(current, dict):
            for name, value in current.items():
                if name in _REFERENCES and isinstance(value, str):
                    yield f"{place}.{name}", value
                elif name not in _VALUES or isinstance(value, dict):
                    waiting.append((f"{place}.{name}", value))
        elif isinstance(current, list):
            waiting += [(f"{place}[{number}]", value) for number, value in enumerate(current)]


def schema_of_fields(words: str) -> dict[str, Any]:
    """The schema of an object with the fields that the words name. Raises UsageError."""
    parts = words.splitlines() if "\n" in words else words.split(",")
    fields = [part.strip().rstrip(",").strip() for part in parts]
    properties: dict[str, Any] = {}
    required = []
    for number, field in enumerate((field for field in fields if field), 1):
        head, colon, description = field.partition(":")
        match = _FIELD.fullmatch(head.strip())
        if match is None:
            raise _field_error(number, field, "begin it with a name of letters, digits and _")
        name, optional, kind = match.groups()
        if name in properties:
            raise _field_error(number, field, "that name stands there twice")
        properties[name] = _schema_of_type(number, field, (kind or "str").strip())
        if colon and description.strip():
            properties[name]["description"] = description.strip()
        if not optional:
            required.append(name)
    if not properties:
        raise UsageError('--schema names no field: give a file, or fields such as "name, age int"')
    if len(properties) > _MOST_FIELDS:
        raise UsageError(f"--schema names more than {_MOST_FIELDS} fields: put them into a file")
    return {"type": "object", "properties": properties, "required": required, "additionalProperties": False}


def _schema_of_type(number: int, field: str, kind: str) -> dict[str, Any]:
    """The schema of what stands between a field's name and its description."""
    if kind.startswith("[") and kind.endswith("]"):
        return {"type": "array", "items": _schema_of_type(number, field, kind[1:-1].strip() or "str")}
    if _CHOICE.fullmatch(kind):
        return {"type": "string", "enum": list(dict.fromkeys(kind.split("|")))}
    name, _, bounds = kind.partition(" ")
    if name not in _TYPES:
        hint = "put a description behind a colon" if bounds else "a list is written [str], a choice good|bad"
        raise _field_error(number, field, f'"{name}" is no type: int, float, str and bool are, {hint}')
    schema: dict[str, Any] = {"type": _TYPES[name]}
    if not bounds.strip():
        return schema
    limits = _RANGE.fullmatch(bounds.strip())
    if limits is None or schema["type"] not in ("integer", "number"):
        raise _field_error(number, field, "only bounds of a number, as 0..10, can stand behind a type")
    as_number = int if schema["type"] == "integer" else float
    try:
        low, high = (None if bound is None else as_number(bound) for bound in limits.groups())
    except ValueError as error:
        raise _field_error(number, field, "bounds of an int are whole numbers") from error
    if low is not None and high is not None and low > high:
        raise _field_error(number, field, "its lower bound is above the upper one")
    schema |= {} if low is None else {"minimum": low}
    return schema | ({} if high is None else {"maximum": high})


def _field_error(number: int, field: str, why: str) -> UsageError:
    return UsageError(f"--schema: field {number}, {quoted_name(field)}: {why}")


# The answer


def json_within(text: str, openers: str = "{[") -> tuple[str, Any]:
    """The one JSON document in a text, as it is written there, and its value.

    It may be the whole text, stand alone in a code fence, or in the midst of words, where it begins with one
    of `openers`. Raises ValueError, in a plain sentence, where there is none, or more than one.
    """
    text = text.strip()
    if not text:
        raise ValueError("it is empty")
    if len(text) > _LONGEST_ANSWER:
        raise ValueError(f"it has more than {_LONGEST_ANSWER:,} characters")
    try:
        return text, strict_json(text)
    except json.JSONDecodeError as error:
        problem = f"it is not JSON (line {error.lineno}, column {error.colno}: {error.msg})"
    found = _documents(_fenced(text)) or _documents(_in_words(text, openers))
    if len(found) > 1:
        raise ValueError("it holds more than one JSON document, and only one is wanted")
    if not found:
        raise ValueError(problem)
    return found[0]


def _documents(texts: Iterator[str]) -> list[tuple[str, Any]]:
    """The first two of the texts that are JSON, with their values."""
    documents: list[tuple[str, Any]] = []
    for text in texts:
        try:
            documents.append((text, strict_json(text)))
        except json.JSONDecodeError:
            continue
        if len(documents) > 1:
            break
    return documents


def _fenced(text: str) -> Iterator[str]:
    """What stands in the code fences of a text."""
    fence, lines = "", list[str]()
    for line in text.splitlines():
        mark = _FENCE.match(line)
        if not fence:
            fence, lines = (mark[1], []) if mark else ("", [])
        elif mark is not None and mark[1].startswith(fence) and not line[mark.end() :].strip():
            yield "\n".join(lines).strip()
            fence = ""
        else:
            lines.append(line)


def _in_words(text: str, openers: str) -> Iterator[str]:
    """What may be JSON in the midst of words: from an opener on, as far as a value goes."""
    scan = json.JSONDecoder().raw_decode
    opener = re.compile(f"[{re.escape(openers)}]")
    at = 0
    for _ in range(_MOST_STARTS):
        match = opener.search(text, at)
        if match is None:
            return
        try:
            _, end = scan(text, match.start())
        except ValueError:
            at = match.end()
        except RecursionError:
            return
        else:
            yield text[match.start() : end]
            at = end


def strict_json(text: str) -> Any:
    """The value of a JSON document, as the standard has it and every reader understands it alike.

    Raises JSONDecodeError where it is none, and ValueError in a plain sentence where readers differ: a name
    that stands twice in one object, NaN and infinite numbers, numbers out of range, and too many levels.
    """
    _refuse_deep(text)
    try:
        return json.loads(
            text,
            parse_constant=_refuse_constant,
            parse_float=_finite,
            parse_int=_bounded,
            object_pairs_hook=_object,
        )
    except RecursionError:
        raise ValueError(f"it is nested more than {_DEEPEST} levels deep") from None


def _refuse_deep(text: str) -> None:
    """Raise ValueError where brackets outside of texts are nested too deeply."""
    depth = 0
    for token in re.finditer(r'"(?:[^"\\]|\\.)*+"?|[\[{\]}]', text, re.DOTALL):
        mark = token[0][0]
        depth += (mark in "[{") - (mark in "]}")
        if depth > _DEEPEST:
            raise ValueError(f"it is nested more than {_DEEPEST} levels deep")


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(f"it has the number {name}, which JSON does not know")


def _finite(digits: str) -> float:
    number = float(digits)
    if math.isinf(number):
        raise ValueError("it has a number that is too large")
    return number


def _bounded(digits: str) -> int:
    if len(digits) > 400:
        raise ValueError("it has a number that is too large")
    return int(digits)


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    table = dict(pairs)
    if len(table) < len(pairs):
        seen: set[str] = set()
        twice = next(name for name, _ in pairs if name in seen or seen.add(name))  # type: ignore[func-returns-value]
        raise ValueError(f"the name {quoted_name(twice)} stands twice in one object")
    return table


def _misfits(request: Mapping[str, Any]) -> list[str]:
    """What a schema says of itself, or of an answer; nothing where all is well."""
    command = [sys.executable, "-P", "-m", "moa_tui.formats.schema_check"]
    try:
        done = subprocess.run(  # noqa: S603 - this very interpreter and module
            command,
            input=json.dumps(request).encode(),
            capture_output=True,
            timeout=CHECK_SECONDS,
            check=True,
        )
        misfits = json.loads(done.stdout)
    except subprocess.TimeoutExpired:
        return [f"checking it by the schema took longer than {CHECK_SECONDS:g} s"]
    except (OSError, ValueError, subprocess.CalledProcessError) as error:
        return [f"it could not be checked by the schema ({type(error).__name__})"]
    words = [safe_row(" ".join(str(misfit).split())) for misfit in misfits]
    shown = [each if len(each) <= _LONGEST_MISFIT else f"{each[:_LONGEST_MISFIT]}…" for each in words]
    return [*shown[:_MOST_MISFITS], *(["and more"] if len(shown) > _MOST_MISFITS else [])]
