"""Conversations of other programs: OpenAI messages and ChatGPT's trees, taken as far as they go."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tests.conversations import (
    NOON,
)
from tests.formats.helpers import chatgpt, node, pairs

if TYPE_CHECKING:
    from moa_tui.conversation import Conversation
    from tests.formats.conftest import Importing


def tree(conversation: Conversation) -> dict[tuple[str, str], tuple[str, str] | None]:
    """Each turn's prompt and answer with those of the turn before it."""

    def said(turn: Any) -> tuple[str, str]:
        return turn.prompt, turn.outcome.answer

    return {said(turn): said(turn.parent) if turn.parent else None for turn in conversation.turns}


# OpenAI messages


def test_a_bare_list_of_messages_is_a_conversation(imported: Importing) -> None:
    result = imported(
        [
            {"role": "developer", "content": "Be short."},
            {"role": "user", "content": "One?"},
            {"role": "assistant", "content": "1"},
            {
                "role": "user",
                "content": [{"type": "text", "text": "Two"}, {"type": "text", "text": "or three?"}],
            },
            {"role": "assistant", "content": [{"type": "output_text", "text": "2"}]},
        ],
    )
    (conversation,) = result.conversations
    assert pairs(conversation) == [("One?", "1"), ("Two\nor three?", "2")]
    assert [turn.system for turn in conversation.turns] == ["Be short."] * 2
    assert result.notes == ()


def test_messages_of_one_side_in_a_row_are_one(imported: Importing) -> None:
    said = [("user", "a"), ("user", "b"), ("assistant", "c"), ("assistant", "d")]
    messages = [{"role": role, "content": text} for role, text in said]
    assert pairs(imported(messages).conversations[0]) == [("a\n\nb", "c\n\nd")]


def test_a_later_system_prompt_is_that_of_the_turns_after_it(imported: Importing) -> None:
    said = [
        ("system", "A"),
        ("system", "B"),
        ("user", "1"),
        ("assistant", "x"),
        ("system", "C"),
        ("user", "2"),
    ]
    messages = [{"role": role, "content": text} for role, text in said]
    (conversation,) = imported(messages).conversations
    assert [turn.system for turn in conversation.turns] == ["A\n\nB", "C"]


def test_a_question_without_an_answer_is_a_stopped_turn(imported: Importing) -> None:
    (conversation,) = imported([{"role": "user", "content": "One?"}]).conversations
    (turn,) = conversation.turns
    assert turn.outcome is not None
    assert (turn.outcome.status, turn.outcome.answer, turn.outcome.replies) == ("stopped", "", {})


def test_an_answer_is_one_call_of_the_model_that_gave_it(imported: Importing) -> None:
    messages = [{"role": "user", "content": "One?"}, {"role": "assistant", "content": "1"}]
    (conversation,) = imported({"model": "gpt-4o\x1b[2J\ud800 ", "messages": messages}).conversations
    (turn,) = conversation.turns
    assert turn.recipe.name == "imported"
    assert [agent.model for agents in turn.recipe.lineup for agent in agents] == ["imported/gpt-4o[2J"]
    assert turn.outcome is not None
    (reply,) = turn.outcome.replies.values()
    assert (reply.agent, reply.status, reply.text, reply.cost) == ("gpt-4o[2J", "done", "1", None)
    assert (reply.usage.completion_tokens, reply.usage.estimated) == (0, True)


def test_what_is_no_text_is_counted(imported: Importing) -> None:
    image = {"type": "image_url", "image_url": {"url": "data:"}}
    result = imported(
        [
            {"role": "assistant", "content": "Welcome!"},
            {"role": "user", "content": [image, {"type": "text", "text": "What is this?"}, image]},
            {"role": "assistant", "content": None, "tool_calls": [{}, {}]},
            {"role": "tool", "content": "42"},
            {"role": "assistant", "content": "42"},
            {"role": "user", "content": [{"type": "input_audio"}]},
            {"role": "narrator", "content": "x"},
            {"role": "assistant", "content": "A sound."},
            {"role": "system", "content": "unused"},
            7,
        ],
    )
    assert pairs(result.conversations[0]) == [
        ("[no question]", "Welcome!"),
        ("[image]\nWhat is this?\n[image]", "42"),
        ("[audio clip]", "A sound."),
    ]
    assert set(result.notes) == {
        "2 images left out",
        "2 tool calls left out",
        "1 tool message left out",
        "1 audio clip left out",
        "2 unknown messages left out",
        "1 unused system message left out",
    }


