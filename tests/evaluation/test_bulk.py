"""Bulk runs of fake models on the real engine: what is asked, in what order, kept and gone on with."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from moa_tui.engine.health import Health
from moa_tui.engine.values import CallId, Chunk, Finish, Usage
from moa_tui.errors import FileError, MissingKeyError, ModelError
from moa_tui.evaluation import bulk as bulk_module
from moa_tui.evaluation.bulk import MOST_REFUSED, BulkRun
from moa_tui.evaluation.bulk_values import BulkOptions, Job
from moa_tui.evaluation.values import BulkPrompt, RunKey
from tests.evaluation.conftest import prompts
from tests.fakes import FakeGateway
from tests.helpers import recipe

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Callable, Iterable, Iterator, Sequence

    from moa_tui.chat.backend import Backend
    from moa_tui.engine.agent import Agent
    from moa_tui.engine.plan import ModelFacts
    from moa_tui.engine.recipe import Recipe
    from moa_tui.engine.values import Message
    from moa_tui.evaluation.folder import RunFolder

SHAPE = (["a", "b"], ["judge"])


class Models:
    """Answers with the model's name and the last words of the prompt, and remembers what was asked."""

    def __init__(self, fails: Callable[[str, str], Exception | None] = lambda model, prompt: None) -> None:
        self.asked: list[tuple[str, str]] = []
        self.temperatures: set[float | None] = set()
        self.messages: list[list[Message]] = []
        self.open = self.most_open = 0
        self._fails = fails

    async def __call__(
        self, agent: Agent, messages: Sequence[Message]
    ) -> AsyncGenerator[Chunk | Finish, None]:
        prompt = messages[-1]["content"].rpartition("question ")[2].split("\n")[0]
        self.asked.append((agent.model, prompt))
        self.temperatures.add(agent.temperature)
        self.messages.append(list(messages))
        self.open += 1
        self.most_open = max(self.most_open, self.open)
        try:
            await asyncio.sleep(0)
            if (error := self._fails(agent.model, prompt)) is not None:
                raise error
            yield Chunk("text", f"{agent.model} on {prompt}")
            yield Finish("stop", Usage(10, 5, estimated=False), 0.01)
        finally:
            self.open -= 1


class OneServer(FakeGateway):
    """All models are on one server."""

    def facts(self, agent: Agent) -> ModelFacts:
        return replace(super().facts(agent), endpoint="lab")


@pytest.fixture
def gateway() -> FakeGateway:
    return OneServer(Models())  # type: ignore[arg-type]


@pytest.fixture
def run_bulk(backend: Backend, gateway: FakeGateway) -> Callable[..., BulkRun]:
    """Answers jobs into a folder to the end, with these models."""

    def run(folder: RunFolder, jobs: Iterable[Job], models: Models | None = None, **options: Any) -> BulkRun:
        listed = list(jobs)
        gateway.stream = models or Models()  # type: ignore[assignment]
        bulk = BulkRun(backend, folder, lambda: listed, len(listed), BulkOptions(**options))
        bulk.start().result(timeout=30)
        return bulk

    return run


def jobs(recipe: Recipe, number: int) -> list[Job]:
    return [Job(recipe, prompt) for prompt in prompts(number)]


def test_every_prompt_is_answered_and_every_call_kept(
    run_bulk: Callable[..., BulkRun], open_folder: Callable[..., RunFolder]
) -> None:
    moa = recipe(*SHAPE)
    folder, models = open_folder(moa), Models()
    progress = run_bulk(folder, jobs(moa, 30), models).progress()
    assert (progress.jobs, progress.calls, progress.failures) == (30, 90, {})
    assert progress.cost == pytest.approx(0.9)
    for place in range(1, 31):
        key = RunKey("test", str(place))
        result = folder.result(key)
        assert result is not None and result.answer == f"judge on {place}" and result.cost == 0.03
        assert list(folder.calls(key)) == [CallId(1, 1), CallId(1, 2), CallId(2, 1)]


