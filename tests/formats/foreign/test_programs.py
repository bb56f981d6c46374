"""A file of each program, the turns it gives, and what its import says."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from moa_tui.chat.library import Library
from moa_tui.errors import FileError
from moa_tui.store import Store
from moa_tui.text.wording import summary
from tests.formats.foreign.samples import SAMPLES, log_row, said
from tests.formats.helpers import pairs

if TYPE_CHECKING:
    from pathlib import Path

    from moa_tui.conversation import Turn
    from tests.formats.conftest import Importing


def described(turn: Turn) -> tuple[str, str, str, str]:
    """A turn's model, prompt, answer and reasoning."""
    assert turn.outcome is not None
    reasoning = "".join(reply.reasoning for reply in turn.outcome.replies.values())
    model = turn.recipe.lineup[0][0].model.removeprefix("imported/")
    return model, turn.prompt, turn.outcome.answer, reasoning


@pytest.mark.parametrize("name", SAMPLES)
def test_each_programs_file_is_taken_and_summed_up(name: str, tmp_path: Path) -> None:
    sample = SAMPLES[name]
    file = tmp_path / "any name"
    file.write_text(sample.content if isinstance(sample.content, str) else json.dumps(sample.content))
    with Store(tmp_path / "moa-tui.db") as store:
        library = Library(store, tmp_path)
        assert library.read_in(file) == sample.summary
        kept = [library.load(summary.id) for summary in library.summaries()]
    turns = [described(turn) for conversation in kept for turn in conversation.turns]
    assert sorted(turns) == sorted(sample.turns)
    assert all(turn.recipe.imported for conversation in kept for turn in conversation.turns)


@pytest.mark.parametrize("name", SAMPLES)
def test_a_second_import_takes_nothing_twice(name: str, tmp_path: Path) -> None:
    sample = SAMPLES[name]
    file = tmp_path / "file"
    file.write_text(sample.content if isinstance(sample.content, str) else json.dumps(sample.content))
    with Store(tmp_path / "moa-tui.db") as store:
        library = Library(store, tmp_path)
        library.read_in(file)
        number = len(library.summaries())
        taken, *notes = library.read_in(file)
        assert taken == "0 conversations, 0 turns taken"
        assert sum(note.endswith("is there already; it was left as it is") for note in notes) == number
        assert len(library.summaries()) == number


def test_what_a_file_holds_twice_is_taken_twice_and_what_has_grown_is_taken_anew(tmp_path: Path) -> None:
    file = tmp_path / "file"
    questions = [{"messages": [said("user", "Q")]}] * 8
    with Store(tmp_path / "moa-tui.db") as store:
        library = Library(store, tmp_path)
        file.write_text(json.dumps(questions))
        assert library.read_in(file) == ["8 conversations, 8 turns taken"]
        answered = {"messages": [said("user", "Q"), said("assistant", "A")]}
        file.write_text(json.dumps([answered, *questions]))
        taken, *notes = library.read_in(file)
    assert taken == "1 conversation, 1 turn taken"
    assert notes == [*['"Q" is there already; it was left as it is'] * 5, "3 more conversations like these"]


@pytest.mark.parametrize("name", SAMPLES)
def test_the_order_of_turns_is_that_of_the_file(name: str, imported: Importing) -> None:
    sample = SAMPLES[name]
    turns = [
        described(turn)
        for conversation in imported(sample.content).conversations
        for turn in conversation.turns
    ]
    assert turns == sample.turns


@pytest.mark.parametrize(
    ("name", "title", "answer"),
    [
        ("claude", "Cats", "A cat.\n\n**Poem**\n\nPurr."),
        ("open webui", "Sums", "255"),
        ("llm logs", "hi", "2"),
        ("llama.cpp", "Hello", "Hi"),
        ("claude code", "Fix it", "Done."),
        ("grok", "G", "A"),
        ("chatbot-ui", "C", "A"),
    ],
)
def test_title_and_branch_in_view_are_those_of_the_file(
    imported: Importing, name: str, title: str, answer: str
) -> None:
    first = imported(SAMPLES[name].content).conversations[0]
    assert first.title == title
    assert pairs(first)[-1][1] == answer


def test_of_an_imported_answer_the_model_is_shown_and_no_numbers(imported: Importing) -> None:
    messages = [said("user", "Q"), said("assistant", "A", model="gpt-4o"), said("user", "R")]
    lines = [
        summary(turn.recipe, turn.outcome)
        for turn in imported(messages).conversations[0].turns
        if turn.outcome is not None
    ]
    assert lines == ["imported: model gpt-4o", "imported: not answered"]


def test_a_conversation_that_begins_with_an_answer_is_called_by_its_first_question(
    imported: Importing,
) -> None:
    (conversation,) = imported([said("assistant", "Welcome!"), said("user", "Cats?\nx")]).conversations
    assert (conversation.name, conversation.turns[0].prompt) == ("Cats?", "[no question]")
    (conversation,) = imported([said("assistant", "Welcome!")]).conversations
    assert conversation.name == "[no question]"


