"""Answers of other programs are read, and what graders would make of odd ones."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from moa_tui.errors import FileError, UsageError
from moa_tui.evaluation.benchmarks import BulkOutputs, output_name, read_outputs

if TYPE_CHECKING:
    from pathlib import Path


def outputs_of(tmp_path: Path, *entries: object, skip_bad: bool = False) -> BulkOutputs:
    path = tmp_path / "some-model.jsonl"
    path.write_text("".join(f"{json.dumps(entry)}\n" for entry in entries))
    return read_outputs(path, skip_bad=skip_bad)


def test_the_answers_of_several_generators_stand_in_one_file(tmp_path: Path) -> None:
    path = tmp_path / "all.json"
    entries = [
        {"instruction": "a", "output": "x", "generator": "one"},
        {"instruction": "a", "output": "y", "generator": "two"},
        {"instruction": "b", "output": None, "generator": "one"},
    ]
    path.write_text(json.dumps(entries))
    outputs = read_outputs(path)
    assert (outputs.format, outputs.generators, outputs.count) == ("alpaca-eval", ("one", "two"), 3)
    assert [(answer.generator, answer.key, answer.turns) for answer in outputs] == [
        ("one", "a", ("x",)),
        ("two", "a", ("y",)),
        ("one", "b", ("",)),
    ]


def test_a_generator_that_is_not_named_is_the_file_or_that_of_the_first_entry(tmp_path: Path) -> None:
    outputs = outputs_of(tmp_path, {"question_id": 1, "text": "a"}, {"question_id": 2, "text": "b"})
    assert (outputs.format, outputs.generators) == ("flask", ("some-model",))
    outputs = outputs_of(
        tmp_path, {"question_id": 1, "text": "a", "model_id": "vicuna"}, {"question_id": 2, "text": "b"}
    )
    assert outputs.generators == ("vicuna",)


def test_of_answers_to_one_question_the_last_counts_as_graders_take_it(tmp_path: Path) -> None:
    def entry(number: int, text: str) -> dict[str, object]:
        return {"question_id": number, "model_id": "m", "choices": [{"index": 0, "turns": [text, text]}]}

    outputs = outputs_of(tmp_path, entry(1, "old"), entry(2, "b"), entry(1, "newer"), entry(1, "newest"))
    assert [answer.turns[0] for answer in outputs] == ["b", "newest"]
    assert outputs.count == 2
    assert outputs.problems == (
        'left out: line 1: the answer to "1" is there again, in line 3',
        'left out: line 3: the answer to "1" is there again, in line 4',
    )


def test_what_fastchat_writes_for_an_answer_it_could_not_get_is_no_answer(tmp_path: Path) -> None:
    entry = {"question_id": 1, "model_id": "m", "choices": [{"index": 0, "turns": ["$ERROR$", "b"]}]}
    (answer,) = outputs_of(tmp_path, entry)
    assert answer.turns == ("", "b")
    assert answer.error == "the model's server gave no answer"


def test_the_last_prompt_before_an_answer_is_the_one_it_answers(tmp_path: Path) -> None:
    messages = [
        {"role": "user", "content": "earlier"},
        {"role": "assistant", "content": {"answer": "b"}},
        {"role": "user", "content": "u"},
        {"role": "assistant", "content": {"answer": "a"}},
    ]
    (answer,) = outputs_of(tmp_path, {"uid": "1", "model": "m", "messages": messages})
    assert (answer.id, answer.prompt, answer.turns) == ("1", "u", ("a",))


@pytest.mark.parametrize(
    ("entry", "reason"),
    [
        ({"question_id": 1, "choices": [{"turns": []}]}, "its `choices` have no `turns`"),
        ({"question_id": 1, "choices": ["a"]}, "its `choices` have no `turns`"),
        ({"question_id": 1, "choices": [{"turns": [5]}]}, "its answer is not a text"),
        ({"question_id": None, "choices": [{"turns": ["a"]}]}, "it has no `question_id`"),
    ],
)
def test_an_answer_that_cannot_be_read_is_named(entry: object, reason: str, tmp_path: Path) -> None:
    good = {"question_id": 9, "choices": [{"turns": ["a"]}]}
    with pytest.raises(FileError, match=rf"some-model\.jsonl: line 2: {reason}.*--skip-bad"):
        outputs_of(tmp_path, good, entry)
    outputs = outputs_of(tmp_path, good, entry, skip_bad=True)
    assert outputs.count == len(list(outputs)) == 1
    assert outputs.problems[0].startswith(f"left out: line 2: {reason}")


def test_a_file_without_answers_is_refused(tmp_path: Path) -> None:
    with pytest.raises(FileError, match=r'no answers in a format that is known.* the fields: "prompt"'):
        outputs_of(tmp_path, {"prompt": "a"})
    path = tmp_path / "some-model.jsonl"
    with pytest.raises(FileError, match="no answers in the format mt-bench"):
        read_outputs(path, "mt-bench")
    with pytest.raises(UsageError, match="there is no format"):
        read_outputs(path, "xml")


@pytest.mark.parametrize(
    ("name", "file"),
    [
        ("moa-lite", "moa-lite.json"),
        ("moa 3.5/x", "moa-3.5-x.json"),
        ("../../etc", "etc.json"),
        ("ü" * 200, "ü" * 60 + ".json"),
        ("..", "recipe.json"),
        ("a\x1b[31m\n", "a-31m.json"),
    ],
)
def test_the_name_of_outputs_is_one_that_every_disk_takes(name: str, file: str) -> None:
    assert output_name("alpaca-eval", name) == file
