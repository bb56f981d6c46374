"""A file of each program, the turns it gives, and what its import says."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from moa_tui.chat.library import Library
from moa_tui.errors import FileError
from moa_tui.store import Store
from tests.formats.foreign.samples import SAMPLES
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
    "content",
    [
        {"theme": "dark", "version": 3},
        [{"name": "a user", "email": "x@y.z"}],
        "id,name\n1,x\n",
        "Dear diary, today",
        b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR",
        b"",
    ],
    ids=["settings", "users", "table", "text", "image", "nothing"],
)
def test_a_file_of_no_known_kind_is_refused_with_what_can_be_read(
    imported: Importing, content: object
) -> None:
    with pytest.raises(FileError, match="what can be read: moa-tui's JSON; exports of ChatGPT and Claude"):
        imported(content)
