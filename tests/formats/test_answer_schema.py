"""The schema of an answer, from fields and files, the JSON in an answer, and whether that fits."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from moa_tui.errors import FileError, UsageError
from moa_tui.formats import answer_schema
from moa_tui.formats.answer_schema import AnswerSchema, json_within, schema_of_fields, strict_json
from moa_tui.formats.schema_check import misfits

if TYPE_CHECKING:
    from pathlib import Path

TEXT = {"type": "string"}


@pytest.mark.parametrize(
    ("words", "properties", "required"),
    [
        # As `llm` has them.
        ("name, age int", {"name": TEXT, "age": {"type": "integer"}}, ["name", "age"]),
        (
            "name: the person's name, age int: their age",
            {
                "name": {**TEXT, "description": "the person's name"},
                "age": {"type": "integer", "description": "their age"},
            },
            ["name", "age"],
        ),
        (
            "name\nbio: short, no more than three sentences\n",
            {"name": TEXT, "bio": {**TEXT, "description": "short, no more than three sentences"}},
            ["name", "bio"],
        ),
        ("x float, y bool, z str",
            {"x": {"type": "number"}, "y": {"type": "boolean"}, "z": TEXT}, ["x", "y", "z"]),
        # What is added.
        ("note?, name", {"note": TEXT, "name": TEXT}, ["name"]),
        ("tags [str], n [int 1..3]", {
            "tags": {"type": "array", "items": TEXT},
            "n": {"type": "array", "items": {"type": "integer", "minimum": 1, "maximum": 3}},
        }, ["tags", "n"]),
        ("s float 0..1, y int 1900..", {
            "s": {"type": "number", "minimum": 0.0, "maximum": 1.0},
            "y": {"type": "integer", "minimum": 1900},
        }, ["s", "y"]),
        ("mood good|bad|good", {"mood": {**TEXT, "enum": ["good", "bad"]}}, ["mood"]),
        ("größe float", {"größe": {"type": "number"}}, ["größe"]),
    ],
)  # fmt: skip
def test_fields(words: str, properties: dict[str, Any], required: list[str]) -> None:
    schema = schema_of_fields(words)
    assert schema == {
        "type": "object",
        "properties": properties,
        "required": required,
        "additionalProperties": False,
    }


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ("name, 9lives", 'field 2, "9lives": begin it with a name'),
        ("a, b, a int", 'field 3, "a int": that name stands there twice'),
        ("a uuid", '"uuid" is no type: int, float, str and bool are'),
        ("a str 1..2", "only bounds of a number"),
        ("a int 3..1", "its lower bound is above"),
        ("a int 0.5..1", "bounds of an int are whole numbers"),
        ("first name", '"name" is no type'),
        (", ,", "names no field"),
        ("a-b", "begin it with a name"),
        (", ".join(f"f{number}" for number in range(201)), "more than 200 fields"),
    ],
)
def test_fields_that_cannot_be_understood_are_named(words: str, said: str) -> None:
    with pytest.raises(UsageError) as told:
        schema_of_fields(words)
    assert said in str(told.value)


@pytest.mark.program
def test_whether_it_is_a_file_or_fields(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "dog").write_text('{"type": "object"}')
    assert answer_schema.answer_schema("dog").schema == {"type": "object"}
    assert answer_schema.answer_schema("cat").schema["required"] == ["cat"]
    assert answer_schema.answer_schema('{"type": "array"}').schema == {"type": "array"}
    for missing in ("cat.json", "./cat", "~/no such cat/x".replace(" ", "_")):
        with pytest.raises(FileError, match="cannot be read"):
            answer_schema.answer_schema(missing)
    with pytest.raises(FileError, match="cannot be read"):
        answer_schema.answer_schema(str(tmp_path))
    with pytest.raises(UsageError, match="empty"):
        answer_schema.answer_schema(" ")


def test_a_schema_that_is_no_text_or_too_large_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "s.json"
    path.write_bytes(b"\xff\xfe\xfa")
    with pytest.raises(FileError, match="not UTF-8"):
        answer_schema.answer_schema(str(path))
    path.write_text('{"description": "%s"}' % ("x" * answer_schema.LARGEST_SCHEMA))
    with pytest.raises(FileError, match="too many for a prompt"):
        answer_schema.answer_schema(str(path))
    path.write_text("[" * 5_000)
    with pytest.raises(FileError, match="levels deep"):
        answer_schema.answer_schema(str(path))


# The JSON in an answer


@pytest.mark.parametrize(
    "text",
    [
        '{"a": 1}',
        '\n  {"a": 1}\n',
        '```json\n{"a": 1}\n```',
        '~~~\n{"a": 1}\n~~~\nAnything else?',
        'Sure!\n\n````json\n{"a": 1}\n````',
        'Here: {"a": 1}. Fine?',
        'In {braces} it is {"a": 1}',
    ],
)
def test_json_is_found(text: str) -> None:
    assert json_within(text) == ('{"a": 1}', {"a": 1})


def test_a_mark_in_words_is_no_document_where_an_object_is_wanted() -> None:
    assert json_within('As [1] says, {"a": 1}', "{")[1] == {"a": 1}
    with pytest.raises(ValueError, match="more than one"):
        json_within('As [1] says, {"a": 1}')


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "empty"),
        ("A dog.", "not JSON"),
        ('{"a": 1', "not JSON"),
        ('{"a": 1} {"a": 2}', "more than one"),
        ('```json\n{"a": 1}\n```\nor\n```json\n{"a": 2}\n```', "more than one"),
        ('{"a": NaN}', "NaN"),
        ('{"a": -Infinity}', "Infinity"),
        ('{"a": 1e999}', "too large"),
        ('{"a": %s}' % ("9" * 5_000), "too large"),
        ('{"a": 1, "b": {"a": 1, "a": 2}}', '"a" stands twice'),
        ('```json\n{"a": 1, "a": 2}\n```', '"a" stands twice'),
        ("[" * 100_000, "levels deep"),
        ('{"a":' * 100_000, "levels deep"),
    ],
    ids=lambda text: text[:20],
)
def test_what_is_no_json_that_every_reader_reads_alike(text: str, said: str) -> None:
    with pytest.raises(ValueError, match=said):
        json_within(text)


def test_brackets_in_texts_are_no_levels() -> None:
    assert strict_json(json.dumps(["[" * 500, '\\"{' * 500])) == ["[" * 500, '\\"{' * 500]


@pytest.mark.parametrize(
    "text",
    [
        "{" * 90 + "x" * 300_000,
        "```\n" * 100_000,
        '"' * 300_000,
        '{"a":' * 40 + "y",
        '{"a": "' + "\\" * 300_000,
    ],
    ids=["braces", "fences", "quotes", "torn", "escapes"],
)
def test_hostile_texts_are_read_in_bounded_time(text: str) -> None:
    with pytest.raises(ValueError):
        json_within(text)


# Whether it fits


@pytest.mark.parametrize("draft", ["draft-04", "draft-06", "draft-07", "draft/2019-09", "draft/2020-12"])
def test_every_usual_draft_is_known(draft: str) -> None:
    schema = {"$schema": f"http://json-schema.org/{draft}/schema#", "type": "object", "required": ["a"]}
    if "/" in draft:
        schema["$schema"] = f"https://json-schema.org/{draft}/schema"
    assert misfits({"schema": schema}) == []
    assert misfits({"schema": schema, "answer": '{"a": 1}'}) == []
    assert misfits({"schema": schema, "answer": "{}"}) == ["$: 'a' is a required property"]


@pytest.mark.parametrize(
    ("schema", "said"),
    [
        ({"properties": {"a": {"type": "dog"}}}, "$.properties.a.type: 'dog'"),
        ({"properties": {"a": {"pattern": "("}}}, "'(' is not a 'regex'"),
        ({"items": {"$ref": "#/$defs/dog"}}, "#/$defs/dog leads nowhere"),
        ({"$schema": "https://example.org/mine"}, "a draft that is not known"),
    ],
)
def test_what_is_wrong_with_a_schema_is_said_with_its_place(schema: dict[str, Any], said: str) -> None:
    (told,) = misfits({"schema": schema})
    assert said in told


def test_the_places_of_misfits_are_named_and_the_deepest_reason_is_told() -> None:
    dog = {"type": "object", "properties": {"legs": {"type": "integer"}}, "required": ["legs"]}
    schema = {"type": "array", "items": {"anyOf": [dog, {"type": "null"}]}}
    answer = json.dumps([{"legs": 4}, {"legs": "many"}])
    assert misfits({"schema": schema, "answer": answer}) == ["$[1].legs: 'many' is not of type 'integer'"]
    many = misfits({"schema": {"items": {"type": "null"}}, "answer": json.dumps(list(range(1_000)))})
    assert len(many) == 6


def test_a_schema_that_refers_to_itself_for_ever_is_no_crash() -> None:
    schema = {"$ref": "#/$defs/a", "$defs": {"a": {"$ref": "#/$defs/a"}}}
    assert misfits({"schema": schema, "answer": "{}"}) == [
        "it is nested too deeply, or the schema refers to itself without an end"
    ]


@pytest.mark.program
def test_a_pattern_that_never_ends_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(answer_schema, "CHECK_SECONDS", 0.5)
    schema = AnswerSchema({"type": "string", "pattern": "^(a+)+$"}, "test")
    checked = schema.check(json.dumps("a" * 60 + "!"))
    assert checked.misfit == "checking it by the schema took longer than 0.5 s"


@pytest.mark.program
def test_a_huge_misfit_is_told_in_few_words() -> None:
    schema = AnswerSchema({"type": "array", "items": {"type": "null"}}, "test")
    misfit = schema.check(json.dumps(["\x1b[31m" + "x" * 50_000] * 20)).misfit
    assert misfit is not None
    assert len(misfit) < 2_000
    assert "\x1b" not in misfit
    assert misfit.endswith("; and more")


@pytest.mark.program
def test_a_module_in_the_working_directory_is_not_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "jsonschema.py").write_text("raise SystemExit(3)")
    monkeypatch.chdir(tmp_path)
    assert AnswerSchema({"type": "null"}, "test").check("null").misfit is None
