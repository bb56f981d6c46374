"""JSON Schemas of the files a person writes, so that an editor completes and checks them.

Each file that moa-tui writes names its schema in the first line, and the schema is written beside it.
"""

from __future__ import annotations

import ast
import inspect
import itertools
import json
import re
from typing import TYPE_CHECKING, Any, Literal, NamedTuple, get_args

from moa_tui.engine.recipe import Recipe
from moa_tui.settings import paths
from moa_tui.settings.config import Settings

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from pydantic import BaseModel

SchemaKind = Literal["config", "recipe"]
KINDS: tuple[SchemaKind, ...] = get_args(SchemaKind)
"""The files that have a schema."""


class _File(NamedTuple):
    """What a schema is of."""

    model: type[BaseModel]
    title: str
    hidden: frozenset[str]
    """Fields of the model that no file has."""


_FILES: Mapping[SchemaKind, _File] = {
    "config": _File(Settings, "moa-tui's settings", frozenset()),
    "recipe": _File(Recipe, "a recipe of moa-tui", frozenset({"imported"})),
}
# Read by Taplo (Even Better TOML) and by Tombi; the path is that of a file in the same folder.
_FIRST_LINE = re.compile(r"#:schema [^\n]*\n")


def schema_of(kind: SchemaKind) -> dict[str, Any]:
    """The JSON Schema (draft 2020-12) of a config or recipe file."""
    file = _FILES[kind]
    schema = file.model.model_json_schema()
    definitions: dict[str, Any] = schema.get("$defs", {})
    for model in _models_within(file.model):
        table = schema if model is file.model else definitions.get(model.__name__)
        for name, words in _field_docstrings(model).items():
            if table is not None and name in table["properties"]:
                table["properties"][name]["description"] = words
    for name in file.hidden:
        del schema["properties"][name]
    plain: dict[str, Any] = _plain(schema)
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **plain, "title": file.title}


def schema_text(kind: SchemaKind) -> str:
    """The JSON Schema of a config or recipe file, as the text of a file."""
    return json.dumps(schema_of(kind), indent=2, ensure_ascii=False) + "\n"


def with_schema(text: str, kind: SchemaKind, folder: Path) -> str:
    """The TOML `text` with a first line that names its schema, which is written into `folder`.

    Raises OSError where the schema cannot be written.
    """
    path = folder / f"{kind}.schema.json"
    wanted = schema_text(kind)
    if not path.is_file() or path.read_text(encoding="utf-8", errors="replace") != wanted:
        paths.write_private(path, wanted)
    return f"#:schema ./{path.name}\n{_FIRST_LINE.sub('', text, count=1) if text.startswith('#:') else text}"


def _models_within(model: type[BaseModel]) -> set[type[BaseModel]]:
    """The model, its bases that have fields, and all models that its fields are made of."""
    from pydantic import BaseModel

    def models_of(annotation: Any) -> set[type[BaseModel]]:
        if inspect.isclass(annotation) and issubclass(annotation, BaseModel):
            return {annotation}
        return {inner for argument in get_args(annotation) for inner in models_of(argument)}

    seen: set[type[BaseModel]] = set()
    waiting = {model}
    while waiting:
        current = waiting.pop()
        seen.add(current)
        for field in current.model_fields.values():
            waiting |= models_of(field.annotation) - seen
    return seen


def _field_docstrings(model: type[BaseModel]) -> dict[str, str]:
    """The docstring below each field of a model, its inherited ones too, by the field's name in a file."""
    words: dict[str, str] = {}
    for each in reversed(model.__mro__):
        if not each.__module__.startswith("moa_tui."):
            continue
        [body] = ast.parse(inspect.getsource(each)).body
        statements = body.body if isinstance(body, ast.ClassDef) else []
        for field, below in itertools.pairwise(statements):
            match field, below:
                case (
                    ast.AnnAssign(target=ast.Name(id=name)),
                    ast.Expr(value=ast.Constant(value=str() as text)),
                ):
                    alias = model.model_fields[name].alias if name in model.model_fields else None
                    words[alias or name] = inspect.cleandoc(text).replace("\n", " ")
    return words


def _plain(node: Any) -> Any:
    """A part of a schema without what TOML cannot say, which has no null, and without made-up titles."""
    if isinstance(node, list):
        return [_plain(inner) for inner in node]
    if not isinstance(node, dict):
        return node
    table = {
        key: {name: _plain(inner) for name, inner in value.items()}
        if key in ("properties", "$defs")
        else _plain(value)
        for key, value in node.items()
        if not (key == "title" and isinstance(value, str))
        and not (key == "default" and (value is None or isinstance(value, dict)))
    }
    choices = [choice for choice in table.get("anyOf", ()) if choice != {"type": "null"}]
    if len(choices) == 1:
        del table["anyOf"]
        table = {**choices[0], **table}
    elif choices:
        table["anyOf"] = choices
    return table
