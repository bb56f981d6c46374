"""Reads a TOML file into a pydantic model, and says exactly what is wrong where it cannot."""

from __future__ import annotations

import difflib
import re
import tomllib
from typing import TYPE_CHECKING, Any, TypeVar

from pydantic import BaseModel, ValidationError

from moa_tui.errors import FileError

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

M = TypeVar("M", bound=BaseModel)


def read(path: Path, model: type[M]) -> M:
    """The file at `path` as a `model`.

    Raises FileError naming the file, the key, and the line where there is one to name.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except UnicodeDecodeError as error:
        raise FileError(f"{path}: not a UTF-8 text file ({error.reason} at byte {error.start})") from error
    except OSError as error:
        raise FileError(f"{path}: cannot be read: {error.strerror or error}") from error
    return parse(text, model, str(path))


def parse(text: str, model: type[M], source: str) -> M:
    """As `read`, from a text; `source` is what messages call it."""
    try:
        data = tomllib.loads(text)
    except (ValueError, RecursionError) as error:  # numbers too long and nesting too deep among them
        raise FileError(f"{source}: not valid TOML: {error}") from error
    try:
        return model.model_validate(data)
    except ValidationError as error:
        raise FileError("\n".join(_explain(error, model, text, source))) from error


def _explain(error: ValidationError, model: type[BaseModel], text: str, source: str) -> Iterable[str]:
    details = error.errors(include_url=False)
    for detail in details:
        location = detail["loc"]
        if detail["type"] == "too_short" and any(
            other is not detail and other["loc"][: len(location)] == location for other in details
        ):
            continue  # It is short only because its parts are wrong.
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
    """A location as a person would write it: `layers[2].agents[1].model`, counting from 1."""
    path = ""
    for part in location:
        if isinstance(part, int):
            path += f"[{part + 1}]"
        elif part not in _UNION_TAGS:
            path += f".{part}" if path else part
    return path


# Pydantic names the member of a union it tried inside the location; a person did not write it.
_UNION_TAGS = {"str", "int", "float", "Agent"}


def _line_of(location: tuple[int | str, ...], text: str) -> int | None:
    """The line a key stands on, where its name stands at the start of exactly one line."""
    names = [part for part in location if isinstance(part, str) and part not in _UNION_TAGS]
    if not names:
        return None
    name = re.escape(names[-1])
    pattern = rf'^\s*(?:\[+(?:[\w\-."]+\.)?"?{name}"?\]+|"?{name}"?\s*=)'
    lines = [number for number, line in enumerate(text.splitlines(), 1) if re.match(pattern, line)]
    return lines[0] if len(lines) == 1 else None


def _fields_at(model: type[BaseModel], location: tuple[int | str, ...]) -> list[str]:
    """The keys allowed at a location: walks the model's fields, through lists, tables and unions."""
    current: Any = model
    for part in location:
        if isinstance(current, type) and issubclass(current, BaseModel):
            field = current.model_fields.get(str(part))
            current = _model_inside(field.annotation) if field is not None else current
    if isinstance(current, type) and issubclass(current, BaseModel):
        return list(current.model_fields)
    return []


def _model_inside(annotation: Any) -> Any:
    """The pydantic model an annotation is made of: `tuple[str | Agent, ...]` gives Agent."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    for inner in getattr(annotation, "__args__", ()):
        if (found := _model_inside(inner)) is not None:
            return found
    return None
