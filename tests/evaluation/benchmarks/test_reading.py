"""What real files have besides what their format says."""

from __future__ import annotations

import json
import tracemalloc
from hashlib import sha256
from typing import TYPE_CHECKING

import pytest

from moa_tui.evaluation.benchmarks import open_input, read_outputs, write_outputs
from tests.evaluation.benchmarks.results import answered

if TYPE_CHECKING:
    from pathlib import Path

    from moa_tui.evaluation.values import BulkPrompt


def prompts_of(tmp_path: Path, text: str | bytes, format: str = "auto", **options: str) -> list[BulkPrompt]:
    path = tmp_path / "input"
    path.write_bytes(text if isinstance(text, bytes) else text.encode("utf-8"))
    bulk = open_input(path, format, **options)
    assert bulk.sha256 == sha256(path.read_bytes()).hexdigest()
    assert bulk.problems == ()
    return list(bulk)


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-32"])
@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_every_encoding_of_unicode_is_read_with_both_line_ends(
    encoding: str, end: str, tmp_path: Path
) -> None:
    lines = f'{{"prompt": "Größe"}}{end}{{"prompt": "b"}}{end}{end} {end}'
    assert [prompt.turns[0] for prompt in prompts_of(tmp_path, lines.encode(encoding))] == ["Größe", "b"]
    table = f"id,prompt{end}1,Größe{end}2,b{end}{end}"
    assert [prompt.turns[0] for prompt in prompts_of(tmp_path, table.encode(encoding))] == ["Größe", "b"]
    array = f'[{end}{{"instruction": "Größe"}},{end}{{"instruction": "b"}}{end}]{end}'
    assert [prompt.turns[0] for prompt in prompts_of(tmp_path, array.encode(encoding))] == ["Größe", "b"]


def test_unicode_line_ends_are_part_of_a_line(tmp_path: Path) -> None:
    text = "a\u2028b\u2029c\x85d"
    lines = json.dumps({"prompt": text}, ensure_ascii=False) + '\n{"prompt": "e"}\n'
    assert [prompt.turns[0] for prompt in prompts_of(tmp_path, lines)] == [text, "e"]


def test_odd_json_is_kept_as_every_reader_of_json_takes_it(tmp_path: Path) -> None:
    line = (
        '{"prompt": "first", "prompt": "last", "a": NaN, "b": -Infinity, "c": 1e999, '
        '"d": {"e": [1, {"f": 2.5}]}, "g": 123456789012345678901234567890, '
        '"h": "\\ud83d\\ude00", "i": "\\ud83d"}'
    )
    (prompt,) = prompts_of(tmp_path, line)
    assert prompt.turns == ("last",)
    out = tmp_path / "out.jsonl"
    write_outputs("jsonl", out, "moa", [answered(prompt, "x")])
    row = json.loads(out.read_bytes())
    assert [row[name] for name in "abc"] == [None, None, None]
    assert row["d"] == {"e": [1, {"f": 2.5}]}
    assert row["g"] == 123456789012345678901234567890
    assert (row["h"], row["i"]) == ("😀", "\ufffd")


def test_lone_surrogates_in_prompts_and_answers_become_what_can_be_sent(tmp_path: Path) -> None:
    (prompt,) = prompts_of(tmp_path, '[{"instruction": "a\\udc00b"}]')
    assert prompt.turns == ("a\ufffdb",)
    out = tmp_path / "out.json"
    write_outputs("alpaca-eval", out, "moa", [answered(prompt, "x\ud800\x1b[31m\x00\x7f")])
    assert set(out.read_bytes()) <= {*b"\n", *range(0x20, 0x7F)}
    (entry,) = json.loads(out.read_bytes())
    assert entry["output"] == "x\ufffd\x1b[31m\x00\x7f"


@pytest.mark.parametrize(
    ("fields", "temperature"),
    [
        ({"category": "writing"}, 0.7),
        ({"category": "roleplay"}, 0.7),
        ({"category": "extraction"}, 0.0),
        ({"category": "math"}, 0.0),
        ({"category": "coding"}, 0.0),
        ({"category": "reasoning"}, 0.0),
        ({"category": "stem"}, 0.1),
        ({"category": "humanities"}, 0.1),
        ({"category": "unheard of"}, 0.7),
        ({"category": "writing", "required_temperature": 0.3}, 0.3),
        ({}, None),
    ],
)
def test_questions_have_the_temperature_of_their_category(
    fields: dict[str, object], temperature: float | None, tmp_path: Path
) -> None:
    line = json.dumps({"question_id": 1, "turns": ["a", "b"], **fields})
    (prompt,) = prompts_of(tmp_path, line)
    assert prompt.temperature == temperature
    assert prompt.turns == ("a", "b")


