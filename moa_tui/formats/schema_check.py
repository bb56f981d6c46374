"""Applies a JSON Schema in a process of its own: `python -m moa_tui.formats.schema_check`.

A schema can keep a checker busy for ever (a pattern that backtracks, references that double), and Python
cannot interrupt it. So whoever needs an answer starts this, writes {"schema": …, "answer": "JSON text"} to
its input, and ends it when it takes too long. It writes a list of sentences, empty where all is well; without
an answer they are about the schema.
"""

from __future__ import annotations

import json
import sys
from itertools import islice
from typing import TYPE_CHECKING, Any

import referencing
import referencing.exceptions
from jsonschema import Draft202012Validator, SchemaError
from jsonschema.exceptions import relevance
from jsonschema.validators import validator_for

if TYPE_CHECKING:
    from collections.abc import Iterator

    from jsonschema import ValidationError

# The misfits that are looked for, and those that are told, the most telling first.
_MOST_SOUGHT, _MOST_TOLD = 100, 6
_LONGEST = 600  # characters


def misfits(request: dict[str, Any]) -> list[str]:
    """What is wrong with the answer of a request, or with its schema where it has no answer."""
    schema = request["schema"]
    kind = validator_for(schema, default=None) if "$schema" in schema else Draft202012Validator
    if kind is None:
        return [f"$schema names a draft that is not known: {schema['$schema']}"]
    try:
        if "answer" not in request:
            kind.check_schema(schema)
            return [f"{reference} leads nowhere" for reference in _lost_references(schema)][:1]
        # An empty registry fetches nothing, whatever a reference says.
        validator = kind(schema, registry=referencing.Registry())
        errors = list(islice(validator.iter_errors(json.loads(request["answer"])), _MOST_SOUGHT))
    except SchemaError as error:
        return [_words(error)]
    except referencing.exceptions.Unresolvable as error:
        return [f"the reference {error.ref} leads nowhere"]
    except RecursionError:
        return ["it is nested too deeply, or the schema refers to itself without an end"]
    errors.sort(key=relevance, reverse=True)
    return list(dict.fromkeys(_words(_deepest(error)) for error in errors))[:_MOST_TOLD]


def _deepest(error: ValidationError) -> ValidationError:
    """Of an error that several branches of the schema have a part in, the part that says most."""
    while error.context:
        error = max(error.context, key=lambda each: (len(each.path), relevance(each)))
    return error


def _words(error: ValidationError | SchemaError) -> str:
    message = error.message if len(error.message) <= _LONGEST else f"{error.message[:_LONGEST]}…"
    return f"{error.json_path}: {message}"


def _lost_references(schema: dict[str, Any]) -> Iterator[str]:
    """The pointers in a schema, such as #/$defs/name, that lead nowhere in it.

    None is named where a part of the schema has an $id of its own, from which its pointers lead.
    """
    waiting: list[Any] = [schema]
    while waiting:
        current = waiting.pop()
        if isinstance(current, dict):
            if current is not schema and isinstance(current.get("$id"), str):
                return
            pointer = current.get("$ref")
            if (
                isinstance(pointer, str)
                and pointer.startswith("#/")
                and not _leads_somewhere(schema, pointer)
            ):
                yield pointer
            waiting += current.values()
        elif isinstance(current, list):
            waiting += current


def _leads_somewhere(schema: Any, pointer: str) -> bool:
    current = schema
    for part in pointer[2:].split("/"):
        name = part.replace("%25", "%").replace("~1", "/").replace("~0", "~")
        if isinstance(current, dict) and name in current:
            current = current[name]
        elif isinstance(current, list) and name.isdigit() and int(name) < len(current):
            current = current[int(name)]
        else:
            return False
    return True


if __name__ == "__main__":
    sys.stdout.write(json.dumps(misfits(json.load(sys.stdin))))
