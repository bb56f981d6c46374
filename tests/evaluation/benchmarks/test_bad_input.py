"""Inputs that cannot be used as they are: what is said, and what `--skip-bad` leaves."""

from __future__ import annotations

import errno
import json
import os
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from moa_tui.errors import FileError, UsageError
from moa_tui.evaluation.benchmarks import open_input, read_outputs, write_outputs
from tests.evaluation.benchmarks.results import answered


def file(tmp_path: Path, text: str | bytes, name: str = "input") -> Path:
    path = tmp_path / name
    path.write_bytes(text if isinstance(text, bytes) else text.encode("utf-8", "surrogatepass"))
    return path


def refusal(path: Path, format: str = "auto", column: str | None = None) -> str:
    """What is said of a file that is refused; its path stands before it."""
    with pytest.raises(FileError) as refused:
        open_input(path, format, column=column)
    message = str(refused.value)
    assert message.startswith(f"{path}: ")
    assert message.isprintable()
    return message.removeprefix(f"{path}: ")


def question(number: object, *turns: object) -> str:
    return json.dumps({"question_id": number, "category": "math", "turns": turns or ["Why?", "How?"]})


BAD_LINES = {
    '{"prompt": "a"': "line 2: it is no JSON: Expecting ',' delimiter (column 15)",
    '{"prompt": "a"} x': "line 2: it is no JSON: Extra data (column 17)",
    '["a"]': "line 2: it is an array, not an object with fields",
    '"a"': "line 2: it is a text, not an object with fields",
    '{"prompt": ""}': "line 2: its `prompt` is empty",
    '{"prompt": " \\n\\t"}': "line 2: its `prompt` is empty",
    '{"prompt": 5}': "line 2: its `prompt` is not a text",
    '{"prompt": null}': "line 2: its `prompt` is not a text",
    '{"other": "a"}': "line 2: it has no `prompt`",
    '{"prompt": "a", "x": ' + "[" * 100_000 + "}": "line 2: it is nested too deeply",
    '{"prompt": "a", "x": ' + "[" * 101 + "]" * 101 + "}": "line 2: it is nested too deeply",
    '{"prompt": "a", "x": ' + "9" * 5_000 + "}": "line 2: it is no JSON: Exceeds the limit",
}


@pytest.mark.parametrize("line", BAD_LINES, ids=list(BAD_LINES.values()))
def test_a_line_that_cannot_be_used_is_named_and_may_be_left_out(line: str, tmp_path: Path) -> None:
    path = file(tmp_path, '{"prompt": "one"}\n' + line + '\n{"prompt": "three"}\n')
    reason = BAD_LINES[line]
    message = refusal(path)
    assert message.startswith(reason)
    assert message.endswith("Correct it, or leave such entries out (--skip-bad)")

    rest = open_input(path, skip_bad=True)
    assert [(prompt.id, prompt.turns) for prompt in rest] == [("1", ("one",)), ("3", ("three",))]
    assert rest.count == 2
    assert [problem.startswith(f"left out: {reason}") for problem in rest.problems] == [True]


def test_a_byte_that_is_no_text_costs_its_line(tmp_path: Path) -> None:
    path = file(tmp_path, b'{"prompt": "one"}\n{"prompt": "t\xfcr"}\n{"prompt": "three"}\n')
    assert refusal(path).startswith("line 2: it is not a text in UTF-8")
    assert open_input(path, skip_bad=True).count == 2


def test_many_bad_lines_are_counted_and_not_listed(tmp_path: Path) -> None:
    path = file(tmp_path, '{"prompt": "one"}\n' + "{\n" * 1000)
    problems = open_input(path, skip_bad=True).problems
    assert len(problems) == 6
    assert problems[-1] == "995 more pieces left out like these"


@pytest.mark.parametrize("ids", [(81, 81), ("x", "x"), (81, "81"), (81, 81.0)])
def test_two_prompts_of_one_id_are_refused(ids: tuple[object, object], tmp_path: Path) -> None:
    path = file(tmp_path, f"{question(ids[0])}\n\n{question(7)}\n{question(ids[1])}\n")
    assert refusal(path).startswith(f'line 4: the id "{ids[0]}" is that of line 1 already')
    assert [prompt.id for prompt in open_input(path, skip_bad=True)] == [str(ids[0]), "7"]


def test_equal_prompts_of_different_ids_are_fine(tmp_path: Path) -> None:
    path = file(tmp_path, '{"id": 1, "prompt": "a"}\n{"id": 2, "prompt": "a"}\n')
    assert open_input(path).count == 2