def test_the_input_of_an_instruction_is_asked_with_it(tmp_path: Path) -> None:
    entries = [{"instruction": "Shorten.", "input": "A long text."}, {"instruction": "b", "input": ""}]
    prompts = prompts_of(tmp_path, json.dumps(entries))
    assert [prompt.turns[0] for prompt in prompts] == ["Shorten.\n\nA long text.", "b"]
    lines = "\n".join(map(json.dumps, entries))
    assert [prompt.turns for prompt in prompts_of(tmp_path, lines, "alpaca-eval")] == [
        prompt.turns for prompt in prompts
    ]


def test_the_raw_questions_of_flask_are_read_too(tmp_path: Path) -> None:
    line = '{"question_id": 7, "text": "Why?", "task": "Self_Instruct", "answer": "So."}'
    (prompt,) = prompts_of(tmp_path, line)
    out = tmp_path / "out.jsonl"
    write_outputs("flask", out, "moa", [answered(prompt, "Because.")])
    assert json.loads(out.read_bytes()) == {"question_id": 7, "text": "Because.", "model_id": "moa"}


def test_the_column_of_prompts_is_found_or_named(tmp_path: Path) -> None:
    table = "Question,Text,Prompt,ID\na,b,c,d\n"
    assert [(prompt.id, prompt.turns[0]) for prompt in prompts_of(tmp_path, table)] == [("d", "c")]
    assert [prompt.turns[0] for prompt in prompts_of(tmp_path, table, column="Text")] == ["b"]
    line = '{"uid": "x", "question": "q", "text": "t"}'
    assert [(prompt.id, prompt.turns[0]) for prompt in prompts_of(tmp_path, line)] == [("x", "q")]
    # A named column makes a table of what looks like a benchmark.
    line = '{"idx": 3, "instruction": "i", "answer": "a"}'
    assert [(prompt.id, prompt.turns[0]) for prompt in prompts_of(tmp_path, line, column="answer")] == [
        ("3", "a")
    ]


def test_the_style_of_an_answer_is_counted_as_the_grader_counts_it(tmp_path: Path) -> None:
    (prompt,) = prompts_of(tmp_path, '{"uid": "a", "prompt": "b", "category": "hard_prompt"}')
    answer = (
        "# One\n## Two\n####### none\n#none\n\n\n 1. a\n2. b\n\t- c\n* d\n+ e\n-f\n**bold** and __bold__ "
        "**no\n**\n```\n# code\n- code\n```\n"
    )
    out = tmp_path / "out.jsonl"
    write_outputs("arena-hard", out, "moa", [answered(prompt, answer)])
    metadata = json.loads(out.read_bytes())["metadata"]
    assert list(metadata) == ["token_len", "header_count", "list_count", "bold_count"]
    assert metadata["token_len"] > 20
    assert metadata["header_count"] == {"h1": 1, "h2": 1, "h3": 0, "h4": 0, "h5": 0, "h6": 0}
    assert metadata["list_count"] == {"ordered": 2, "unordered": 3}
    assert metadata["bold_count"] == {"**": 1, "__": 1}


def test_memory_does_not_grow_with_the_prompts(tmp_path: Path) -> None:
    """600 prompts and answers of 10,000 characters are gone through with room for a few of them."""
    path, out = tmp_path / "input.jsonl", tmp_path / "out.jsonl"
    path.write_text("".join(f'{{"prompt": "{number} {"x" * 10_000}"}}\n' for number in range(600)))
    tracemalloc.start()
    try:
        prompts = open_input(path)
        write_outputs("jsonl", out, "moa", (answered(prompt, prompt.turns[0]) for prompt in prompts))
        outputs = read_outputs(out)
        assert sum(len(answer.turns[0]) > 10_000 for answer in outputs) == outputs.count == 600
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 3_000_000


def test_the_same_results_give_the_same_bytes_and_other_answers_other_ids(tmp_path: Path) -> None:
    (prompt,) = prompts_of(tmp_path, '{"question_id": 1, "turns": ["a", "b"]}')

    def written(model: str, *answers: str) -> bytes:
        write_outputs("mt-bench", tmp_path / "out", model, [answered(prompt, *answers)])
        return (tmp_path / "out").read_bytes()

    assert written("m", "x", "y") == written("m", "x", "y")
    ids = {
        json.loads(written(*texts))["answer_id"]
        for texts in [("m", "x", "y"), ("n", "x", "y"), ("m", "y", "x")]
    }
    assert len(ids) == 3


def test_a_failure_while_results_come_leaves_the_old_outputs(tmp_path: Path) -> None:
    (prompt,) = prompts_of(tmp_path, '{"prompt": "a"}')
    out = tmp_path / "out.jsonl"
    write_outputs("jsonl", out, "moa", [answered(prompt, "old")])
    before = out.read_bytes()

    def results():  # type: ignore[no-untyped-def]
        yield answered(prompt, "new")
        raise ValueError("the folder is gone")

    with pytest.raises(ValueError, match="gone"):
        write_outputs("jsonl", out, "moa", results())
    assert out.read_bytes() == before
    assert {path.name for path in tmp_path.iterdir()} == {"input", "out.jsonl"}