def test_a_question_that_cannot_be_read_costs_no_answer(imported: Importing) -> None:
    answers = [{"role": "assistant", "content": answer} for answer in ("A", "B", "C", "D")]
    lost = [7, {"role": "narrator", "content": "x"}, None]
    tool = {"role": "tool", "content": "x"}
    messages = [lost[0], answers[0], tool, answers[1], lost[1], answers[2], lost[2], answers[3]]
    result = imported({"messages": messages})
    assert pairs(result.conversations[0]) == [
        ("[no question]", "A\n\nB"),
        ("[no question]", "C"),
        ("[no question]", "D"),
    ]
    assert result.notes == ("3 unknown messages left out", "1 tool message left out")


# ChatGPT


def test_a_chatgpt_export_keeps_branches_models_and_times(imported: Importing) -> None:
    result = imported(
        [
            chatgpt(
                node("root", None, children=("sys",)),
                node("sys", "root", "system", "", ("u1",)),
                node("u1", "sys", "user", "One?", ("a1", "a2"), create_time=NOON + 5),
                node("a1", "u1", "assistant", "First answer."),
                node("a2", "u1", "assistant", "Made", ("a2b",), metadata={"model_slug": "gpt-4o"}),
                node("a2b", "a2", "assistant", "again.", ("u2", "u3")),
                node("u2", "a2b", "user", "Two?", ("a3",)),
                node("a3", "u2", "assistant", "Second."),
                node("u3", "a2b", "user", "Two, put better?", ("a4",)),
                node("a4", "u3", "assistant", "Better."),
                current="a3",
            )
        ],
    )
    (conversation,) = result.conversations
    again = ("One?", "Made\n\nagain.")
    assert tree(conversation) == {
        ("One?", "First answer."): None,
        again: None,
        ("Two?", "Second."): again,
        ("Two, put better?", "Better."): again,
    }
    assert pairs(conversation) == [again, ("Two?", "Second.")]
    assert conversation.title == "A chat"
    assert conversation.created == NOON
    assert [turn.created for turn in conversation.turns] == [NOON + 5, NOON + 5, NOON, NOON]
    models = [turn.recipe.lineup[0][0].model for turn in conversation.turns]
    assert models == ["imported/unknown", "imported/gpt-4o", "imported/unknown", "imported/unknown"]
    assert result.notes == ()
    parents = [turn.parent for turn in conversation.turns if turn.parent]
    assert parents[0] is parents[1]


def test_what_chatgpt_did_between_question_and_answer_is_counted(imported: Importing) -> None:
    image = {"content_type": "image_asset_pointer", "asset_pointer": "file-service://x"}
    thoughts = {"content": {"content_type": "thoughts", "thoughts": []}}
    code = {"content": {"content_type": "code", "text": "search()"}, "recipient": "browser"}
    result = imported(
        chatgpt(
            node("u", None, "user", [image, "What is it?"], ("t",)),
            node("t", "u", "assistant", "", ("c",), **thoughts),
            node("c", "t", "assistant", "", ("r",), **code),
            node("r", "c", "tool", "found", ("a",)),
            node("a", "r", "assistant", "A cat."),
            node("lost", "lost", "user", "in a circle"),
            current="t",
        ),
    )
    assert pairs(result.conversations[0]) == [("[image: x]\nWhat is it?", "A cat.")]
    assert set(result.notes) == {
        "1 image left out",
        "1 tool call left out",
        "1 tool message left out",
        "1 circular link left out",
    }


def test_a_tree_that_runs_into_itself_ends(imported: Importing) -> None:
    document = chatgpt(
        node("u", None, "user", "One?", ("a", "a", "u")),
        node("a", "u", "assistant", "1", ("u", "b")),
        node("b", "a", "user", "Two?", ("a",)),
    )
    (conversation,) = imported(document).conversations
    assert pairs(conversation) == [("One?", "1"), ("Two?", "")]


def test_a_title_is_one_line_that_can_be_shown(imported: Importing) -> None:
    document = chatgpt(node("u", None, "user", "Hi"), title="a\x1b[2J\n\u202eb \x00" + "c" * 500)
    (conversation,) = imported(document).conversations
    assert conversation.title == "a[2J b " + "c" * 193


def test_a_very_long_chat_is_read_without_recursion(imported: Importing) -> None:
    nodes = []
    for number in range(5000):
        role = "assistant" if number % 2 else "user"
        parent = str(number - 1) if number else None
        nodes.append(node(str(number), parent, role, str(number), (str(number + 1),)))
    (conversation,) = imported(chatgpt(*nodes, current="4999")).conversations
    assert len(pairs(conversation)) == 2500
