"""Reads a TOML file into a pydantic model; its errors name the file, the line and the key."""

from __future__ import annotations

import difflib
import re
import tomllib
from itertools import islice
from typing import TYPE_CHECKING, Any, TypeVar

from pydantic import BaseModel, ValidationError

from moa_tui.errors import FileError

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

# Bytes of a file that is read, and mistakes that are told of one: a person writes neither more.
_LARGEST = 250_000
_MOST_MISTAKES = 20
# Parts of a key such as a.b.c. The parser takes time that grows with the square of their number.
_MOST_PARTS = 200

M = TypeVar("M", bound=BaseModel)


def read(path: Path, model: type[M]) -> M:
    """The file at `path`, checked as a `model`.

    Raises FileError naming the file, the key, and the line where there is one to name.
    """
    try:
        if (size := path.stat().st_size) > _LARGEST:
            raise FileError(f"{path}: {size:,} bytes; such a file may have {_LARGEST:,} at most")
        text = path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        raise FileError(f"{path}: not a UTF-8 text file ({error.reason} at byte {error.start})") from error
    except OSError as error:
        raise FileError(f"{path}: cannot be read: {error.strerror or error}") from error
    return parse(text, model, str(path))


def parse(text: str, model: type[M], source: str) -> M:
    """The TOML `text`, checked as a `model`; `source` is its name in messages. Raises FileError as `read`."""
    for number, line in enumerate(text.split("\n"), 1):
        if line.count(".") > _MOST_PARTS and any(
            part.count(".") > _MOST_PARTS for part in re.split(r"[=,\[\]{}]", line)
        ):
            raise FileError(f"{source}:{number}: a key may have {_MOST_PARTS} parts at most")
    try:
        data = tomllib.loads(text)
    except (ValueError, RecursionError) as error:  # numbers too long and nesting too deep among them
        raise FileError(f"{source}: not valid TOML: {error}") from error
    try:
        return model.model_validate(data)
    except ValidationError as error:
        lines = list(islice(_explain(error, model, text, source), _MOST_MISTAKES))
        if (more := error.error_count() - len(lines)) > 0 and len(lines) == _MOST_MISTAKES:
            lines.append(f"{source}: and {more:,} more mistakes")
        raise FileError("\n".join(lines)) from error


def _explain(error: ValidationError, model: type[BaseModel], text: str, source: str) -> Iterable[str]:
    """One line for each thing that is wrong."""
    details = error.errors(include_url=False)
    for detail in details:
        location = detail["loc"]
        if detail["type"] == "too_short" and any(
            other is not detail and other["loc"][: len(location)] == location for other in details
        ):
            continue  # The list is too short only because its members are wrong.
        key = _key_path(location)
        where = f"{source}:{line}" if (line := _line_of(location, text)) else source
        if detail["type"] == "extra_forbidden":
            known = _fields_at(model, location[:-1])
            near = difflib.get_close_matches(str(location[-1]), known, n=1, cutoff=0.5)
            hint = f'did you mean "{near[0]}"?' if near else f"known keys: {', '.join(sorted(known))}"
            yield f"{where}: {key}: unknown key; {hint}"
        elif detail["type"] == "missing":
            yield f"{where}: {key}: missing"
        else:
            message = detail["msg"].removeprefix("Value error, ")
            yield f"{where}: {key}: {message}" if key else f"{where}: {message}"


def _key_path(location: tuple[int | str, ...]) -> str:
    """A location as a user would write it: `layers[2].agents[1].model`, counting from 1."""
    path = ""
    for part in location:
        if isinstance(part, int):
            path += f"[{part + 1}]"
        elif part not in _UNION_TAGS:
            path += f".{part}" if path else part
    return path


# Pydantic puts the member of a union that it tried into the location; the user did not write that.
_UNION_TAGS = {"str", "int", "float", "Agent"}


def _line_of(location: tuple[int | str, ...], text: str) -> int | None:
    """The number of the line that the key is on, if exactly one line begins with its name; else None."""
    names = [part for part in location if isinstance(part, str) and part not in _UNION_TAGS]
    if not names:
        return None
    name = re.escape(names[-1])
    pattern = rf'^\s*(?:\[+(?:[\w\-."]+\.)?"?{name}"?\]+|"?{name}"?\s*=)'
    lines = [number for number, line in enumerate(text.splitlines(), 1) if re.match(pattern, line)]
    return lines[0] if len(lines) == 1 else None


def _fields_at(model: type[BaseModel], location: tuple[int | str, ...]) -> list[str]:
    """The keys that are allowed at a location, found through the fields of the model and those within it."""
    current: Any = model
    for part in location:
        if isinstance(current, type) and issubclass(current, BaseModel):
            field = current.model_fields.get(str(part))
            current = _model_inside(field.annotation) if field is not None else current
    if isinstance(current, type) and issubclass(current, BaseModel):
        return [field.alias or name for name, field in current.model_fields.items()]
    return []


def _model_inside(annotation: Any) -> Any:
    """The pydantic model within an annotation, if any: `tuple[str | Agent, ...]` gives Agent."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    for inner in getattr(annotation, "__args__", ()):
        if (inner_model := _model_inside(inner)) is not None:
            return inner_model
    return None