@pytest.mark.parametrize("most", [1, 3, 64])
def test_no_more_calls_are_open_than_allowed(
    run_bulk: Callable[..., BulkRun], open_folder: Callable[..., RunFolder], most: int
) -> None:
    moa, models = recipe(*SHAPE), Models()
    run_bulk(open_folder(moa), jobs(moa, 20), models, concurrency=most)
    assert models.most_open <= most and len(models.asked) == 60


class _Dies(Exception):
    pass


@pytest.mark.parametrize("schedule", ["prompt", "model"])
@pytest.mark.parametrize("kept", [0, 1, 2, 7, 13, 29])
def test_a_run_that_died_goes_on_without_asking_again(
    run_bulk: Callable[..., BulkRun],
    open_folder: Callable[..., RunFolder],
    monkeypatch: pytest.MonkeyPatch,
    schedule: str,
    kept: int,
) -> None:
    moa, first, second = recipe(*SHAPE), Models(), Models()
    folder = open_folder(moa)
    keep = folder.keep_call
    number = iter(range(1000))

    def dies(*arguments: Any) -> None:
        if next(number) >= kept:
            raise FileError("the machine was switched off")
        keep(*arguments)

    monkeypatch.setattr(folder, "keep_call", dies)
    with pytest.raises(FileError, match="switched off"):
        run_bulk(folder, jobs(moa, 10), first, concurrency=2, schedule=schedule)
    assert first.open == 0
    kept_calls = {
        (model, str(place))
        for place in range(1, 11)
        for model in [reply.model for reply in folder.calls(RunKey("test", str(place))).values()]
    }
    assert len(kept_calls) == kept

    again = open_folder(moa)
    progress = run_bulk(again, jobs(moa, 10), second, schedule=schedule).progress()
    assert progress.jobs == 10
    assert not kept_calls & set(second.asked) and len(second.asked) == 30 - kept
    answers = [again.result(RunKey("test", str(place))) for place in range(1, 11)]
    assert [result and result.answer for result in answers] == [f"judge on {place}" for place in range(1, 11)]
    # What was paid before counts as the price of the answer, too.
    assert {result and result.cost for result in answers} == {0.03}


def test_a_finished_folder_asks_nothing(
    run_bulk: Callable[..., BulkRun], open_folder: Callable[..., RunFolder]
) -> None:
    moa, models = recipe(*SHAPE), Models()
    run_bulk(open_folder(moa), jobs(moa, 3))
    progress = run_bulk(open_folder(moa), jobs(moa, 3), models).progress()
    assert models.asked == [] and (progress.jobs, progress.reused_jobs) == (3, 3)


def test_model_by_model_asks_each_model_once_a_layer(
    run_bulk: Callable[..., BulkRun], open_folder: Callable[..., RunFolder]
) -> None:
    moa, models = recipe(["a", "b", "a"], ["b", "c"], ["a"]), Models()
    folder = open_folder(moa)
    progress = run_bulk(folder, jobs(moa, 12), models, schedule="model").progress()
    assert progress.jobs == 12 and len(models.asked) == 12 * 6
    asked = [model for model, _ in models.asked]
    blocks = [model for place, model in enumerate(asked) if place == 0 or asked[place - 1] != model]
    # The second layer begins with the model that the first ended with.
    assert blocks == ["a", "b", "c", "a"]
    assert folder.result(RunKey("test", "12")).answer == "a on 12"  # type: ignore[union-attr]


def test_model_by_model_goes_through_both_turns(
    run_bulk: Callable[..., BulkRun], open_folder: Callable[..., RunFolder]
) -> None:
    moa, models = recipe(*SHAPE), Models()
    two = [Job(moa, BulkPrompt(str(place), (f"question {place}", "question and"))) for place in range(5)]
    run_bulk(open_folder(moa), two, models, schedule="model")
    asked = [model for model, _ in models.asked]
    blocks = [model for place, model in enumerate(asked) if place == 0 or asked[place - 1] != model]
    assert blocks == ["a", "b", "judge", "a", "b", "judge"] and len(asked) == 30


