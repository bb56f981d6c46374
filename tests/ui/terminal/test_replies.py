"""What a terminal answers is taken out of the input, and keys stay."""

from __future__ import annotations

import pytest

from moa_tui.ui.terminal.replies import ReplyFilter
from moa_tui.ui.terminal.textual_private import XTermParser

ANSWERS = [
    "\x1b[?64;1;2;6;22c",  # what kind of terminal it is
    "\x1b[>41;388;0c",
    "\x1bP!|00000000\x1b\\",
    "\x1bP>|kitty(0.32.2)\x1b\\",  # its name
    "\x1bP1+r524742=38\x1b\\",  # what it can do
    "\x1bP1$r0;1m\x1b\\",
    "\x1b]11;rgb:1e1e/1e1e/2e2e\x07",  # its colours
    "\x1b]4;15;rgb:ffff/ffff/ffff\x1b\\",
    "\x1b]52;c;c2VjcmV0\x1b\\",  # what was copied
    "\x1b_Gi=31;OK\x1b\\",  # whether it shows pictures
    "\x1b[?997;1n",  # dark or light
    "\x1b[0n",
    "\x1b[?1u",  # the keyboard's protocol
    "\x1b[>4;2m",
    "\x1b[?12;2$y",  # modes
    "\x1b[4;1080;1920t",  # the window's size
    "\x1b[8;24;80t",
]
KEYS = [
    "abc",
    "\x1b\x1bOA",
    "\x1b[A",
    "\x1b[1;5C",
    "\x1b[3~",
    "\x1bOP",
    "\x1b[15;2~",
    "\x1b[97;5u",
    "\x1b[97;;97u",
    "\x1b[<0;10;5M",
    "\x1b[I",
    "\x1ba",
    "\x1b[48;24;80;480;800t",
    "\x1b[?2026;2$y",
    "\x1b[?2048;0$y",
    "\x1b[200~\x1b[201~",
    "n0c?1u]11;rgb",
]


def letters(*pieces: str) -> str:
    """What Textual's parser makes letters of, of input that comes in pieces."""
    replies, parser = ReplyFilter(), XTermParser()
    typed = ""
    for piece in pieces:
        if keys := replies.pass_keys(piece):
            typed += "".join(
                event.character or "" for event in parser.feed(keys) if getattr(event, "is_printable", False)
            )
    return typed


@pytest.mark.parametrize("answer", ANSWERS)
def test_an_answer_is_no_text_wherever_it_is_cut(answer: str) -> None:
    assert letters(f"a{answer}b") == "ab"
    for cut in range(1, len(answer)):
        assert letters(f"a{answer[:cut]}", f"{answer[cut:]}b") == "ab", cut
    assert letters("a", *answer, "b") == "ab"


@pytest.mark.parametrize("key", KEYS)
def test_keys_and_what_textual_asks_for_itself_stay(key: str) -> None:
    assert ReplyFilter().pass_keys(f"{key}x") == f"{key}x"
    assert ReplyFilter().pass_keys("x" + "".join(ANSWERS) + key + "x") == f"x{key}x"


def test_a_key_that_an_answer_could_begin_with_is_given_back() -> None:
    for key in ("\x1b]", "\x1bP", "\x1b_", "\x1b["):
        replies = ReplyFilter()
        assert replies.pass_keys(f"a{key}") == "a"
        assert replies.seconds_to_wait
        assert replies.give_up() == key
        assert replies.seconds_to_wait is None
        assert replies.pass_keys("b") == "b"


def test_an_answer_that_never_ends_is_dropped() -> None:
    replies = ReplyFilter()
    assert replies.pass_keys("a\x1b]11;rgb:1e") == "a"
    assert replies.give_up() == ""
    assert replies.pass_keys("b") == "b"


def test_escape_is_held_only_until_it_is_clear_that_it_is_alone() -> None:
    for letter in "]P_[a":
        replies = ReplyFilter()
        assert replies.pass_keys("\x1b") == ""
        assert replies.give_up() == "\x1b"
        assert replies.pass_keys(letter) == letter


def test_the_words_of_an_input_method_are_letters() -> None:
    words = "こんにちは世界 👩\u200d💻"
    sequence = f"\x1b[0;;{':'.join(str(ord(character)) for character in words)}u"
    assert ReplyFilter().pass_keys(f"a{sequence}b") == f"a{words}b"
    for cut in range(2, len(sequence)):
        assert letters(f"a{sequence[:cut]}", f"{sequence[cut:]}b") == f"a{words}b", cut


def test_numbers_that_are_no_characters_are_left_out() -> None:
    assert ReplyFilter().pass_keys("\x1b[0;;97:27:55296:1114112:98u") == "ab"


@pytest.mark.parametrize(
    ("sequence", "keys"),
    [
        # Kitty's documentation, "Comprehensive keyboard handling": other keys, events and text.
        ("\x1b[97:65;2u", ["A"]),
        ("\x1b[97:65;2;65u", ["A"]),
        ("\x1b[97:65;66;u", ["A"]),
        ("\x1b[97;1:1;97u", ["a"]),
        ("\x1b[97;1:2;97u", ["a"]),
        ("\x1b[97;1:3u", []),
        ("\x1b[97;1:3;97u", []),
        ("\x1b[27;1:1u", ["escape"]),
        ("\x1b[27;1:3u", []),
        ("\x1b[99:67;6u", ["ctrl+shift+c"]),
        ("\x1b[1089::99;5u", ["ctrl+с"]),
        ("\x1b[1089:1057:115;2;1057u", ["С"]),
        ("\x1b[13:13;2:1u", ["shift+enter"]),
        ("\x1b[1;1:1H", ["home"]),
        ("\x1b[1;5:2A", ["ctrl+up"]),
        ("\x1b[1;1:3A", []),
        ("\x1b[15;1:3~", []),
        ("\x1b[55296u", []),
        ("\x1b[1114112;1u", []),
        ("\x1b[97;;1114112u", []),
        # xterm's "Control Sequences", modifyOtherKeys.
        ("\x1b[27;2;13~", ["shift+enter"]),
        ("\x1b[27;5;13~", ["ctrl+enter"]),
        ("\x1b[27;2;196~", ["Ä"]),
        ("\x1b[27;5;105~", ["ctrl+i"]),
    ],
)
def test_a_key_is_understood_in_every_form_of_it(sequence: str, keys: list[str]) -> None:
    def read(*pieces: str) -> list[str]:
        replies, parser = ReplyFilter(), XTermParser()
        inputs = [keys for piece in pieces if (keys := replies.pass_keys(piece))]
        return [getattr(event, "key", "") for keys in inputs for event in parser.feed(keys)]

    assert read(sequence) == keys
    for cut in range(2, len(sequence)):
        assert read(sequence[:cut], sequence[cut:]) == keys, cut