def test_a_column_of_ids_that_are_none_is_named(tmp_path: Path) -> None:
    path = file(tmp_path, "id,prompt\n7,a\n7,b\n")
    assert "If the column is none of ids, rename it" in refusal(path)
    path = file(tmp_path, "id,prompt\n7,a\n,b\n")
    assert refusal(path).startswith("line 3: it has no `id`")


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ('{"question_id": 1, "turns": []}', "it has no `turns`"),
        ('{"question_id": 1, "turns": "a"}', "it has no `turns`"),
        (question(1, "a", 5), "turn 2 is not a text"),
        (question(1, "a", " "), "turn 2 is empty"),
        (question(None), "it has no `question_id`"),
        (question(True), "it has no `question_id`"),
        (question(1.5), "it has no `question_id`"),
        (question("x" * 201), "its `question_id` is longer than 200 characters"),
    ],
)
def test_a_question_that_cannot_be_asked(line: str, reason: str, tmp_path: Path) -> None:
    assert refusal(file(tmp_path, f"{question(0)}\n{line}\n")).startswith(f"line 2: {reason}")


def test_an_array_that_cannot_be_read_to_its_end(tmp_path: Path) -> None:
    entries = '[{"instruction": "a"},\n {"instruction": "b", bad},\n {"instruction": "c"}'
    path = file(tmp_path, entries + "]")
    assert refusal(path).startswith("line 2, column 23: Expecting property name")
    rest = open_input(path, skip_bad=True)
    assert [prompt.turns[0] for prompt in rest] == ["a", "c"]
    path = file(tmp_path, entries)
    assert open_input(path, skip_bad=True).problems[-1].endswith("the file ends in the middle of its list")
    path = file(tmp_path, '[{"instruction": "a"}] {"instruction": "b"}')
    assert refusal(path).startswith("line 1, column 24: it stands behind the end of the array")
    path = file(
        tmp_path, '[{"instruction": "a"}, {"instruction": "b", "x": ' + "[" * 5_000 + "]" * 5_000 + "}]"
    )
    assert refusal(path).startswith("line 1, column 24: it is nested too deeply")
    path = file(tmp_path, '[{"instruction": "a"}, "b"]')
    assert refusal(path).startswith("line 1, column 24: it is a text, not an object")


def test_what_is_no_file_of_prompts_is_said(tmp_path: Path) -> None:
    assert refusal(tmp_path) == "it is a folder; name the file in it"
    assert refusal(tmp_path / "none") == "it cannot be read: No such file or directory"
    assert refusal(file(tmp_path, "")) == "it is empty"
    assert refusal(file(tmp_path, "\ufeff \r\n\n")) == "it is empty"
    assert refusal(file(tmp_path, "[]")) == "it has no entry that can be read."
    assert refusal(file(tmp_path, "prompt\n")) == "it has no entry that can be read."
    assert refusal(file(tmp_path, b"\x1f\x8b\x08\0")).startswith("it is packed with gzip; unpack it")
    assert refusal(file(tmp_path, b"PK\x03\x04")).startswith("it is packed with zip; unpack it")
    assert refusal(file(tmp_path, b"\x89PNG\r\n\x1a\n\0\0")).startswith("it is not a text in UTF-8")
    assert refusal(file(tmp_path, "{\n}")).startswith(
        "it has no entry that can be read. line 1: it is no JSON"
    )
    os.mkfifo(tmp_path / "pipe")
    assert "save it to a file first" in refusal(tmp_path / "pipe")


