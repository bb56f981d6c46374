"""A title by a model: what the model is shown, and what is taken of its reply."""

from __future__ import annotations

import pytest

from moa_tui.chat.titles import title_in, title_prompt
from moa_tui.conversation import Turn
from tests.conversations import a_turn
from tests.helpers import recipe


@pytest.mark.parametrize(
    ("reply", "title"),
    [
        ("Flightless birds", "Flightless birds"),
        ('Here you are:\n\n"**Flightless [/] birds**."\n', "Flightless [/] birds"),
        ("# Flightless   birds", "Flightless birds"),
        ("“Flightless birds”", "Flightless birds"),
        ("鳥", "鳥"),
        ("", ""),
        (" \n\t\n", ""),
        ('"."', ""),
    ],
)
def test_the_last_line_of_the_reply_is_the_title_without_its_trimmings(reply: str, title: str) -> None:
    assert title_in(reply) == title


def test_a_title_is_cut_to_a_line() -> None:
    assert len(title_in("word " * 100)) == 80


def test_a_model_sees_the_beginnings_of_question_and_answer() -> None:
    shown = title_prompt(a_turn("Why? " + "x" * 5_000, "Because. " + "y" * 5_000))
    assert "Why? x" in shown
    assert "Because. y" in shown
    assert len(shown) < 4_000


def test_a_turn_without_an_answer_can_be_named_all_the_same() -> None:
    assert "Why?" in title_prompt(Turn("Why?", recipe(["a"])))
