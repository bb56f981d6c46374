"""What of a step stays, where it is cut off and joined: nothing that was shown is ever taken back."""

from __future__ import annotations

import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from moa_tui.engine import step_text
from moa_tui.engine.step_text import StepText


def written(
    text: str, *, size: int = 1000, before: str = "", gap: str = "", whole: bool = False, last: bool = False
) -> tuple[str, StepText]:
    """What is shown of a step that comes in pieces of `size` characters, and the step."""
    step = StepText(before, gap, is_last=last)
    shown = [step.feed(text[at : at + size]) for at in range(0, len(text), size)]
    shown.append(step.end(is_whole=whole))
    assert "".join(shown) == step.shown
    return step.shown, step


@pytest.mark.parametrize("size", [1, 4, 1000])
@pytest.mark.parametrize(
    ("text", "stays"),
    [
        ("A moa is a bird. It cannot fl", "A moa is a bird."),
        ("Was it big? Yes! It st", "Was it big? Yes!"),
        ("It was 3.7 metres tall. Its n", "It was 3.7 metres tall."),
        ("It ate fruit, e.g. berr", ""),
        ("Dr. Haast found it. Then Mr. O", "Dr. Haast found it."),
        ('He said "no." Then he le', 'He said "no."'),
        ("恐鸟是一种鸟。它不能飞。因", "恐鸟是一种鸟。它不能飞。"),
        ("「鳥です。」と言った。それ", "「鳥です。」と言った。"),
        ("यह एक पक्षी है। वह उड़ न", "यह एक पक्षी है।"),
        ("هل كان كبيرا؟ نع", "هل كان كبيرا؟"),
        ("มันเป็นนก มันบิน", "มันเป็นนก"),
        ("It was a bird.\n\nIt cou", "It was a bird."),
        ("These are the facts:\n\n- it wa", "These are the facts:"),
        ("- one thing\n- two thi", "- one thing"),
        ("1. First of all\n2. Sec", "1. First of all"),
        ("1. Fi", ""),
        ("# A heading\n\nand tex", ""),
        ("| a | b |\n|---|---|\n| 1 | 2 |\n| 3 |", "| a | b |\n|---|---|\n| 1 | 2 |"),
        ("| a | b |\n|---|---|\n| 1 ", ""),
        ("Look:\n\n```py\nx = 1. y\n\nz. w\n", "Look:"),
        ("Look:\n\n```py\nx = 1\n```\nand th", "Look:\n\n```py\nx = 1\n```"),
        ("Call `it. Then` what follo", ""),
        ("**Note it. Well** and so", ""),
        ("no end at all", ""),
        ("It is so. See [the moa. A history](http://a.b", "It is so."),
        ("Use [it](http://a.b). Then wha", "Use [it](http://a.b)."),
        ("See it.\n\n- ```py\n  a = 1\n\n  b = 2\n", "See it."),
        ("- ```py\n  a = 1\n\n  b = 2\n  ```\n- mo", "- ```py\n  a = 1\n\n  b = 2\n  ```"),
        ("> So it is.\n> ~~~~\n> a = 1. b\n>\n> c", "> So it is."),
        ("> ~~~~\n> a = 1. b\n> ~~~~\n> mo", "> ~~~~\n> a = 1. b\n> ~~~~"),
        ("```x = 1```\n\nThat is all. And", "```x = 1```\n\nThat is all."),
    ],
)
def test_a_step_is_cut_back_to_the_end_of_a_sentence_or_block(text: str, stays: str, size: int) -> None:
    assert written(text, size=size)[0] == stays


def test_a_step_that_its_model_ended_stays_whole_but_for_an_open_block() -> None:
    assert written("no end at all ", whole=True)[0] == "no end at all"
    shown, step = written("Look here.\n\n```py\nx = 1", whole=True)
    assert (shown, step.is_in_block) == ("Look here.", True)


def test_the_last_step_stays_as_it_is() -> None:
    assert written("no end at a", last=True)[0] == "no end at a"


