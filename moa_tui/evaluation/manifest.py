"""What a run folder was begun with: its input, recipes and versions, and how two of them differ."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from moa_tui.errors import FileError
from moa_tui.formats.json_reader import recipe_from
from moa_tui.formats.json_writer import recipe_document

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from moa_tui.engine.recipe import Recipe

FORMAT = "moa-tui batch"
SCHEMA = 1
_LONGEST_SHOWN = 60
_MOST_DIFFERENCES = 12


@dataclass(frozen=True, slots=True)
class InputFacts:
    """The input of a run folder.

    `name` is that of its file, `format` one of `benchmarks`, `sha256` the hash of the file's bytes, `column`
    the column of the prompts where one was named, `prompts` their number; those of bad rows that were skipped
    are not among them.
    """

    name: str
    format: str
    sha256: str
    prompts: int
    column: str | None = None
    skip_bad: bool = False


@dataclass(frozen=True, slots=True)
class Manifest:
    """What a run folder was begun with.

    `recipes` are by name, each with the hash of what its file says. `shard` is `2/8` for the second of eight
    shares, None for all prompts; `limit` the number of prompts that were asked for, None for all.
    """

    command: tuple[str, ...]
    created: float
    versions: Mapping[str, str]
    input: InputFacts
    recipes: Mapping[str, Recipe]
    shard: str | None = None
    limit: int | None = None

    def document(self) -> dict[str, Any]:
        """The manifest as it is written."""
        return {
            "format": FORMAT,
            "schema": SCHEMA,
            "command": list(self.command),
            "created": self.created,
            "versions": dict(self.versions),
            "input": {
                "name": self.input.name,
                "format": self.input.format,
                "sha256": self.input.sha256,
                "prompts": self.input.prompts,
                "column": self.input.column,
                "skip_bad": self.input.skip_bad,
            },
            "recipes": {
                name: {"sha256": recipe_hash(recipe), "recipe": recipe_document(recipe)}
                for name, recipe in self.recipes.items()
            },
            "shard": self.shard,
            "limit": self.limit,
        }

    def differences(self, other: Manifest) -> list[str]:
        """Why answers of `other` do not belong beside answers of this, each in a line; none where they do."""
        own, others = self.document(), other.document()
        lines = []
        for key in ("sha256", "format", "column", "skip_bad"):
            if own["input"][key] != others["input"][key]:
                lines.append(_changed(f"input {key}", own["input"][key], others["input"][key]))
        if self.shard != other.shard:
            lines.append(_changed("shard", self.shard, other.shard))
        for name in dict.fromkeys((*self.recipes, *other.recipes)):
            if name not in other.recipes:
                lines.append(f"recipe {name}: is in the folder, and was not given now")
            elif name not in self.recipes:
                lines.append(f"recipe {name}: is not in the folder")
            else:
                before, now = (own["recipes"][name]["recipe"], others["recipes"][name]["recipe"])
                lines += [_changed(f"recipe {name}: {where}", *pair) for where, *pair in _pairs(before, now)]
        more = len(lines) - _MOST_DIFFERENCES
        return lines if more <= 0 else [*lines[:_MOST_DIFFERENCES], f"and {more} more"]


def recipe_hash(recipe: Recipe) -> str:
    """The SHA-256 of what a recipe's file says, whatever its layout."""
    text = json.dumps(recipe_document(recipe), sort_keys=True, ensure_ascii=False)
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()


def manifest_from(document: object) -> Manifest:
    """The manifest of a document. Raises FileError where it is none."""
    if not isinstance(document, dict) or document.get("format") != FORMAT:
        raise FileError(f'it is no run folder of moa-tui: "format" in its manifest is not "{FORMAT}"')
    schema = document.get("schema")
    if not isinstance(schema, int) or schema > SCHEMA:
        raise FileError(f"it is of schema {schema}; this moa-tui knows {SCHEMA}: install a newer one")
    try:
        facts = document["input"]
        return Manifest(
            tuple(map(str, document["command"])),
            float(document["created"]),
            {str(name): str(version) for name, version in document["versions"].items()},
            InputFacts(
                str(facts["name"]),
                str(facts["format"]),
                str(facts["sha256"]),
                int(facts["prompts"]),
                facts.get("column"),
                bool(facts.get("skip_bad", False)),
            ),
            {
                str(name): recipe_from(entry["recipe"], f"recipe {name}")
                for name, entry in document["recipes"].items()
            },
            document.get("shard"),
            document.get("limit"),
        )
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise FileError(f"its manifest cannot be read: {type(error).__name__} {error}") from error


def _pairs(before: object, now: object, where: str = "") -> Iterator[tuple[str, object, object]]:
    """Each value that differs between two documents, with its place."""
    if before == now:
        return
    if isinstance(before, dict) and isinstance(now, dict):
        for key in dict.fromkeys((*before, *now)):
            yield from _pairs(before.get(key), now.get(key), f"{where}.{key}" if where else str(key))
    elif isinstance(before, list) and isinstance(now, list) and len(before) == len(now):
        for place, pair in enumerate(zip(before, now, strict=True), 1):
            yield from _pairs(*pair, f"{where}[{place}]")
    else:
        yield where or "all of it", before, now


def _changed(what: str, before: object, now: object) -> str:
    return f"{what}: {_shown(before)} in the folder, {_shown(now)} now"


def _shown(value: object) -> str:
    text = "nothing" if value is None else json.dumps(value, ensure_ascii=False)
    return text if len(text) <= _LONGEST_SHOWN else f"{text[: _LONGEST_SHOWN - 1]}…"
