"""The JSON Schemas say what the program takes, and stand beside the files that name them."""

from __future__ import annotations

import json
import tomllib
from typing import TYPE_CHECKING, Any

import jsonschema
import pytest

from moa_tui.engine.recipe import Recipe
from moa_tui.recipes import files
from moa_tui.settings import schemas, toml_file
from moa_tui.settings.config import TEMPLATE, Settings
from tests.cli.shell import call

if TYPE_CHECKING:
    from pathlib import Path

BUILT_IN = sorted(files.BUILT_IN.glob("*.toml"))
UNCOMMENTED = "\n".join(
    line.removeprefix("# ") for line in TEMPLATE.splitlines() if line.startswith("# [") or " = " in line
)


def problems(kind: schemas.SchemaKind, table: dict[str, Any]) -> list[str]:
    """The places that the schema finds fault with."""
    schema = schemas.schema_of(kind)
    jsonschema.Draft202012Validator.check_schema(schema)
    return [error.json_path for error in jsonschema.Draft202012Validator(schema).iter_errors(table)]


@pytest.mark.parametrize("path", BUILT_IN, ids=lambda path: path.stem)
def test_every_built_in_recipe_fits_its_schema(path: Path) -> None:
    assert problems("recipe", tomllib.loads(path.read_text(encoding="utf-8"))) == []


def test_all_settings_of_the_template_fit_their_schema() -> None:
    table = tomllib.loads(UNCOMMENTED)
    assert len(table) > 6
    assert toml_file.parse(UNCOMMENTED, Settings, "template")
    assert problems("config", table) == []


@pytest.mark.parametrize(
    ("table", "place"),
    [
        ({"name": "x", "layers": [{"agents": ["a"], "quorm": 2}]}, "$.layers[0]"),
        ({"name": "x", "layers": [{"agents": ["a"], "task": "sing"}]}, "$.layers[0].task"),
        ({"name": "x", "layers": []}, "$.layers"),
        ({"name": "x", "layers": [{"agents": ["a"]}], "imported": True}, "$"),
        ({"layers": [{"agents": ["a"]}]}, "$"),
    ],
)
def test_a_mistake_in_a_recipe_is_found(table: dict[str, Any], place: str) -> None:
    assert problems("recipe", table) == [place]


def test_a_mistake_in_the_config_is_found() -> None:
    assert problems("config", {"themes": "moa-dark"}) == ["$"]
    assert problems("config", {"notify": "loudly"}) == ["$.notify"]


@pytest.mark.parametrize(("kind", "model"), [("config", Settings), ("recipe", Recipe)])
def test_every_field_is_explained(kind: schemas.SchemaKind, model: type[Settings] | type[Recipe]) -> None:
    schema = schemas.schema_of(kind)
    tables = {"": schema, **schema["$defs"]}
    silent = [
        f"{name}.{field}"
        for name, table in tables.items()
        for field, words in table.get("properties", {}).items()
        if not words.get("description") and "$ref" not in words
    ]
    # Their names and types say it all.
    assert set(silent) <= {
        "Agent.temperature", "Agent.top_p", "Sampling.temperature", "Sampling.top_p",
        ".name", ".description", ".defaults", ".agents", ".layers", ".limits",
    }  # fmt: skip
    assert set(schema["properties"]) == set(model.model_fields) - {"imported"}


def test_what_toml_cannot_say_is_not_offered() -> None:
    assert "null" not in json.dumps(schemas.schema_of("recipe"))


def test_files_that_are_written_name_a_schema_that_stands_beside_them(tmp_path: Path) -> None:
    text = schemas.with_schema('name = "x"\n', "recipe", tmp_path)
    first, rest = text.split("\n", 1)
    assert first == "#:schema ./recipe.schema.json"
    assert rest == 'name = "x"\n'
    schema_file = tmp_path / "recipe.schema.json"
    assert json.loads(schema_file.read_text(encoding="utf-8")) == schemas.schema_of("recipe")
    assert schema_file.stat().st_mode & 0o777 == 0o600
    # Written again, the line stays one.
    assert schemas.with_schema(text, "recipe", tmp_path) == text


def test_an_old_schema_is_replaced(tmp_path: Path) -> None:
    (tmp_path / "config.schema.json").write_text("{}", encoding="utf-8")
    schemas.with_schema("", "config", tmp_path)
    assert json.loads((tmp_path / "config.schema.json").read_text(encoding="utf-8"))["properties"]


@pytest.mark.parametrize("kind", schemas.KINDS)
def test_the_command_prints_it(kind: schemas.SchemaKind) -> None:
    done = call("schema", kind)
    assert done.exit_code == 0
    assert json.loads(done.stdout) == schemas.schema_of(kind)