@pytest.mark.parametrize("size", [1, 3, 1000])
@pytest.mark.parametrize(
    ("before", "gap", "text", "joined"),
    [
        ("A moa is a bird.", " ", "It is big.", "A moa is a bird. It is big."),
        ("A moa is a bird.", "\n\n", "It is big.", "A moa is a bird.\n\nIt is big."),
        ("A moa is a bird.", " ", "\n\nIt is big.", "A moa is a bird.\n\nIt is big."),
        ("A moa is a bird.", "", "It is big.", "A moa is a bird.\n\nIt is big."),
        ("恐鸟是鸟。", "", "它不能飞。", "恐鸟是鸟。它不能飞。"),
        ("- one\n- two", "\n", "- three", "- one\n- two\n- three"),
        ("- one\n- two", "", "- three", "- one\n- two\n- three"),
        ("It is big.", " ", "## Food\n\nIt eats.", "It is big.\n\n## Food\n\nIt eats."),
        # What repeats the seam, or all that stands, is trimmed.
        ("A moa is a bird. It is big.", " ", "It is big. It eats.", "A moa is a bird. It is big. It eats."),
        ("A moa is a bird.", "", "A moa is a bird. It is big.", "A moa is a bird. It is big."),
        ("A moa is a bird.", "", "A moa is a bird.", "A moa is a bird."),
    ],
)
def test_steps_are_joined_without_a_seam(before: str, gap: str, text: str, joined: str, size: int) -> None:
    assert before + written(text, before=before, gap=gap, whole=True, size=size)[0] == joined


BIRD = "A moa is a bird that could not fly."
HOME = "It lived in the forests of New Zealand."


@pytest.mark.parametrize("last", [True, False])
@pytest.mark.parametrize("size", [1, 3, 1000])
@pytest.mark.parametrize(
    ("before", "text", "added"),
    [
        # The answer anew from its start, with the blanks as its model has them, and then more.
        (f"{BIRD}\n\n{HOME}", f"{BIRD} {HOME} It died out.", " It died out."),
        # Another way from somewhere on.
        (f"{BIRD} {HOME}", f"{BIRD} It died out.", " It died out."),
        # Not as far as it stands already.
        (f"{BIRD} {HOME} It ate leaves.", f"{BIRD} {HOME}", ""),
        (BIRD, "...", ""),
        (f"{BIRD} End.", "End.", ""),
        (BIRD, "… It died out.", " It died out."),
        (f"{BIRD} {HOME}", f"...{HOME} It died out.", " It died out."),
        # Nothing of this is a repetition.
        (BIRD, "A moa is big.", " A moa is big."),
    ],
)
def test_an_answer_that_is_begun_again_adds_only_what_is_new(
    before: str, text: str, added: str, size: int, last: bool
) -> None:
    assert written(text, before=before, gap=" ", whole=True, size=size, last=last)[0] == added


PIECES = st.text("ab .。!`*|-#\n1)", max_size=6) | st.sampled_from(["```\n", "| a |\n", "- b\n", "bird. "])


@given(st.lists(PIECES, max_size=25), st.text("ab. \n", max_size=12), st.booleans(), st.data())
@settings(max_examples=150, deadline=None)
@pytest.mark.hypothesis
def test_what_is_shown_is_the_same_wherever_the_text_is_torn(
    pieces: list[str], before: str, whole: bool, data: st.DataObject
) -> None:
    text = "".join(pieces)
    at_once, _ = written(text, before=before, whole=whole)
    size = data.draw(st.integers(1, 5))
    in_pieces, _ = written(text, before=before, whole=whole, size=size)
    assert in_pieces == at_once


@pytest.mark.parametrize("text", [". " * 40_000, "." * 80_000, "`" * 80_000, "a\n" * 40_000, " " * 80_000])
def test_a_hostile_step_takes_time_that_grows_with_its_length(text: str) -> None:
    def seconds(length: int) -> float:
        began = time.process_time()
        written(text[:length], before="A moa. " * 1000, size=len(text))
        return time.process_time() - began

    short, long = seconds(len(text) // 4), seconds(len(text))
    assert long < 16 * max(short, 0.01), "twice as long may not take four times the time, and then some"


def test_blank_space_behind_a_repetition_is_not_compared_piece_by_piece(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    compared: list[str] = []
    overlap = step_text._overlap

    def counted(before: str, after: str) -> int:
        compared.append(after)
        return overlap(before, after)

    monkeypatch.setattr(step_text, "_overlap", counted)
    assert written(f"{BIRD}{' ' * 500}It is big.", before=BIRD, size=1, last=True)[0].endswith("It is big.")
    assert len(compared) <= 2