def test_the_second_turn_reads_the_first_answer_at_the_temperature_of_its_prompt(
    run_bulk: Callable[..., BulkRun], open_folder: Callable[..., RunFolder]
) -> None:
    moa, models = recipe(["a"]), Models()
    folder = open_folder(moa)
    run_bulk(folder, [Job(moa, BulkPrompt("81", ("question 1", "question 2"), 0.7))], models)
    assert [message["content"] for message in models.messages[1]] == ["question 1", "a on 1", "question 2"]
    assert models.temperatures == {0.7}
    assert folder.result(RunKey("test", "81", 2)).answer == "a on 2"  # type: ignore[union-attr]


@pytest.mark.parametrize("schedule", ["prompt", "model"])
def test_a_prompt_that_fails_is_counted_and_tried_again_by_the_next_start(
    run_bulk: Callable[..., BulkRun], open_folder: Callable[..., RunFolder], schedule: str
) -> None:
    def fails(model: str, prompt: str) -> Exception | None:
        return ModelError("bad_request", "no such thing", 400) if prompt == "2" else None

    moa, models, later = recipe(*SHAPE), Models(fails), Models()
    folder = open_folder(moa)
    progress = run_bulk(folder, jobs(moa, 3), models, schedule=schedule).progress()
    assert progress.jobs == 3 and progress.failures == {"no_references": 1}
    assert sum(prompt == "2" for _, prompt in models.asked) == 2, "each of its agents was asked once"
    failed = folder.result(RunKey("test", "2"))
    assert failed is not None and failed.status == "failed" and failed.answer == ""

    again = open_folder(moa)
    assert run_bulk(again, jobs(moa, 3), later, schedule=schedule).progress().failures == {}
    assert sorted(later.asked) == [("a", "2"), ("b", "2"), ("judge", "2")]
    assert again.result(RunKey("test", "2")).answer == "judge on 2"  # type: ignore[union-attr]


def test_a_missing_key_is_said_before_any_call(
    run_bulk: Callable[..., BulkRun], open_folder: Callable[..., RunFolder], gateway: FakeGateway
) -> None:
    moa, models = recipe(*SHAPE), Models()
    gateway.missing["judge"] = "JUDGE_KEY"
    with pytest.raises(MissingKeyError, match="JUDGE_KEY"):
        run_bulk(open_folder(moa), jobs(moa, 3), models)
    assert models.asked == []


def test_the_price_of_all_prompts_together_is_capped(
    run_bulk: Callable[..., BulkRun], open_folder: Callable[..., RunFolder], gateway: FakeGateway
) -> None:
    # Up to 2,048 tokens an answer at 0.0000045 dollars a token: a call may cost about a cent.
    gateway.price = 0.0000045
    moa, models = recipe(*SHAPE), Models()
    folder = open_folder(moa)
    progress = run_bulk(folder, jobs(moa, 30), models, max_cost=0.2).progress()
    assert 0.1 < progress.cost < 0.201
    assert 0 < progress.jobs < 30 and progress.failures == {}
    assert progress.stopped_by is not None and "the batch's budget of $0.2" in progress.stopped_by
    answered = [place for place in range(1, 31) if folder.result(RunKey("test", str(place)))]
    assert len(answered) == progress.jobs


def test_stopping_keeps_what_has_ended(
    backend: Backend, gateway: FakeGateway, open_folder: Callable[..., RunFolder]
) -> None:
    moa = recipe(["a"])
    folder = open_folder(moa)
    bulk: list[BulkRun] = []

    def fails(model: str, prompt: str) -> Exception | None:
        if prompt == "5":
            bulk[0].stop("stopped by hand")
        return None

    gateway.stream = Models(fails)  # type: ignore[assignment]
    listed = jobs(moa, 50)
    bulk.append(BulkRun(backend, folder, lambda: listed, 50, BulkOptions(concurrency=2)))
    bulk[0].start().result(timeout=30)
    progress = bulk[0].progress()
    assert progress.stopped_by == "stopped by hand" and 3 <= progress.jobs < 10
    assert gateway.stream.open == 0