def test_a_file_without_permission_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The superuser, as whom tests may run, could read any file."""
    path = file(tmp_path, "prompt\na\n")

    def refuse(*_args: object, **_options: object) -> None:
        raise PermissionError(errno.EACCES, "Permission denied")

    monkeypatch.setattr(Path, "open", refuse)
    assert refusal(path) == "it cannot be read: you have no permission for it"


def test_a_wrong_format_says_what_was_expected_and_what_is_there(tmp_path: Path) -> None:
    path = file(tmp_path, '{"uid": "a", "prompt": "b"}\n')
    assert refusal(path, "mt-bench") == (
        "it is not in the format mt-bench, which is a line for each question, with a `question_id` and a "
        'list of `turns`; this is JSON Lines with the fields: "uid", "prompt"'
    )
    assert "which is a header, and a row for each prompt" in refusal(path, "csv")
    assert 'this is CSV with the fields: "prompt"' in refusal(file(tmp_path, "prompt\na\n"), "jsonl")
    with pytest.raises(UsageError, match='there is no format "xml"; known: auto, alpaca-eval, mt-bench'):
        open_input(path, "xml")


def test_where_two_formats_fit_neither_is_taken(tmp_path: Path) -> None:
    path = file(tmp_path, '[{"idx": 7, "instruction": "a"}]')
    assert refusal(path) == "its entries fit alpaca-eval and flask; say which is meant with --format"
    assert [prompt.id for prompt in open_input(path, "flask")] == ["7"]
    assert [prompt.id for prompt in open_input(path, "alpaca-eval")] == ["1"]


@pytest.mark.parametrize(
    ("line", "format"),
    [
        ('{"question_id": 1, "text": "a", "model_id": "m"}', "flask"),
        ('{"question_id": 1, "model_id": "m", "choices": []}', "mt-bench"),
        ('{"uid": "1", "model": "m", "messages": []}', "arena-hard"),
    ],
)
def test_answers_are_not_taken_for_prompts(line: str, format: str, tmp_path: Path) -> None:
    assert refusal(file(tmp_path, line)) == f"it has answers in the format {format}, and no prompts"


def test_a_column_that_is_not_there_is_refused_with_those_that_are(tmp_path: Path) -> None:
    path = file(tmp_path, "\x1b[31mred,Weight\na,b\n")
    assert refusal(path).endswith('say with --column which one has the prompts: "\ufffd[31mred", "Weight"')
    assert refusal(path, column="none") == (
        'it has no column "none"; its columns are: "\ufffd[31mred", "Weight"'
    )
    assert [prompt.turns[0] for prompt in open_input(path, column="weight")] == ["b"]
    path = file(tmp_path, question(1))
    assert refusal(path, "mt-bench", "turns").startswith("a column of prompts can be named for jsonl and csv")
    path = file(tmp_path, ",".join(f"c{number}" for number in range(50)) + "\n" + "x," * 49 + "x\n")
    assert refusal(path).endswith('"c11", and 38 more')


def test_a_file_that_changes_while_it_is_read_is_noticed(tmp_path: Path) -> None:
    path = file(tmp_path, '{"prompt": "a"}\n')
    prompts = open_input(path)
    file(tmp_path, '{"prompt": "other"}\n')
    with pytest.raises(FileError, match="was changed while it was being read"):
        list(prompts)


@pytest.mark.parametrize("format", ["jsonl", "csv", "alpaca-eval"])
def test_a_prompt_of_a_megabyte_is_read(format: str, tmp_path: Path) -> None:
    long = "word, " * 170_000
    text = {
        "jsonl": json.dumps({"prompt": long}),
        "csv": f'prompt\n"{long}"\n',
        "alpaca-eval": json.dumps([{"instruction": long}]),
    }[format]
    prompts = open_input(file(tmp_path, text))
    assert prompts.format == format
    assert [prompt.turns for prompt in prompts] == [(long,)]


def test_a_limit_takes_the_first_prompts_that_can_be_used(tmp_path: Path) -> None:
    path = file(tmp_path, '{"prompt": "a"}\n{\n{"prompt": "b"}\n{"prompt": "c"}\n')
    prompts = open_input(path, skip_bad=True, limit=2)
    assert prompts.count == 2
    assert [prompt.turns[0] for prompt in prompts] == ["a", "b"]
    assert open_input(path, limit=1).problems == ()


PIECES = st.sampled_from(
    [
        *(bytes([byte]) for byte in b'[]{},:"\n\r\\;\t\0\xff'),
        *(b"\xef\xbb\xbf", b"\xc3\xbc", b"NaN", b"1e999", b"prompt", b"=a", b"[[[[", b'"\\ud800"', b'{"a":'),
        *(b'"prompt"', b'{"prompt": "a"}', b'"instruction"', b'{"instruction": "b"}'),
        b'{"question_id": 1, "turns": ["a"]}',
    ]
)


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(pieces=st.lists(PIECES, max_size=12), skip_bad=st.booleans())
def test_whatever_a_file_holds_it_is_read_or_refused(
    pieces: list[bytes], skip_bad: bool, tmp_path: Path
) -> None:
    path = file(tmp_path, b"".join(pieces))
    try:
        prompts = open_input(path, skip_bad=skip_bad)
    except FileError as error:
        assert str(error).isprintable()
        return
    read = list(prompts)
    assert len(read) == len({prompt.id for prompt in read}) == prompts.count > 0
    assert all(turn.strip() for prompt in read for turn in prompt.turns)
    write_outputs(prompts.format, tmp_path / "out", "m", map(answered, read), like=prompts)
    assert len(list(read_outputs(tmp_path / "out"))) == prompts.count
