"""Values are read one after another, and one that cannot be read costs itself alone."""

from __future__ import annotations

import json
import time
import tracemalloc
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from moa_tui.formats import json_stream
from moa_tui.formats.json_stream import JsonStream, Problems
from tests.formats.helpers import pairs

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.formats.conftest import Importing


def pieces(text: str, length: int) -> Iterator[str]:
    return (text[at : at + length] for at in range(0, len(text), length))


def values(text: str, length: int = 1_000_000) -> tuple[list[Any], list[str]]:
    """The values of a text that comes in pieces of a length, and what was said of others."""
    problems = Problems()
    stream = JsonStream(pieces(text, length), problems, lambda value: isinstance(value, dict))
    return [value.value for value in stream], problems.notes()


_JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**60), 2**60) | st.text(max_size=9) | st.floats(-1e9, 1e9),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=5), inner, max_size=4),
    max_leaves=12,
)


@given(st.lists(_JSON, max_size=6), st.integers(16, 60), st.sampled_from([None, 1]), st.booleans())
@settings(max_examples=60, deadline=None)
def test_values_are_the_same_in_pieces_of_any_length(
    expected: list[Any], length: int, indent: int | None, is_list: bool
) -> None:
    ahead = json_stream._AHEAD
    json_stream._AHEAD = length
    try:
        if is_list:
            assert values(json.dumps(expected, indent=indent), length) == (expected, [])
        else:
            # Lists at the top are taken for lists of values.
            expected = [[value] for value in expected]
            lines = "\n".join(json.dumps(value, indent=indent, ensure_ascii=False) for value in expected)
            assert values(lines, length) == ([value for (value,) in expected], [])
    finally:
        json_stream._AHEAD = ahead


def test_numbers_are_whole_wherever_the_text_is_cut() -> None:
    expected = [0.0, -1.25, 1e-7, 2.5e20, 10]
    ahead = json_stream._AHEAD
    for length in range(1, 40):
        json_stream._AHEAD = length
        try:
            assert values("[0.0,-1.25, 1e-07,2.5E+20 ,10]", length) == (expected, [])
        finally:
            json_stream._AHEAD = ahead


def conversation(text: str, **more: Any) -> dict[str, Any]:
    return {"title": text, "messages": [{"role": "user", "content": text}], **more}


@pytest.mark.parametrize("indent", [None, 2])
@pytest.mark.parametrize("damage", ["", "}", "[", '"', "nul", '{"title": ', "\x00", "{" * 2_000])
def test_damage_in_a_list_costs_the_conversation_in_which_it_is(
    imported: Importing, indent: int | None, damage: str
) -> None:
    text = json.dumps([conversation(name * 5) for name in "abcd"], indent=indent)
    result = imported(text.replace('"bbbbb"', damage, 1))
    prompts = [prompt for each in result.conversations for prompt, _ in pairs(each)]
    assert prompts == ["aaaaa", "ccccc", "ddddd"]
    assert result.notes[0].startswith("left out: line ")


@pytest.mark.parametrize("cut", [0.3, 0.5, 0.9, 0.99])
def test_of_a_list_that_was_cut_off_all_before_the_cut_is_taken(imported: Importing, cut: float) -> None:
    text = json.dumps([conversation(str(number)) for number in range(100)])
    result = imported(text[: int(len(text) * cut)])
    assert abs(len(result.conversations) - 100 * cut) < 2
    assert len(result.notes) == 1


def test_each_torn_line_is_named_and_many_are_counted(imported: Importing) -> None:
    line = json.dumps(conversation("x")) + "\n"
    text = "".join(line + line[: 5 + number] + "\n" for number in range(9))
    result = imported(f"x torn line\n{text}")
    assert len(result.conversations) == 9
    assert result.notes[0] == "left out: line 1, column 1: Expecting value"
    assert result.notes[1].startswith("left out: line 3, column ")
    assert result.notes[-1] == "5 more pieces left out like these"


def test_lines_of_lists_are_a_conversation_each(imported: Importing) -> None:
    lines = [json.dumps(conversation(name)["messages"]) for name in "abc"]
    result = imported("\n".join([lines[0], lines[1][:20], lines[2]]))
    assert [pairs(each) for each in result.conversations] == [[("a", "")], [("c", "")]]


@pytest.mark.parametrize("number", ["NaN", "Infinity", "-Infinity", "1e999", "9" * 5_000, "-" + "9" * 30])
def test_a_number_that_is_none_costs_that_number_alone(imported: Importing, number: str) -> None:
    text = json.dumps([conversation("a", created=1), conversation("b")])
    result = imported(text.replace('"created": 1', f'"created": {number}'))
    assert [pairs(each) for each in result.conversations] == [[("a", "")], [("b", "")]]
    assert result.notes == ("1 unreadable number left out",)