def test_model_by_model_leaves_no_model_behind(
    run_bulk: Callable[..., BulkRun], open_folder: Callable[..., RunFolder]
) -> None:
    moa, models = recipe({"agents": ["a", "b", "c"], "quorum": 2, "grace_seconds": 0}, ["judge"]), Models()
    folder = open_folder(moa)
    run_bulk(folder, jobs(moa, 4), models, schedule="model")
    for place in range(1, 5):
        calls = folder.calls(RunKey("test", str(place))).values()
        assert [(reply.model, reply.status) for reply in calls] == [
            (model, "done") for model in ("a", "b", "c", "judge")
        ]


class Resting(Health):
    """The server of all models but `judge` rests for so many seconds, the last of them again and again."""

    def __init__(self, *seconds: float) -> None:
        super().__init__()
        self._seconds = list(seconds)

    def rest_seconds(self, endpoint: str) -> float:
        if endpoint == "judge":
            return 0.0
        return self._seconds.pop(0) if len(self._seconds) > 1 else self._seconds[0]


class TwoServers(FakeGateway):
    """`judge` has a server of its own."""

    def facts(self, agent: Agent) -> ModelFacts:
        return replace(super().facts(agent), endpoint="judge" if agent.model == "judge" else "lab")


def test_a_server_that_rests_is_waited_for_and_no_answer_lacks_its_models(
    backend: Backend, open_folder: Callable[..., RunFolder]
) -> None:
    moa, models = recipe(*SHAPE), Models()
    resting = replace(backend, gateway=TwoServers(models), health=Resting(0.002, 0.001, 0.001, 0.0))  # type: ignore[arg-type]
    listed = jobs(moa, 3)
    BulkRun(resting, open_folder(moa), lambda: listed, 3, BulkOptions()).start().result(timeout=30)
    assert len(models.asked) == 9


def test_a_server_that_rests_for_long_ends_the_batch_with_the_reason(
    backend: Backend, open_folder: Callable[..., RunFolder]
) -> None:
    moa, models = recipe(*SHAPE), Models()
    resting = replace(backend, gateway=TwoServers(models), health=Resting(480.0))  # type: ignore[arg-type]
    listed = jobs(moa, 3)
    bulk = BulkRun(resting, open_folder(moa), lambda: listed, 3, BulkOptions())
    bulk.start().result(timeout=30)
    assert bulk.progress().stopped_by == "lab failed 3 times in a row and rests for another 480 s"
    assert models.asked == []


