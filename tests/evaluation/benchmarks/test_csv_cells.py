"""CSV of every usual make is read, and written so that no spreadsheet runs a cell of it."""

from __future__ import annotations

import csv
import re
from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from moa_tui.errors import FileError
from moa_tui.evaluation.benchmarks import open_input, output_name, read_outputs, write_outputs
from moa_tui.evaluation.benchmarks.csv_cells import as_it_was, harmless
from moa_tui.evaluation.values import BulkPrompt
from tests.evaluation.benchmarks.results import answered

if TYPE_CHECKING:
    from pathlib import Path

# Cells that OWASP's page on CSV injection and spreadsheets' own functions make of model output.
RUN = [
    "=1+1",
    "=cmd|' /C calc'!A0",
    "+SUM(A1:A9)",
    "-2+3+cmd",
    "@SUM(1)",
    "\t=1",
    "\r=1",
    "\n=1",
    " =1",
    "\u00a0=1",
    "\ufeff=1",
    "\uff1d1+1",
    "\uff0b1",
    "\uff0d1",
    "\uff20A1",
    "'=1",
    "''=1",
    "+1-555",
    "- a list",
    "-",
]
SHOWN = [
    "",
    "a",
    "a=1",
    "-5",
    "+5",
    "-3,5",
    "-1.5e-7",
    "-20%",
    "'",
    "'a",
    "''",
    "'-5",
    "1-2",
    "a\nb",
    '"',
    "#x",
]
texts = st.text(
    st.one_of(
        st.sampled_from("=+-@'\t\r\n ,;|\"\uff1d\u00a0\ufeff5e"),
        st.characters(exclude_categories=("Cs", "Cc")),
    ),
    max_size=12,
)


@pytest.mark.parametrize("text", RUN)
def test_a_cell_that_would_run_begins_with_an_apostrophe(text: str) -> None:
    assert harmless(text) == f"'{text}"
    assert as_it_was(harmless(text)) == text


@pytest.mark.parametrize("text", SHOWN)
def test_another_cell_is_read_as_it_was(text: str) -> None:
    assert harmless(text) in (text, f"'{text}")
    assert as_it_was(harmless(text)) == text


def test_numbers_stay_numbers() -> None:
    assert [harmless(text) for text in ("-5", "+5", "-3,5", "-1.5e-7", "-20%")] == [
        "-5",
        "+5",
        "-3,5",
        "-1.5e-7",
        "-20%",
    ]


@settings(deadline=None)
@given(texts)
def test_any_text_is_read_as_it_was_and_cannot_run(text: str) -> None:
    written = harmless(text)
    assert as_it_was(written) == text
    assert not re.match(r"[\s\ufeff]*[=@\uff1d\uff0b\uff0d\uff20]|[\t\r\n]", written)
    if written[:1] in ("+", "-"):
        assert float(written.rstrip("%").replace(",", ".")) is not None


@settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(rows=st.lists(st.tuples(texts, texts), min_size=1, max_size=4), delimiter=st.sampled_from(",;\t|"))
def test_a_table_is_written_and_read_as_it_was(
    rows: list[tuple[str, str]], delimiter: str, tmp_path: Path
) -> None:
    source, out = tmp_path / "in.csv", tmp_path / "out.csv"
    with source.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, delimiter=delimiter, quoting=csv.QUOTE_ALL)
        writer.writerow(["prompt", "other"])
        writer.writerows([f"p{text}", other] for text, other in rows)
    bulk = open_input(source)
    assert bulk.csv_style.delimiter == delimiter
    results = (answered(prompt, other) for prompt, (_, other) in zip(bulk, rows, strict=True))
    write_outputs("csv", out, "m", results, like=bulk)
    answers = list(read_outputs(out))
    assert [(answer.prompt, answer.row["other"], answer.turns[0]) for answer in answers] == [
        (f"p{text}", other, other) for text, other in rows
    ]