def test_a_file_that_claude_wrote_for_the_reader_is_kept(imported: Importing) -> None:
    blocks = [
        {"type": "tool_use", "name": "create_file", "input": {"path": path, "file_text": text}}
        for path, text in (
            ("/home/claude/try.py", "scratch"),
            ("/mnt/user-data/outputs/sum.py", "print(1)"),
            ("/mnt/user-data/outputs/report.md", "# Report"),
        )
    ]
    messages = [{"sender": "human", "text": "Q"}, {"sender": "assistant", "content": blocks}]
    result = imported({"uuid": "c", "name": "", "chat_messages": messages})
    answer = "**sum.py**\n\n```\nprint(1)\n```\n\n**report.md**\n\n# Report"
    assert pairs(result.conversations[0]) == [("Q", answer)]
    assert result.notes == ("1 tool call left out",)


def test_what_open_webui_merged_is_kept_with_the_answer_it_stands_at(imported: Importing) -> None:
    # open-webui/open-webui, Chat.svelte: a conversation goes on from `merged.content`.
    messages = {
        "q": {"id": "q", "parentId": None, "childrenIds": ["a"], "role": "user", "content": "Q"},
        "a": {
            **{"id": "a", "parentId": "q", "childrenIds": [], "role": "assistant", "content": "One."},
            "merged": {"status": True, "content": "Both."},
        },
    }
    result = imported({"chat": {"history": {"messages": messages, "currentId": "a"}}})
    assert pairs(result.conversations[0]) == [("Q", "One.\n\n**Merged answer**\n\nBoth.")]


@pytest.mark.parametrize(
    ("text", "answer", "reasoning"),
    [
        (":::thinking\nHm.\n:::\n\nSo.", "So.", "Hm."),
        (":::thinking\nHm.", ":::thinking\nHm.", ""),
        ("So: :::thinking\nx\n:::", "So: :::thinking\nx\n:::", ""),
    ],
)
def test_a_thought_in_the_text_of_librechat_is_no_answer(
    imported: Importing, text: str, answer: str, reasoning: str
) -> None:
    # danny-avila/LibreChat, client/src/components/Chat/Messages: `:::thinking` of texts without parts.
    messages = [{"isCreatedByUser": True, "text": "Q"}, {"isCreatedByUser": False, "text": text}]
    result = imported({"conversationId": "c", "messages": messages})
    assert described(result.conversations[0].turns[0]) == ("unknown", "Q", answer, reasoning)


def test_the_side_that_won_is_in_view(imported: Importing) -> None:
    _, battle, choice = imported(SAMPLES["lmsys"].content).conversations
    assert pairs(battle) == [("Which?", "That.")]
    assert pairs(choice) == [("Say.", "Good.")]


def test_system_prompts_are_those_of_their_turns(imported: Importing) -> None:
    for name, system in (
        ("open webui", "Be short."),
        ("librechat", "You are an engineer."),
        ("sharegpt", "Be kind."),
    ):
        first, *_ = imported(SAMPLES[name].content).conversations
        assert {turn.system for turn in first.turns} == {system}
    rows, *_ = imported(SAMPLES["llm logs"].content).conversations
    assert [turn.system for turn in rows.turns] == ["Count.", "Count."]


@pytest.mark.parametrize(
    ("record", "said"),
    [
        ({"prompt": "Q", "completion": "A"}, ("Q", "A")),
        ({"instruction": "Add.", "input": "1, 1", "output": "2"}, ("Add.\n\n1, 1", "2")),
        (
            {
                "contents": [
                    {"role": "user", "parts": [{"text": "Q"}]},
                    {"role": "model", "parts": [{"text": "A"}]},
                ]
            },
            ("Q", "A"),
        ),
        ({"conversation": [{"input": "Q", "output": "A"}], "source": "x"}, ("Q", "A")),
        (
            {"messages": [{"role": "user", "content": {"parts": ["Q"]}}, {"role": "model", "text": "A"}]},
            ("Q", "A"),
        ),
        ([[{"role": "user", "content": "Q"}, {"role": "assistant", "content": "A"}]], ("Q", "A")),
        (log_row("Q", "A", None) | {"response": None, "conversation_id": "k"}, ("Q", "")),
    ],
    ids=range(7),
)
def test_data_sets_of_other_forms_are_taken(
    imported: Importing, record: object, said: tuple[str, str]
) -> None:
    (conversation,) = imported(record).conversations
    assert pairs(conversation) == [said]


@pytest.mark.parametrize(
    "content",
    [
        {"items": [{"id": 1, "title": "x"}]},
        {"theme": "dark", "version": 3},
        [{"name": "a user", "email": "x@y.z"}],
        "id,name\n1,x\n",
        "Dear diary, today",
        b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR",
        b"",
    ],
    ids=["listing", "settings", "users", "table", "text", "image", "nothing"],
)
def test_a_file_of_no_known_kind_is_refused_with_what_can_be_read(
    imported: Importing, content: object
) -> None:
    with pytest.raises(FileError, match="what can be read: moa-tui's JSON; exports of ChatGPT and Claude"):
        imported(content)
