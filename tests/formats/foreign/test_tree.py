"""Links are followed in whatever direction a file has them, and damage costs what is damaged alone."""

from __future__ import annotations

import itertools
import time
from typing import TYPE_CHECKING, Any

import pytest

from moa_tui.conversation import Conversation, path
from tests.formats.helpers import chatgpt, node, pairs

if TYPE_CHECKING:
    from tests.formats.conftest import Importing

TREE = {
    ("One?", "First.", None),
    ("One?", "Again.", None),
    ("Two?", "Second.", "Again."),
    ("Two, put better?", "Better.", "Again."),
}


def branches() -> dict[str, Any]:
    """Two answers to one question, and two questions after the second of them."""
    return chatgpt(
        node("root", None, children=("u1",)),
        node("u1", "root", "user", "One?", ("a1", "a2")),
        node("a1", "u1", "assistant", "First."),
        node("a2", "u1", "assistant", "Again.", ("u2", "u3")),
        node("u2", "a2", "user", "Two?", ("a3",)),
        node("a3", "u2", "assistant", "Second."),
        node("u3", "a2", "user", "Two, put better?", ("a4",)),
        node("a4", "u3", "assistant", "Better."),
        current="a3",
    )


def answer(turn: Any) -> str | None:
    return turn.outcome.answer if turn is not None else None


def tree(conversation: Conversation) -> set[tuple[str, str | None, str | None]]:
    return {(turn.prompt, answer(turn), answer(turn.parent)) for turn in conversation.turns}


def without(document: dict[str, Any], *links: str) -> dict[str, Any]:
    for each in document["mapping"].values():
        for link in links:
            del each[link]
    return document


@pytest.mark.parametrize("links", [("parent",), ("children",), ()], ids=["children", "parents", "both"])
def test_one_direction_of_the_links_is_enough(imported: Importing, links: tuple[str, ...]) -> None:
    """As in exports that keep no children: Nwflower/dsh-chat-import, issue 62."""
    (conversation,) = imported(without(branches(), *links)).conversations
    assert tree(conversation) == TREE
    assert pairs(conversation) == [("One?", "Again."), ("Two?", "Second.")]


def test_a_node_keeps_its_place_by_either_link(imported: Importing) -> None:
    document = branches()
    document["mapping"]["u2"]["parent"] = None
    document["mapping"]["a2"]["children"] = ["u2"]
    del document["mapping"]["a4"]["parent"]
    document["mapping"]["u1"]["children"] = 7
    result = imported(document)
    assert tree(result.conversations[0]) == TREE
    assert result.notes == ()


@pytest.mark.parametrize(
    "damage", [None, 7, [], "x", {}, {"parent": "a2", "message": 7}], ids=itertools.count()
)
def test_a_message_that_is_lost_joins_those_around_it_as_an_unknown_question(
    imported: Importing, damage: object
) -> None:
    document = branches()
    document["mapping"]["u2"] = damage
    result = imported(document)
    assert tree(result.conversations[0]) == {
        ("One?", "First.", None),
        ("One?", "Again.", None),
        ("[no question]", "Second.", "Again."),
        ("Two, put better?", "Better.", "Again."),
    }
    assert sum("message left out" in note for note in result.notes) == (damage != {})


def test_a_message_that_is_not_in_the_file_is_named(imported: Importing) -> None:
    document = branches()
    del document["mapping"]["u3"]
    result = imported(document)
    assert ("Two?", "Second.", "Again.") in tree(result.conversations[0])
    assert any("Better." in (answer(turn) or "") for turn in result.conversations[0].turns)
    assert result.notes == ("1 missing message left out",)


def test_circles_and_links_to_oneself_are_cut(imported: Importing) -> None:
    result = imported(
        chatgpt(
            node("u", "b", "user", "One?", ("u", "a")),
            node("a", "u", "assistant", "1", ("b",)),
            node("b", "a", "user", "Two?", ("u",)),
            node("lone", "lone", "user", "Alone?"),
            current="b",
        )
    )
    (conversation,) = result.conversations
    assert tree(conversation) == {("One?", "1", None), ("Two?", "", "1"), ("Alone?", "", None)}
    assert pairs(conversation) == [("One?", "1"), ("Two?", "")]
    assert result.notes == ("2 circular links left out",)


