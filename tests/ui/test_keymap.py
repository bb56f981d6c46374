"""Keys of a person's own: found by id, checked before they are put in force."""

from __future__ import annotations

from typing import ClassVar

from textual.app import App
from textual.binding import Binding, BindingType
from textual.widget import Widget

from moa_tui.ui import app as moa_app
from moa_tui.ui.keymap import bindings_of, problems


class Pane(Widget):
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("s", "stop", "Stop it", id="pane.stop"),
        Binding("y", "copy", "Copy", id="pane.copy"),
        Binding("z", "nameless", "Nothing"),
        ("q", "quit", "Quit"),
    ]


class Turn(Widget):
    BINDINGS: ClassVar[list[BindingType]] = [Binding("y", "copy", "Copy", id="turn.copy")]


class Host(App[None]):
    BINDINGS: ClassVar[list[BindingType]] = [Binding("f1,question_mark", "help", "Help", id="app.help")]


KNOWN = bindings_of([Host, Pane, Turn])
WRITING = {"left": "Cursor left", "ctrl+x": "Cut", "f1": "Whatever"}


def test_only_bindings_with_an_id_can_be_changed() -> None:
    assert set(KNOWN) == {"app.help", "pane.stop", "pane.copy", "turn.copy"}
    assert KNOWN["pane.stop"].key == "s"


def test_keys_that_meet_nothing_are_no_problem() -> None:
    assert problems({"pane.stop": "x"}, KNOWN, {}) == []
    assert problems({}, KNOWN, WRITING) == []


def test_an_unknown_id_is_named_with_the_nearest_known_one() -> None:
    assert problems({"pane.stpo": "x"}, KNOWN, {}) == [
        'keys: nothing is called "pane.stpo"; did you mean "pane.stop"?'
    ]
    assert problems({"zzz": "x"}, KNOWN, {}) == ['keys: nothing is called "zzz"; F1 shows the names']


def test_a_key_asked_for_twice_in_one_place_is_named_with_both_its_owners() -> None:
    assert problems({"pane.stop": "y"}, KNOWN, {}) == ["keys: pane.copy and pane.stop both want y"]


def test_one_key_may_do_two_things_where_they_never_meet() -> None:
    assert problems({"turn.copy": "s"}, KNOWN, {}) == []


def test_a_key_in_force_everywhere_is_taken_everywhere() -> None:
    assert problems({"pane.stop": "f1"}, KNOWN, {}) == ["keys: app.help and pane.stop both want f1"]
    assert problems({"app.help": "s"}, KNOWN, {}) == ["keys: app.help and pane.stop both want s"]


def test_each_of_several_keys_is_looked_at() -> None:
    assert problems({"pane.stop": "x, y"}, KNOWN, {}) == ["keys: pane.copy and pane.stop both want y"]
    assert problems({"pane.stop": "x,question_mark"}, KNOWN, {}) == [
        "keys: app.help and pane.stop both want question_mark"
    ]


def test_two_that_change_places_do_not_clash() -> None:
    assert problems({"pane.stop": "y", "pane.copy": "s"}, KNOWN, {}) == []


def test_a_clash_that_nobody_asked_for_is_not_reported() -> None:
    known = {**KNOWN, "pane.other": Binding("y", "other", "Other", id="pane.other")}
    assert problems({"pane.stop": "x"}, known, {}) == []


def test_problems_come_in_the_same_order_each_time() -> None:
    wanted = {"b": "x", "a": "x", "pane.stop": "y"}
    found = problems(wanted, KNOWN, {})
    assert found == sorted(found)
    assert len(found) == 3


def test_a_key_that_a_text_field_takes_is_refused_for_what_is_wanted_everywhere() -> None:
    assert problems({"app.help": "ctrl+x"}, KNOWN, WRITING) == [
        'keys: app.help cannot have ctrl+x, which the prompt takes for "Cut"'
    ]
    assert problems({"pane.stop": "ctrl+x"}, KNOWN, WRITING) == []


def test_a_binding_that_goes_before_the_text_field_may_have_its_keys() -> None:
    known = {"app.help": Binding("f9", "help", "Help", id="app.help", priority=True)}
    assert problems({"app.help": "ctrl+x"}, known, WRITING) == []


def test_a_key_left_as_it_is_is_not_held_against_the_text_field() -> None:
    assert problems({"pane.stop": "x"}, KNOWN, WRITING) == []


OWN = bindings_of(moa_app._classes_with_keys())


def test_every_key_of_the_chat_can_be_bound_anew_by_its_name() -> None:
    assert {name: found for name in OWN if (found := problems({name: "f12"}, OWN, {}))} == {}


def test_the_chats_own_keys_do_not_clash_when_asked_for_as_they_are() -> None:
    wanted = {name: binding.key for name, binding in OWN.items()}
    assert problems(wanted, OWN, {}) == []