def test_the_first_calls_of_the_last_prompts_go_before_later_ones(
    run_bulk: Callable[..., BulkRun], open_folder: Callable[..., RunFolder], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Else the last prompt begins when all others are done, and its whole length is waited for."""
    monkeypatch.setattr(bulk_module, "MOST_CALLS", 5)
    moa, models = recipe(*SHAPE), Models()
    run_bulk(open_folder(moa), jobs(moa, 9), models, concurrency=1)
    order = [model for model, _ in models.asked]
    # The first prompts are answered one by one, as their answers are wanted soon and take memory.
    assert "judge" in order[:6]
    assert order[-5:] == ["judge"] * 5
    assert [prompt for model, prompt in models.asked if model == "judge"] == list("123456789")


def test_a_budget_is_not_spent_on_half_of_each_prompt(
    run_bulk: Callable[..., BulkRun], open_folder: Callable[..., RunFolder]
) -> None:
    moa, models = recipe(*SHAPE), Models()
    run_bulk(open_folder(moa), jobs(moa, 4), models, concurrency=1, max_cost=100.0)
    assert "judge" in [model for model, _ in models.asked[:6]]


def test_an_input_that_cannot_be_read_any_more_is_said_and_open_calls_end(
    backend: Backend, gateway: FakeGateway, open_folder: Callable[..., RunFolder]
) -> None:
    moa, models, times = recipe(["a"]), Models(), iter(range(9))

    def read() -> Iterator[Job]:
        is_first = next(times) == 0
        for number, job in enumerate(jobs(moa, 9)):
            if number == 4 and not is_first:
                raise FileError("in.jsonl: it has no `prompt`")
            yield job

    gateway.stream = models  # type: ignore[assignment]
    bulk = BulkRun(backend, open_folder(moa), read, 9, BulkOptions())
    with pytest.raises(FileError, match="it has no `prompt`"):
        bulk.start().result(timeout=30)
    assert models.open == 0


def test_a_turn_whose_answer_may_be_replaced_is_not_gone_on_from(
    backend: Backend, gateway: FakeGateway, open_folder: Callable[..., RunFolder]
) -> None:
    moa, prompt = recipe(["a"]), BulkPrompt("81", ("question 1", "question 2"))
    is_cut = [True]
    asked: list[list[str]] = []

    async def stream(agent: Agent, messages: Sequence[Message]) -> AsyncGenerator[Chunk | Finish, None]:
        asked.append([message["content"] for message in messages])
        yield Chunk("text", "half" if is_cut[0] else "whole")
        if is_cut[0]:
            raise ModelError("bad_request", "no more", 400)
        yield Finish("stop")

    gateway.stream = stream  # type: ignore[assignment]
    for _ in range(2):
        folder = open_folder(moa)
        BulkRun(backend, folder, lambda: [Job(moa, prompt)], 1, BulkOptions()).start().result(timeout=30)
        is_cut[0] = False
    assert asked == [["question 1"], ["question 1"], ["question 1", "whole", "question 2"]]


DEEP = (["a", "b"], ["c"], ["judge"])


@pytest.mark.parametrize("schedule", ["prompt", "model"])
def test_another_try_asks_again_what_would_read_other_answers(
    run_bulk: Callable[..., BulkRun], open_folder: Callable[..., RunFolder], schedule: str
) -> None:
    def fails(model: str, prompt: str) -> Exception | None:
        return ModelError("bad_request", "no", 400) if model in ("b", "judge") else None

    moa, models, later = recipe(*DEEP), Models(fails), Models()
    run_bulk(open_folder(moa), jobs(moa, 1), models, schedule=schedule)
    assert [model for model, _ in models.asked] == ["a", "b", "c", "judge"]
    run_bulk(open_folder(moa), jobs(moa, 1), later, schedule=schedule)
    assert [model for model, _ in later.asked] == ["b", "c", "judge"]


def test_a_failed_call_that_others_have_gone_on_without_is_not_asked_again(
    run_bulk: Callable[..., BulkRun], open_folder: Callable[..., RunFolder], monkeypatch: pytest.MonkeyPatch
) -> None:
    def fails(model: str, prompt: str) -> Exception | None:
        return ModelError("bad_request", "no", 400) if model == "b" else None

    def dies(key: RunKey, call: CallId, reply: object, at: float) -> None:
        if call.layer == 3:
            raise FileError("the machine was switched off")
        keep(key, call, reply, at)  # type: ignore[arg-type]

    moa, later = recipe(*DEEP), Models()
    folder = open_folder(moa)
    keep = folder.keep_call
    monkeypatch.setattr(folder, "keep_call", dies)
    with pytest.raises(FileError, match="switched off"):
        run_bulk(folder, jobs(moa, 1), Models(fails))
    run_bulk(open_folder(moa), jobs(moa, 1), later)
    assert [model for model, _ in later.asked] == ["judge"]


@pytest.mark.parametrize("schedule", ["prompt", "model"])
def test_a_key_that_is_wrong_does_not_fail_every_prompt(
    run_bulk: Callable[..., BulkRun], open_folder: Callable[..., RunFolder], schedule: str
) -> None:
    moa = recipe(["a"])
    models = Models(lambda model, prompt: ModelError("auth", "the key is wrong", 401))
    progress = run_bulk(open_folder(moa), jobs(moa, 500), models, schedule=schedule, concurrency=4).progress()
    assert progress.stopped_by == f"the last {MOST_REFUSED} calls were refused: the key is wrong"
    assert MOST_REFUSED <= len(models.asked) < MOST_REFUSED + 10


def test_one_model_that_is_refused_among_others_that_answer_is_no_reason_to_stop(
    run_bulk: Callable[..., BulkRun], open_folder: Callable[..., RunFolder]
) -> None:
    moa = recipe(*SHAPE)
    models = Models(lambda model, _: ModelError("auth", "the key is wrong", 401) if model == "a" else None)
    assert run_bulk(open_folder(moa), jobs(moa, 100), models).progress().jobs == 100
