"""Run folders read as conversations: their panes, turns, costs and ends, and folders from anybody."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from moa_tui.engine.values import CallId, Failure, Reply, Usage
from moa_tui.errors import FileError, UsageError
from moa_tui.evaluation.folder import RunFolder
from moa_tui.evaluation.import_runs import RunReading
from moa_tui.evaluation.manifest import InputFacts, Manifest
from moa_tui.evaluation.values import RunKey, RunResult
from tests.conversations import NOON
from tests.helpers import recipe

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from moa_tui.conversation import Conversation
    from moa_tui.engine.recipe import Recipe
    from moa_tui.engine.values import OutcomeStatus

    MakeRun = Callable[..., RunFolder]

MOA = recipe(["a", "b"], ["judge"])
SOLO = recipe(["solo"]).model_copy(update={"name": "solo"})
WORDS = {
    "a": "The moa had no wings at all, as its bones say.",
    "b": "Its bones say that it had lost them long before.",
    "judge": "The moa had no wings at all; it had lost them long before.",
    "solo": "None.",
}


def reply(model: str, start: float = 0.0, seconds: float = 2.0, **more: Any) -> Reply:
    values: dict[str, Any] = {
        "messages": ({"role": "user", "content": "why?"},),
        "text": WORDS[model],
        "usage": Usage(10, 5, estimated=False),
        "cost": 0.25,
        "queued": start,
        "started": start,
        "first_token": start + 0.5,
        "ended": start + seconds,
        "attempts": 1,
    }
    return Reply(model, model, "done", **{**values, **more})


def result(answer: str, status: OutcomeStatus = "done", ended: float = NOON + 60) -> RunResult:
    return RunResult(status, answer, None, Usage(30, 15), 0.75, 5.0, 3, ended)


@pytest.fixture
def make_run(tmp_path: Path) -> Iterator[MakeRun]:
    """Makes a run folder of JSON Lines, or of these turns in MT-Bench's form."""
    opened: list[RunFolder] = []

    def make(*recipes: Recipe, turns: int = 1, number: int = 2) -> RunFolder:
        file = tmp_path / "in.jsonl"
        if turns == 1:
            rows = [{"prompt": f"Question {place}?"} for place in range(1, number + 1)]
        else:
            rows = [{"question_id": 81, "category": "writing", "turns": ["First?", "And then?"]}]
        file.write_text("".join(json.dumps(row) + "\n" for row in rows))
        facts = InputFacts("in.jsonl", "jsonl" if turns == 1 else "mt-bench", "0" * 64, len(rows))
        manifest = Manifest(("moa-tui",), NOON, {}, facts, {each.name: each for each in recipes})
        opened.append(RunFolder.begin(tmp_path / "my run", manifest, file))
        return opened[-1]

    yield make
    for folder in opened:
        folder.close()


def keep_moa(folder: RunFolder, prompt: str, turn: int = 1, *, is_whole: bool = True) -> None:
    key = RunKey("test", prompt, turn)
    folder.keep_call(key, CallId(1, 1), reply("a"), NOON)
    if is_whole:
        folder.keep_call(key, CallId(1, 2), reply("b", seconds=3.0), NOON)
        folder.keep_call(key, CallId(2, 1), reply("judge", 3.0), NOON)
        folder.keep_result(key, result(WORDS["judge"]))


def read(folder: RunFolder, tag: str | None = None) -> tuple[list[Conversation], list[str]]:
    reading = RunReading(folder.path, tag)
    try:
        return list(reading), [note for note in reading.notes() if "not the one that" not in note]
    finally:
        reading.close()