def test_control_characters_of_a_model_become_pictures(tmp_path: Path) -> None:
    out = tmp_path / "out.csv"
    prompt = BulkPrompt("1", ("a",), row={"prompt": "a"})
    write_outputs("csv", out, "m", [answered(prompt, "\x1b[2J\x00\x9b31m\ttab\r\nline\ud800")])
    assert out.read_bytes().decode() == (
        '"prompt","moa_id","moa_answer","moa_model","moa_error"\r\n'
        '"a","1","␛[2J␀\ufffd31m\ttab\r\nline\ufffd","m",""\r\n'
    )


@pytest.mark.parametrize(
    ("text", "prompts"),
    [
        ("prompt\na, b; c\nd\n", ["a, b; c", "d"]),
        ("id;prompt\n1;a, b, c\n", ["a, b, c"]),
        ("id\tprompt\n1\ta, b; c\n", ["a, b; c"]),
        ('"x;y",prompt\n1,a\n', ["a"]),
        ('prompt,note\n"two\nlines, and ""quotes""",x\n', ['two\nlines, and "quotes"']),
        ("prompt,note\r\na,x\r\n\r\n,\r\nb\r\n", ["a", "b"]),
        ("prompt,,\na,,\n", ["a"]),
        ("prompt\ra\rb\r", ["a", "b"]),
        ('prompt,note\n5" pipe,x\n', ['5" pipe']),
    ],
)
def test_tables_of_every_usual_make_are_read(text: str, prompts: list[str], tmp_path: Path) -> None:
    path = tmp_path / "input"
    path.write_bytes(text.encode())
    assert [prompt.turns[0] for prompt in open_input(path)] == prompts


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        ("a,b,c", "it has 3 cells, and the header 2 columns"),
        ('"a"b,c', "a quotation mark ends before its cell does; inside a cell it is written twice"),
        ('"a,b', "a quotation mark begins a cell, and the file ends before the cell does"),
        (",b", "its `prompt` is empty"),
    ],
)
def test_a_row_that_cannot_be_used_is_named_by_its_line(row: str, reason: str, tmp_path: Path) -> None:
    path = tmp_path / "input"
    path.write_text(f'prompt,note\n"one\nand",a\n{row}\n')
    with pytest.raises(FileError, match=re.escape(f"line 4: {reason}")):
        open_input(path)
    rest = open_input(path, skip_bad=True)
    assert [prompt.turns[0] for prompt in rest] == ["one\nand"]
    assert rest.problems[0].startswith(f"left out: line 4: {reason}")


def test_two_columns_of_one_name_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "input"
    path.write_text("prompt,prompt\na,b\n")
    with pytest.raises(FileError, match='two columns have the name "prompt"; give each its own'):
        open_input(path)


def test_the_mark_and_delimiter_of_an_input_are_kept(tmp_path: Path) -> None:
    path, out = tmp_path / "input", tmp_path / "out"
    path.write_bytes(b"\xef\xbb\xbfid;prompt\n1;a\n")
    bulk = open_input(path)
    write_outputs("csv", out, "m", map(answered, bulk), like=bulk)
    assert out.read_bytes().startswith(b'\xef\xbb\xbf"id";"prompt";"moa_id"')
    write_outputs("csv", out, "m", map(answered, bulk))
    assert out.read_bytes().startswith(b'"id","prompt","moa_id"')


@pytest.mark.parametrize("format", ["csv", "jsonl"])
def test_an_output_may_be_an_input_whose_answers_are_kept(format: str, tmp_path: Path) -> None:
    path = tmp_path / "input"
    path.write_text("id,prompt\n7,=a\n" if format == "csv" else '{"id": 7, "prompt": "=a"}\n')
    for model in ("first", "second", "third"):
        bulk = open_input(path)
        path = tmp_path / output_name(format, model)
        write_outputs(format, path, model, [answered(prompt, f"={model}") for prompt in bulk], like=bulk)
    (answer,) = read_outputs(path)
    assert (answer.id, answer.prompt, answer.turns, answer.generator) == ("7", "=a", ("=third",), "third")
    assert [answer.row[name] for name in ("moa_answer", "moa_answer_2", "moa_answer_3")] == [
        "=first",
        "=second",
        "=third",
    ]
