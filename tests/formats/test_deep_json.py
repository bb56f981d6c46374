"""Values that are nested more deeply than the library's decoder reads are read as it reads others."""

from __future__ import annotations

import json
from json import JSONDecodeError, JSONDecoder
from typing import TYPE_CHECKING, Any

import pytest

from moa_tui.formats.deep_json import MOST_LEVELS, deep_value
from tests.formats.helpers import pairs

if TYPE_CHECKING:
    from tests.formats.conftest import Importing

DECODER = JSONDecoder()


def deep(text: str) -> tuple[Any, int]:
    return deep_value(text, 0, DECODER)


@pytest.mark.parametrize(
    "text",
    [
        "{}",
        "[ ]",
        ' {"a" : [ 1 , -2.5e3 , "\\u00e9\\n" , null , true , [] , {} ] , "b" : {"c" : [[0]]} } '.strip(),
        '{"a": 1, "a": 2} and more',
        "3",
        '"text"',
    ],
)
def test_a_value_and_its_end_are_those_of_the_library(text: str) -> None:
    assert deep(text) == DECODER.raw_decode(text)


@pytest.mark.parametrize(
    "text",
    ["", "[", "[1,", "[1 2]", '{"a"', '{"a":', "{a:1}", '{"a":1', '{"a":1]', "[nul]", '["a', '["\n"]', "x"],
)
def test_what_is_no_value_has_the_fault_and_place_of_the_library(text: str) -> None:
    with pytest.raises(JSONDecodeError) as expected:
        DECODER.raw_decode(text)
    with pytest.raises(JSONDecodeError) as fault:
        deep(text)
    assert (fault.value.msg, fault.value.pos) == (expected.value.msg, expected.value.pos)


def test_only_so_many_levels_are_read() -> None:
    value, end = deep("[" * 50_000 + "]" * 50_000)
    assert (len(value), end) == (1, 100_000)
    with pytest.raises(RecursionError):
        deep("[" * (MOST_LEVELS + 1))


def nested_messages(number: int) -> str:
    """LibreChat's default export, `messagesTree`, with each message in the `children` of the one before it.

    JSON's own writer cannot nest so deeply either.
    """
    opening = [
        f'{{"messageId":"{message}","parentMessageId":"{message - 1 if message else ""}",'
        f'"isCreatedByUser":{json.dumps(message % 2 == 0)},"text":"text {message}","tokenCount":1e999,'
        '"children":['
        for message in range(number)
    ]
    tree = "".join(opening) + "]}" * number
    return f'{{"conversationId":"c","title":"Long","recursive":true,"messagesTree":[{tree}]}}'


def test_a_conversation_of_many_nested_messages_is_imported(imported: Importing) -> None:
    result = imported(nested_messages(3_000))
    said = pairs(result.conversations[0])
    assert (len(said), said[0], said[-1]) == (
        1_500,
        ("text 0", "text 1"),
        ("text 2998", "text 2999"),
    )
    assert result.notes == ("3000 unreadable numbers left out",)


def test_one_that_is_torn_costs_itself_alone(imported: Importing) -> None:
    good = '{"conversationId":"d","messages":[{"isCreatedByUser":true,"text":"Q"}]}'
    torn = nested_messages(1_000).replace('"text":"text 900"', '"text":oops')
    result = imported(f"{torn}\n{good}\n")
    assert [pairs(conversation) for conversation in result.conversations] == [[("Q", "")]]
    assert result.notes[0].endswith("Expecting value")