def test_a_prompt_is_a_conversation_with_all_panes_and_each_recipe_an_alternative(make_run: MakeRun) -> None:
    folder = make_run(MOA, SOLO)
    keep_moa(folder, "1")
    folder.keep_call(RunKey("solo", "1"), CallId(1, 1), reply("solo"), NOON)
    folder.keep_result(RunKey("solo", "1"), result(WORDS["solo"]))
    (conversation,), notes = read(folder)
    assert notes == ["1 prompt not reached"]
    assert (conversation.name, conversation.tags) == ("Question 1?", ("my run",))
    moa, solo = conversation.turns
    assert conversation.siblings(moa) == (moa, solo) and conversation.active is moa
    assert moa.recipe.imported and moa.recipe.name == "test"
    outcome = moa.outcome
    assert outcome is not None
    assert [(str(call), each.text) for call, each in outcome.replies.items()] == [
        ("L1.1", WORDS["a"]), ("L1.2", WORDS["b"]), ("L2.1", WORDS["judge"]),
    ]  # fmt: skip
    assert (outcome.status, outcome.answer) == ("done", WORDS["judge"])
    # What was paid in the batch, and what the models took, not the moment in which the folder was read.
    assert (outcome.cost, outcome.seconds, outcome.usage.prompt_tokens) == (0.75, 5.0, 30)
    assert [layer.seconds for layer in outcome.metrics.layers] == [3.0, 2.0]
    assert outcome.metrics.first_final_token_seconds == 3.5
    assert outcome.metrics.overlap and outcome.metrics.overlap[0].ngram_share > 0
    assert not any(each.reused for each in outcome.replies.values())
    assert moa.created == NOON + 55


def test_a_second_turn_stands_behind_the_first_at_the_temperature_of_its_prompt(make_run: MakeRun) -> None:
    folder = make_run(MOA, turns=2)
    keep_moa(folder, "81")
    keep_moa(folder, "81", 2)
    (conversation,), notes = read(folder)
    first, second = conversation.turns
    assert notes == [] and conversation.name == "81: First?"
    assert second.parent is first and second.prompt == "And then?" and conversation.active is second
    assert {agent.temperature for agent in second.recipe.every_agent()} == {0.7}


def test_what_is_not_finished_shows_what_had_come_and_asks_nobody(make_run: MakeRun) -> None:
    folder = make_run(MOA)
    keep_moa(folder, "1", is_whole=False)
    (conversation,), notes = read(folder)
    assert notes == ["1 prompt not reached", "1 run without an end, with what had come of them"]
    outcome = conversation.turns[0].outcome
    assert outcome is not None and outcome.error is not None
    assert (outcome.status, outcome.answer, outcome.error.kind) == ("stopped", "", "interrupted")
    assert [(str(call), each.status) for call, each in outcome.replies.items()] == [
        ("L1.1", "done"), ("L1.2", "stopped"),
    ]  # fmt: skip
    assert outcome.cost == 0.25
    # The rest came later: another turn beside it, in the same conversation.
    keep_moa(folder, "1")
    (later,), _ = read(folder)
    assert later.id == conversation.id and later.turns[0].id != conversation.turns[0].id


def test_a_run_that_was_killed_behind_its_last_call_has_its_answer(make_run: MakeRun) -> None:
    folder = make_run(SOLO)
    folder.keep_call(RunKey("solo", "1"), CallId(1, 1), reply("solo"), NOON)
    (conversation,), notes = read(folder)
    outcome = conversation.turns[0].outcome
    assert outcome is not None and (outcome.status, outcome.answer) == ("done", "None.")
    assert notes == ["1 prompt not reached"]


def test_another_answer_than_the_calls_give_is_taken_and_told(make_run: MakeRun) -> None:
    folder = make_run(SOLO)
    key = RunKey("solo", "1")
    folder.keep_call(key, CallId(1, 1), reply("solo"), NOON)
    folder.keep_result(key, result("Something else."))
    (conversation,), notes = read(folder)
    outcome = conversation.turns[0].outcome
    assert outcome is not None and outcome.answer == "Something else."
    assert "the run folder gives this answer, and its calls another" in outcome.notes
    assert any("whose calls give another answer" in note for note in notes)


