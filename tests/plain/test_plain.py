"""The chat in lines: prompts, commands, questions, ctrl+c, and that nothing but text comes out."""

from __future__ import annotations

import signal
from typing import TYPE_CHECKING, cast

import pytest

from moa_tui.chat.backend import Backend
from moa_tui.chat.commands import HINTS
from moa_tui.engine.events import CallRetried
from moa_tui.engine.values import CallId, Chunk, Failure
from moa_tui.errors import ModelError
from moa_tui.plain.commands import COMMANDS
from moa_tui.plain.reader import Reader
from moa_tui.plain.run_teller import RunTeller
from moa_tui.plain.voice import Voice
from moa_tui.settings.config import Budget
from tests.helpers import recipe
from tests.plain.conftest import Output

if TYPE_CHECKING:
    from pathlib import Path

    from moa_tui.chat.chat import Chat
    from moa_tui.engine.recipe import Recipe
    from moa_tui.gateway.gateway import Gateway
    from moa_tui.gateway.thread import EngineThread
    from tests.chat.helpers import Gate
    from tests.fakes import FakeGateway, FakeModels
    from tests.plain.conftest import Lines

HOSTILE = "\x1b]52;c;aGk=\x07\x1b[31mred\x1b[0m\x9b2J\b\r\u202eevil\u202c and\x0c more"
NOT_TEXT = set("\x1b\x07\x08\x0b\x0c\r\x9b\u202e\u202c")


def in_order(text: str, *wanted: str) -> bool:
    places = [text.find(each) for each in wanted]
    return -1 not in places and places == sorted(places)


# What is told of a run


def test_a_run_is_told_in_words_each_thing_once(lines: Lines, models: FakeModels) -> None:
    models.scripts = {"judge": [["It ", "is blu", "e, be", "cause of air."]]}
    said = lines.piped("Why?")
    assert in_order(said, "Asking test: 3 calls", "layer 1 of 2: 2 agents", "Answer:", "End. test:")
    assert "judge writes the answer\nAnswer:\nIt is blue, because of air.\nEnd." in said
    done = [line for line in said.splitlines() if "done" in line]
    assert {line.rsplit(",")[-1] for line in done} == {" 1 of 2", " 2 of 2"}
    assert all(line.startswith("layer 1: ") for line in done)


def test_an_answer_comes_word_by_word_and_is_never_written_twice(lines: Lines, models: FakeModels) -> None:
    models.scripts = {"judge": [["wo", "rd one", "two thr", "ee\n", "four"]]}
    pieces: list[str] = []
    lines.out.on_write = pieces.append
    said = lines.piped("Why?")
    assert said.count("word onetwo three\nfour\n") == 1
    assert "wo" not in pieces
    assert "word " in pieces


def test_an_answer_that_is_chosen_is_read_whole(lines: Lines, chat: Chat) -> None:
    chat.recipe = recipe(["a", "b"], {"task": "vote"})
    said = lines.piped("Why?")
    assert "Answer:\n" in said
    assert said.count(" says 1") == 1


def test_what_fails_is_said_with_its_reason_and_the_exit_code(lines: Lines, models: FakeModels) -> None:
    models.scripts = {name: [[ModelError("auth", "the key is wrong")]] for name in ("a", "b", "judge")}
    said = lines.piped("Why?")
    assert "layer 1: a failed, 1 of 2: the key is wrong" in said or "layer 1: a failed, 2 of 2" in said
    assert "No answer: " in said
    assert lines.program is not None
    assert lines.program.return_code == 1


def test_nothing_but_text_comes_out(lines: Lines, models: FakeModels) -> None:
    models.scripts = {"a": [[HOSTILE]], "judge": [[HOSTILE[:9], HOSTILE[9:], Chunk("reasoning", HOSTILE)]]}
    commands = ["/show", "/show 1", "/show L2.1 reasoning", "/show all", f"/rename {HOSTILE}", "/sessions"]
    commands += [f"/resume {HOSTILE}", f"/nothing {HOSTILE}", "/export /tmp/\x1b[2J.md"]
    said = lines.piped("Why?", *commands)
    assert "evil" in said
    assert not NOT_TEXT & set(said)


def test_an_answer_without_spaces_is_written_in_pieces(lines: Lines, models: FakeModels) -> None:
    text = "空" * 200
    models.scripts = {"judge": [[text[:90], text[90:110], text[110:]]]}
    pieces: list[str] = []
    lines.out.on_write = pieces.append
    assert f"Answer:\n{text}\nEnd." in lines.piped("Why?")
    assert text[:90] in pieces


# Prompts


