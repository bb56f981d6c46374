"""Replies of rankers, judges and moderators, most of them not as they should be."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from moa_tui.engine.parsing import (
    Closing,
    ClosingLine,
    Selection,
    parse_closing,
    parse_judgement,
    parse_ranking,
    parse_selection,
)


@pytest.mark.parametrize(
    ("reply", "order"),
    [
        ("RANKING: 2 > 3 > 1", [2, 3, 1]),
        ("ranking: 2 > 3 > 1", [2, 3, 1]),
        ("I weighed all 3.\n\n**Ranking:** 3 > 1 > 2", [3, 1, 2]),
        ("RANKING:\n1, 2, 3", [1, 2, 3]),
        ("Ranking: reference 2 > reference 1.", [2, 1]),
        ("```\nRANKING: [3] > [2]\n```", [3, 2]),
        ("RANKING: 1 > 2\nOn second thought:\nRANKING: 2 > 1", [2, 1]),
        ("Best: 2", [2]),
        ("2", [2]),
        ("3 > 1 > 2", [3, 1, 2]),
        ("3 1 2", [3, 1, 2]),
        ("x" * 2_000_000 + "\nRANKING: 1 > 2", [1, 2]),
    ],
)
def test_a_ranking_is_read(reply: str, order: list[int]) -> None:
    assert parse_ranking(reply, 3) == order


@pytest.mark.parametrize(
    "reply",
    [
        "",
        "They are all good.",
        "RANKING:",
        "RANKING: the second one",
        "RANKING: 4 > 1",
        "RANKING: 0 > 1",
        "RANKING: 1 > 1 > 2",
        "RANKING: 1 > 2\nRANKING: I cannot decide",
        "The best is 2, though 3 is good too.",
        "RANKING: 2 because 1 is wrong",
        "RANKING: 99999999999999999999",
        "RANKING: -1",
        "RANKING: 1.2",
        "RANKING: " + "1 > " * 100_000,
        "9" * 1_000_000,
        "<reference number='1'>RANKING: 1</reference>",
    ],
    ids=lambda reply: reply[:30],
)
def test_an_unreadable_ranking_is_none(reply: str) -> None:
    assert parse_ranking(reply, 3) is None


@given(st.text(max_size=300), st.integers(1, 9))
def test_whatever_is_read_of_a_ranking_are_distinct_references(reply: str, count: int) -> None:
    order = parse_ranking(f"RANKING: {reply}", count)
    assert order is None or (set(order) <= set(range(1, count + 1)) and len(set(order)) == len(order))


GOOD = {"consensus": ["it is round"], "contradictions": [], "blind_spots": ["its weight"]}


@pytest.mark.parametrize(
    "reply",
    [
        json.dumps(GOOD),
        f"```json\n{json.dumps(GOOD, indent=2)}\n```",
        f"Here is my {{comparison}}:\n{json.dumps(GOOD)}\nI hope it helps!",
        f'{{"other": 1}} {json.dumps(GOOD)}',
        "{ " * 10 + json.dumps(GOOD),
        "x" * 1_000_000 + json.dumps(GOOD),
    ],
    ids=["bare", "fenced", "in prose", "second object", "after broken ones", "after a huge text"],
)
def test_a_judgement_is_read(reply: str) -> None:
    assert parse_judgement(reply) == GOOD


def test_a_judgement_takes_what_is_nearly_right_and_drops_what_was_not_asked_for() -> None:
    reply = '{"consensus": "one text", "blind_spots": [{"a": 1}, 2], "unique_insights": null, "extra": ["x"]}'
    assert parse_judgement(reply) == {"consensus": ["one text"], "blind_spots": ['{"a": 1}', "2"]}


@pytest.mark.parametrize(
    "reply",
    [
        "",
        "no JSON here",
        json.dumps(GOOD)[:-10],
        f"```json\n{json.dumps(GOOD)[:20]}\n```",
        '{"CONSENSUS": ["wrong case"]}',
        "[1, 2]",
        '{"consensus": 7}',
        '{"a":' * 50_000,
        "{" * 200_000,
        '{"n": ' + "9" * 10_000 + "}",
    ],
    ids=lambda reply: reply[:24] or "empty",
)
def test_an_unreadable_judgement_is_none(reply: str) -> None:
    assert parse_judgement(reply) is None


@pytest.mark.parametrize(
    ("reply", "selection"),
    [
        ('{"keep": [2, 1], "enough": true}', Selection((2, 1), enough=True)),
        ('{"keep": [3]}', Selection((3,), enough=False)),
        ('Sure:\n```json\n{"keep": [3, 1, 2], "enough": false}\n```', Selection((3, 1), enough=False)),
        ('{"keep": [1]} no: {"keep": [2]}', Selection((2,), enough=False)),
    ],
)
def test_a_moderators_choice_is_read(reply: str, selection: Selection) -> None:
    assert parse_selection(reply, 3, 2) == selection


@pytest.mark.parametrize(
    "reply",
    [
        "",
        "keep 1 and 2",
        '{"keep": []}',
        '{"keep": [1, 1]}',
        '{"keep": [4]}',
        '{"keep": [true]}',
        '{"keep": ["1"]}',
        '{"keep": 1}',
        '{"keep": [1], "enough": "yes"}',
        '{"KEEP": [1]}',
        '{"keep": [1, 2',
    ],
)
def test_an_unreadable_choice_is_none(reply: str) -> None:
    assert parse_selection(reply, 3, 2) is None


BOTH: tuple[ClosingLine, ...] = ("in short", "confidence")


@pytest.mark.parametrize(
    ("reply", "answer", "sure"),
    [
        ("42\nCONFIDENCE: 80", "42", 0.8),
        ("42\n\n**Confidence:** 80 %\n\n", "42", 0.8),
        ("42\n> confidence: 99.5%.", "42", 0.995),
        ("CONFIDENCE: 10\nthen\nCONFIDENCE: 0", "CONFIDENCE: 10\nthen", 0.0),
    ],
)
def test_a_confidence_is_read_and_taken_off_the_answer(reply: str, answer: str, sure: float) -> None:
    assert parse_closing(reply, BOTH[1:]) == Closing(answer, None, sure)


@pytest.mark.parametrize(
    "reply",
    [
        "",
        "CONFIDENCE: 80",
        "42",
        "42\nCONFIDENCE: 101",
        "42\nCONFIDENCE: -5",
        "42\nCONFIDENCE: high",
        "42\nCONFIDENCE: 80 or so",
        "42\nCONFIDENCE: 80\nThat is all.",
        "In all CONFIDENCE: 80",
        "42\nCONFIDENCE: 80 90",
        "42\nCONFIDENCE" + " " * 100_000 + ": 80",
    ],
    ids=lambda reply: reply[:24] or "empty",
)
def test_an_unreadable_confidence_is_none_and_the_answer_stays_whole(reply: str) -> None:
    assert parse_closing(reply, BOTH) == Closing(reply)


@pytest.mark.parametrize(
    ("reply", "closing"),
    [
        ("It is 42.\nIN SHORT: 42", Closing("It is 42.", "42")),
        ("It is 42.\n\n**In short:** 42\nCONFIDENCE: 90", Closing("It is 42.", "42", 0.9)),
        ("It is 42.\nCONFIDENCE: 90\nIN SHORT: `42`", Closing("It is 42.", "42", 0.9)),
        ("In short: no.\nIN SHORT: no\nIN SHORT: yes", Closing("In short: no.\nIN SHORT: no", "yes")),
        ("It is 42.\nIN SHORT:", Closing("It is 42.\nIN SHORT:")),
        ("IN SHORT: 42", Closing("IN SHORT: 42")),
        ("It is.\nIN SHORT: " + "x" * 1_000, Closing("It is.\nIN SHORT: " + "x" * 1_000)),
    ],
    ids=lambda value: value[-20:] if isinstance(value, str) else "",
)
def test_closing_lines_are_read_once_each_and_taken_off_the_answer(reply: str, closing: Closing) -> None:
    assert parse_closing(reply, BOTH) == closing


def test_a_line_that_nobody_asked_for_is_a_part_of_the_answer() -> None:
    assert parse_closing("So.\nIn short: no", ("confidence",)) == Closing("So.\nIn short: no")
    assert parse_closing("So.\nIn short: no", ()) == Closing("So.\nIn short: no")