def test_a_cap_of_the_recipe_does_not_end_a_run_that_is_read(make_run: MakeRun) -> None:
    capped = recipe(["a", "b"], ["judge"], max_cost=0.01)
    folder = make_run(capped)
    keep_moa(folder, "1")
    (conversation,), _ = read(folder)
    turn = conversation.turns[0]
    assert turn.outcome is not None and turn.outcome.status == "done"
    assert turn.recipe.limits.max_cost == 0.01


def test_a_damaged_line_costs_that_line_alone(make_run: MakeRun) -> None:
    folder = make_run(MOA)
    keep_moa(folder, "1")
    keep_moa(folder, "2")
    calls = folder.path / "calls.jsonl"
    lines = calls.read_text().splitlines()
    lines[0] = lines[0][:50]
    other = {**json.loads(lines[1])}
    lines.insert(2, json.dumps({**other, "ended": float("nan")}))
    lines += [
        "[" * 200_000,
        json.dumps({**other, "prompt": "of no input"}),
        json.dumps({**other, "turn": []}),
        json.dumps({**other, "layer": 99}),
        json.dumps({**other, "index": -1}),
        json.dumps({**other, "status": "\x1b[2J"}),
        '{"recipe": "test", "prompt": "1"}',
        '"half a li',
    ]
    calls.write_text("\n".join(lines))
    results = folder.path / "results.jsonl"
    results.write_text(results.read_text() + '{"recipe": "test", "prompt": "2", "status": "evil"}\n')
    conversations, notes = read(folder)
    assert len(conversations) == 2
    assert any("line 1: not JSON" in note for note in notes)
    assert any("of a prompt or recipe that the folder does not have" in note for note in notes)
    assert any(note.startswith("3 calls left out") for note in notes), notes
    second = conversations[1].turns[0].outcome
    assert second is not None and second.status == "done" and len(second.replies) == 3


def test_a_call_that_failed_and_one_left_behind_are_there_as_they_were(make_run: MakeRun) -> None:
    folder = make_run(MOA)
    key = RunKey("test", "1")
    failure = Failure("server", "it broke", 500)
    folder.keep_call(key, CallId(1, 1), replace(reply("a"), status="failed", text="", error=failure), NOON)
    folder.keep_call(key, CallId(1, 2), reply("b"), NOON)
    folder.keep_call(key, CallId(2, 1), reply("judge"), NOON)
    folder.keep_result(key, result(WORDS["judge"]))
    (conversation,), _ = read(folder)
    outcome = conversation.turns[0].outcome
    assert outcome is not None and outcome.replies[CallId(1, 1)].error == failure
    assert outcome.metrics.layers[0].used == 1


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"schema": 2}, "install a newer one"),
        ({"recipes": {}}, "names no recipe"),
        ({"created": 1e300}, "no time for a run"),
        ({"recipes": {"test": {"recipe": {"name": "test"}}}}, "recipe test"),
    ],
)
def test_a_manifest_that_makes_no_sense_is_refused(
    make_run: MakeRun, changes: dict[str, Any], words: str
) -> None:
    folder = make_run(MOA)
    file = folder.path / "manifest.json"
    file.write_text(json.dumps({**json.loads(file.read_text()), **changes}))
    with pytest.raises(FileError, match=words):
        read(folder)


def test_a_folder_without_its_input_or_with_another_is_told(make_run: MakeRun) -> None:
    folder = make_run(MOA)
    keep_moa(folder, "1")
    reading = RunReading(folder.path)
    list(reading)
    reading.close()
    assert "the input is not the one that the folder was begun with" in reading.notes()
    (folder.path / "input.jsonl").unlink()
    with pytest.raises(FileError, match="the input is gone"):
        read(folder)


def test_tags_are_clean(make_run: MakeRun) -> None:
    folder = make_run(MOA)
    keep_moa(folder, "1")
    (conversation,), _ = read(folder, " #gold,\x1b[31m best ")
    assert conversation.tags == ("gold [31m best",)
    with pytest.raises(UsageError, match="the tag is empty"):
        read(folder, " # ")