def test_prompts_of_many_lines(lines: Lines, models: FakeModels, chat: Chat) -> None:
    lines.piped("one\\", "two", '"""', "three", "/quit", '"""', "", " /quit")
    assert [turn.prompt for turn in chat.path] == ["one\ntwo", "three\n/quit", " /quit"]


def test_a_block_that_the_input_ends_in_is_sent(lines: Lines, chat: Chat) -> None:
    lines.piped('"""one', "two")
    assert [turn.prompt for turn in chat.path] == ["one\ntwo"]


def test_a_file_goes_along(lines: Lines, chat: Chat, tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("the cat sat")
    said = lines.piped(f"What is in @{tmp_path}/notes.txt ?")
    assert "With file notes.txt" in said
    assert "the cat sat" in chat.path[0].prompt


def test_a_file_that_is_not_there_is_asked_about(lines: Lines, chat: Chat) -> None:
    said = lines.typed("@nobody hi", "n", "@nobody hi", "y")
    assert said.count("nobody: no such file") == 2
    assert [turn.prompt for turn in chat.path] == ["@nobody hi"]


def test_words_behind_a_command_that_takes_none_are_not_lost(lines: Lines, chat: Chat) -> None:
    said = lines.piped("/cost of living?")
    assert "/cost takes nothing behind it" in said
    assert not chat.path


# Commands


def test_every_command_of_the_screens_is_there_or_says_why_not() -> None:
    assert COMMANDS.keys() == HINTS.keys()


def test_what_is_not_there_says_why(lines: Lines) -> None:
    said = lines.piped("/theme", "/copy")
    assert "Not here: there are no colours." in said
    assert "Not here: a clipboard" in said


def test_help_lists_every_command(lines: Lines) -> None:
    said = lines.piped("/help")
    assert not [name for name in [*HINTS, "show"] if f"\n/{name}" not in said]


def test_help_reads_a_page_of_the_guide(lines: Lines) -> None:
    said = lines.piped("/help plain", "/help xyzzy")
    assert in_order(said, "# The plain chat", "## Writing", 'the guide has no page "xyzzy"')


def test_the_agents_are_read_by_number(lines: Lines, models: FakeModels) -> None:
    models.scripts = {"a": [["answer of a"]], "b": [["answer of b", Chunk("reasoning", "because")]]}
    said = lines.piped("Why?", "/show 2", "/show L1.1", "/show 2 reasoning", "/show answer", "/show 7")
    shown = said.split("End. test")[1]
    assert in_order(shown, "answer of b", "answer of a", "because", "judge says 1", "there is no agent 7")


def test_a_turn_is_changed_by_commands(lines: Lines, chat: Chat, models: FakeModels) -> None:
    commands = ["/without 1", "/use 2", "/show answer", "/retry", "/propose Forty two.", "/add c"]
    commands += ["/amend 1 By hand.", "/swap 2 d", "/again prompt Short."]
    said = lines.piped("Why?", *commands)
    assert "b says 1" in said.split("/show answer reads it.")[1]
    assert len(chat.conversation.siblings(chat.path[0])) == 9
    assert {"c", "d"} <= models.asked.keys()
    assert "kept from before" in said


def test_a_prompt_is_edited(lines: Lines, chat: Chat) -> None:
    said = lines.piped("First?", "Second?", "/edit 1", "Third?")
    assert "What you send next takes that turn's place" in said
    assert [turn.prompt for turn in chat.path] == ["Third?"]
    assert len(chat.conversation.turns) == 3


def test_settings_of_the_next_prompt(lines: Lines, chat: Chat) -> None:
    commands = ["/system Be brief.", "/system", "/effort high", "/effort", "/guided", "/private", "/cost"]
    said = lines.piped(*commands, "/model judge2", "/recipe demo", "/stop", "/points", "/recipe nothing")
    assert in_order(said, "the system prompt goes before everything", "system prompt: Be brief.")
    assert in_order(said, "reasoning effort from now on: high", "guided from now on", "private: from now on")
    assert in_order(said, "0 tokens, $0", "recipe demo from now on", "no recipe is called")
    assert chat.system == "Be brief."


def test_conversations_are_listed_by_number_and_opened(lines: Lines, chat: Chat) -> None:
    said = lines.piped(
        "First?", "/rename One", "/new", "Second?", "/sessions", "/resume 2", "/resume", "/fork"
    )
    assert in_order(said, "Title: One", "A new conversation.", "1. Second?", "2. One", "Conversation: One")
    assert "You: First?\nAnswer: judge says 1" in said
    assert chat.conversation.title == "One (fork)"


def test_it_is_exported(lines: Lines, tmp_path: Path) -> None:
    said = lines.piped("Why?", f"/export {tmp_path}/it.md", f"/export {tmp_path}/it.md")
    assert f"Written: {tmp_path}/it.md" in said
    assert "Why?" in (tmp_path / "it.md").read_text()
    assert "exists" in said or "is there already" in said


def test_statistics_are_sentences(lines: Lines) -> None:
    said = lines.piped("/stats", "Why?", "/stats")
    assert "there is nothing to count" in said
    assert in_order(said, "All together: 1 turn, 3 calls", "By recipes:", "test: turns 1, calls 3")
    assert "█" not in said


@pytest.mark.parametrize(
    ("seconds", "words"), [(0.3, "at once"), (1.2, "in 1 second"), (30.0, "in 30 seconds")]
)
def test_the_wait_before_another_try_is_told(seconds: float, words: str) -> None:
    out = Output()
    tested = recipe(["a"])
    agent, failure = tested.lineup[0][0], Failure("rate_limit", "Rate limit reached")
    RunTeller(tested, Voice(out)).take(CallRetried(CallId(1, 1), agent, 2, seconds, failure, 0.0))
    assert f"layer 1: a: trying again {words}: " in out.getvalue()


def test_answers_are_compared_one_after_another_and_names_come_last(lines: Lines, chat: Chat) -> None:
    lines.recipe("left", "x")
    lines.recipe("right", "y")
    said = lines.typed("/compare blind left right Which?", "9", "1")
    before, _, after = said.partition("Which is better?")
    assert in_order(before, "1 of 2, answer A:", "2 of 2, answer B:")
    assert "left" not in before.split("/compare")[-1].split("answer A:")[1]
    assert in_order(after, "That is no number", "Chosen: ", "A is ", "B is ")
    assert len(chat.conversation.siblings(chat.path[0])) == 2


def test_a_comparison_without_anybody_to_choose_goes_on(lines: Lines, chat: Chat) -> None:
    lines.recipe("left", "x")
    lines.recipe("right", "y")
    said = lines.piped("/compare left right Which?", "And then?")
    assert in_order(said, "1 of 2, left:", "2 of 2, right:", "The conversation goes on")
    assert len(chat.path) == 2


# Questions


def test_a_server_that_is_not_set_up_is_asked_about(lines: Lines, chat: Chat, gateway: FakeGateway) -> None:
    gateway.untrusted = {"a": [("https://evil.example/v1", "SECRET_KEY")]}
    said = lines.typed("Why?", "n", "Why?", "y", "Again?")
    assert said.count("Send to 1 server not set up, with 1 of your keys?") == 2
    assert "1. SECRET_KEY to https://evil.example/v1" in said
    # A terminal that cannot wrap the line that is read shows only its end.
    assert all(len(line) < 79 for line in said.splitlines() if "y, always, never or n:" in line)
    assert "\ny: yes, until this program ends; always;" in said
    assert [turn.prompt for turn in chat.path] == ["Why?", "Again?"]


def test_a_pipe_confirms_no_server(lines: Lines, chat: Chat, gateway: FakeGateway) -> None:
    gateway.untrusted = {"a": [("https://evil.example/v1", None)]}
    lines.piped("Why?", "y", "yes")
    assert not chat.path


def test_what_was_typed_before_a_question_does_not_answer_it(
    lines: Lines, chat: Chat, gateway: FakeGateway, monkeypatch: pytest.MonkeyPatch
) -> None:
    gateway.untrusted = {"a": [("https://evil.example/v1", None)]}
    waiting = [False, False, True]  # As the prompt begins, behind it, and as the question comes.
    monkeypatch.setattr(Reader, "_is_waiting", lambda _: bool(waiting) and waiting.pop(0))
    said = lines.typed("Why?", "y", "n")
    assert "Nothing was sent." in said
    assert said.count("Send to 1 server not set up") == 2  # The "y" is a prompt of its own.
    assert not chat.path


@pytest.fixture
def guided(chat: Chat, models: FakeModels) -> None:
    models.scripts = {"judge": [["- [x] It is blue. [1, 2]\n- [x] It is high. [1]\n"], ["final"]]}
    chat.guided = True


@pytest.mark.usefixtures("guided")
def test_points_are_left_out_by_number(lines: Lines, chat: Chat) -> None:
    chat._attended = True
    said = lines.typed("Why?", "7", "2")
    assert in_order(
        said, "points for you to choose from", "1. It is blue", "2. It is high", "Numbers from 1 to 2"
    )
    assert "Answer:\nfinal" in said


@pytest.mark.usefixtures("guided")
def test_a_run_can_be_stopped_at_its_points(lines: Lines, chat: Chat) -> None:
    chat._attended = True
    assert "Stopped. What was written is kept." in lines.typed("Why?", "stop")


def test_a_server_that_is_found_out_late_is_asked_about_and_the_prompt_sent(
    lines: Lines, chat: Chat, gateway: FakeGateway, monkeypatch: pytest.MonkeyPatch
) -> None:
    gateway.untrusted = {"a": [("https://evil.example/v1", None)]}
    check, is_first = gateway.check_keys, [True]

    def check_late(asked: Recipe) -> None:
        if is_first.pop() if is_first else False:
            return
        check(asked)

    monkeypatch.setattr(gateway, "check_keys", check_late)
    said = lines.typed("Why?", "y")
    assert "Answer:\njudge says" in said
    assert [turn.prompt for turn in chat.path] == ["Why?"]
    assert lines.program is not None
    assert lines.program.chat.reader.unsent == []


class TestBudget:
    @pytest.fixture
    def budget(self) -> Budget:
        return Budget(conversation=0.0001)

    def test_a_run_over_the_budget_is_gone_on_with_once_confirmed(
        self, lines: Lines, chat: Chat, gateway: FakeGateway
    ) -> None:
        gateway.price = 0.001
        said = lines.typed("Why?", "y")
        assert in_order(said, "Go on over the budget", "Answer:\njudge says")
        assert "Budget: " in said
        assert chat.turn is not None


# Ctrl+C, and the end


@pytest.fixture
def chat_recipe() -> Recipe:
    return recipe(["a", "b"], ["judge"])


def test_ctrl_c_stops_the_run_at_once_and_keeps_what_was_written(
    lines: Lines, chat: Chat, models: FakeModels, gate: Gate
) -> None:
    models.scripts = {"judge": [["The beginning ", gate.event, "the rest"]]}
    lines.out.on_write = lambda text: signal.raise_signal(signal.SIGINT) if text == "The beginning " else None
    said = lines.piped("Why?", "/show answer")
    assert "The beginning\n" in said or "The beginning \n" in said
    assert chat.turn is not None
    assert chat.turn.outcome is not None
    assert chat.turn.outcome.replies[max(chat.turn.outcome.replies)].text.strip() == "The beginning"


def test_ctrl_c_twice_leaves(lines: Lines, chat: Chat, models: FakeModels, gateway: FakeGateway) -> None:
    def interrupt(text: str) -> None:
        if text.startswith("layer 1 of 2"):
            signal.raise_signal(signal.SIGINT)
            signal.raise_signal(signal.SIGINT)

    lines.out.on_write = interrupt
    said = lines.piped("Why?", "Never read?")
    assert "Never read?" not in said
    assert lines.program is not None
    assert lines.program.return_code == 130
    store = chat.backend.store
    assert store is not None
    store.catch_up(5)
    assert [turn.prompt for turn in store.load(chat.conversation.id).turns] == ["Why?"]


def test_being_told_to_end_leaves_in_the_middle_of_a_run(lines: Lines) -> None:
    def end(text: str) -> None:
        if text.startswith("layer 1 of 2"):
            signal.raise_signal(signal.SIGTERM)

    lines.out.on_write = end
    lines.piped("Why?")
    assert lines.program is not None
    assert lines.program.return_code == 143


def test_ctrl_c_in_a_line_gives_it_up(lines: Lines, chat: Chat) -> None:
    said = lines.typed("one\\", KeyboardInterrupt, KeyboardInterrupt, "two")
    assert in_order(said, "Not sent.", "Ctrl+D or /quit leaves.")
    assert [turn.prompt for turn in chat.path] == ["two"]


class TestWithoutDisk:
    @pytest.fixture
    def backend(self, gateway: FakeGateway, engine: EngineThread) -> Backend:
        return Backend(cast("Gateway", gateway), engine)

    def test_leaving_what_is_not_on_disk_is_refused_once(self, lines: Lines) -> None:
        said = lines.typed("Why?", EOFError, EOFError)
        assert "this conversation is not on disk: /export saves it" in said

    def test_once_more_is_asked_anew_after_another_prompt(self, lines: Lines) -> None:
        said = lines.typed("Why?", "/quit", "More?", EOFError, EOFError)
        assert said.count("this conversation is not on disk") == 2


def test_a_fault_of_ours_does_not_end_the_chat(
    lines: Lines, chat: Chat, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(chat, "use_effort", lambda _: 1 / 0)
    said = lines.piped("/effort high", "Why?")
    assert in_order(said, "moa-tui has a fault", "Answer:")


def test_what_a_dead_window_left_is_not_taken_where_it_cannot_be_edited(lines: Lines, tmp_path: Path) -> None:
    said = lines.piped("/cost")
    assert "back in the input" not in said