def test_ids_and_times_of_64_bits_are_taken(imported: Importing) -> None:
    said = [
        {"id": 2**64 - 2, "role": "user", "content": "Q", "timestamp": 1_700_000_000_000_000_000},
        {"id": 2**64 - 1, "parent": 2**64 - 2, "role": "assistant", "content": "A"},
    ]
    result = imported({"messages": said[::-1]})
    assert pairs(result.conversations[0]) == [("Q", "A")]
    assert result.conversations[0].turns[0].created == 1_700_000_000
    assert result.notes == ()


@pytest.mark.parametrize(
    ("time_", "seconds"),
    [
        (1_700_000_000, 1_700_000_000),
        (1_700_000_000_500, 1_700_000_000.5),
        (1_700_000_000_000_000, 1_700_000_000),
        ("1700000000.5", 1_700_000_000.5),
        ("2023-11-14T22:13:20Z", 1_700_000_000),
        ("2023-11-14T22:13:20.500000", 1_700_000_000.5),
        ("2023-11-15 00:13:20+02:00", 1_700_000_000),
        ({"$date": "2023-11-14T22:13:20.000Z"}, 1_700_000_000),
        ({"$date": {"$numberLong": "1700000000000"}}, 1_700_000_000),
        *(
            (bad, None)
            for bad in (-5, "soon", True, [1], {"$date": {"$date": {}}}, "9" * 100, "nan", "-1", 10**19)
        ),
    ],
    ids=str,
)
def test_times_in_any_unit_are_taken_and_others_are_counted(
    imported: Importing, time_: object, seconds: float | None
) -> None:
    result = imported(conversation("a", created_at=time_))
    created = result.conversations[0].created
    if seconds is not None:
        assert created == pytest.approx(seconds)
        assert result.notes == ()
    else:
        assert time.time() - created < 100
        assert result.notes == (() if time_ == 10**19 else ("1 unreadable time left out",))


def test_a_conversation_that_is_too_large_costs_itself_alone(
    imported: Importing, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("moa_tui.formats.foreign.turns.MOST_TURNS", 2)
    large = {
        "title": "Large",
        "messages": [{"role": role, "content": "x"} for role in ["user", "assistant"] * 3],
    }
    result = imported([large, conversation("a")])
    assert [pairs(each) for each in result.conversations] == [[("a", "")]]
    assert result.notes == (
        'left out: the conversation "Large" at line 1, column 2: '
        "it has more than 2 turns, which is the most of a conversation",
    )


def test_of_our_own_conversations_a_bad_one_costs_itself_alone(imported: Importing) -> None:
    result = imported([{"format": "moa-tui conversation", "title": "Bad"}, conversation("a")])
    assert len(result.conversations) == 1
    assert result.notes[0].startswith('left out: the conversation "Bad" at line 1, column 2: ')


# Texts that mean to keep the program busy or to fill the memory


def test_a_large_file_is_never_in_the_memory_as_a_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(json_stream, "_AHEAD", 20_000)
    record = json.dumps({"text": "x" * 5_000}) + ", "
    number = 2_000
    tracemalloc.start()
    text = (record for _ in range(number))
    stream = JsonStream((piece for group in (["["], text, ["0]"]) for piece in group), Problems(), bool)
    assert sum(1 for _ in stream) == number + 1
    _, most = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert most < len(record) * number / 20


@pytest.mark.parametrize(
    "text",
    [
        "[\n" * 100_000,
        '{"a": [\n' * 100_000,
        "[[],[],[],[],[],[],\n" * 30_000,
        '{"a":1' * 100_000,
        '[{"a":' * 100_000,
        '{"a": "b\n' * 100_000,
        '["' + "x" * 2_000_000,
        '{"a' * 200_000,
        "x\n" * 500_000,
        "[" + "\n{" * 200_000,
        "," * 1_000_000,
    ],
    ids=range(11),
)
def test_a_text_without_an_end_is_given_up_in_moments(text: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(json_stream, "_MOST_IN_VAIN", 20_000_000)
    begin = time.thread_time()
    _, notes = values(text)
    assert time.thread_time() - begin < 10
    assert len(notes) <= 6


def test_more_values_than_anybody_wrote_are_refused(
    imported: Importing, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(json_stream, "_MOST_VALUES", 100)
    result = imported([conversation("a"), *[1] * 200])
    assert len(result.conversations) == 1
    assert "left out: the rest: it holds more than 100 values, which is the most that is read" in result.notes