def test_two_beginnings_are_two_branches_and_the_newest_is_in_view(imported: Importing) -> None:
    (conversation,) = imported(
        chatgpt(
            node("u", None, "user", "One?", ("a",), create_time=2000.0),
            node("a", "u", "assistant", "1", create_time=2001.0),
            node("v", None, "user", "Two?", ("b",), create_time=1000.0),
            node("b", "v", "assistant", "2", create_time=1001.0),
            current="gone",
        )
    ).conversations
    assert tree(conversation) == {("One?", "1", None), ("Two?", "2", None)}
    assert pairs(conversation) == [("One?", "1")]


def test_an_answer_without_a_link_follows_the_question_before_it(imported: Importing) -> None:
    """As in janhq/jan, issue 8415: lines of answers lost their `parentId`."""
    said = [
        {"id": "1", "role": "user", "content": "One?", "parentId": None},
        {"id": "2", "role": "assistant", "content": "1"},
        {"id": "3", "parentId": "2", "role": "user", "content": "Two?"},
        {"id": "4", "parentId": "lost", "role": "assistant", "content": "2"},
    ]
    (conversation,) = imported({"messages": said}).conversations
    assert pairs(conversation) == [("One?", "1"), ("Two?", "2")]


@pytest.mark.parametrize(
    ("key", "parent", "children"),
    [
        ("id", "parentId", "childrenIds"),
        ("uuid", "parentUuid", ""),
        ("uuid", "parent_message_uuid", ""),
        ("messageId", "parentMessageId", "children"),
        ("message_id", "parent_id", ""),
        ("id", "", "children"),
        ("id", "ancestors", ""),
    ],
    ids=itertools.count(),
)
def test_links_have_many_names(imported: Importing, key: str, parent: str, children: str) -> None:
    """HuggingChat names all `ancestors`, Open WebUI `childrenIds`, LibreChat `parentMessageId`."""
    before: dict[str, list[int]] = {"One?": [], "1": [1], "I": [1], "Two?": [1, 3]}
    after = {"One?": [2, 3], "1": [], "I": [4], "Two?": []}
    entries = []
    for number, (text, earlier) in enumerate(before.items(), 1):
        entry: dict[str, Any] = {key: number, "role": "user" if "?" in text else "assistant", "content": text}
        if parent == "ancestors":
            entry[parent] = earlier
        elif parent:
            entry[parent] = earlier[-1] if earlier else None
        if children:
            entry[children] = after[text]
        entries.append(entry)
    (conversation,) = imported([{"messages": entries}]).conversations
    assert tree(conversation) == {("One?", "1", None), ("One?", "I", None), ("Two?", "", "I")}


def test_a_tree_without_links_is_read_in_its_order(imported: Importing) -> None:
    document = without(branches(), "parent", "children") | {"current_node": None}
    (conversation,) = imported(document).conversations
    assert [prompt for prompt, _ in pairs(conversation)] == ["One?", "Two?", "Two, put better?"]


@pytest.mark.parametrize("links", ["parent", "children", "circle"])
def test_a_long_tree_takes_a_time_that_grows_with_its_length(imported: Importing, links: str) -> None:
    nodes = []
    for number in range(20_000):
        each = node(
            str(number), str(number - 1) if number else None, "assistant" if number % 2 else "user", "x"
        )
        each["children"] = [str(number + 1)] * 2 if links != "parent" else []
        nodes.append(each)
        if links == "circle":
            each["parent"] = str((number - 1) % 20_000)
        elif links == "children":
            del each["parent"]
    begin = time.thread_time()
    (conversation,) = imported(chatgpt(*nodes)).conversations
    assert conversation.active is not None
    assert len(path(conversation.active)) == 10_000
    assert time.thread_time() - begin < 10
