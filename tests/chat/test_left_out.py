"""What answers left out: worked out once, told in a line, marked, copied, and written again with."""

from __future__ import annotations

import asyncio
import threading
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
from rich.cells import cell_len

from moa_tui.chat.left_out import LeftOut, LeftOutList, line_words
from moa_tui.chat.prompt_text import PromptText
from moa_tui.engine import left_out
from moa_tui.engine.left_out import LeftOutPoint
from moa_tui.engine.values import CallId
from moa_tui.errors import UsageError
from moa_tui.settings.config import Budget
from tests.chat.helpers import answered, events_of
from tests.helpers import recipe

if TYPE_CHECKING:
    from moa_tui.chat.session import ChatSession
    from moa_tui.conversation import Turn
    from moa_tui.engine.recipe import Recipe
    from moa_tui.engine.values import Outcome
    from tests.fakes import FakeGateway, FakeModels

A, B = CallId(1, 1), CallId(1, 2)
EGGS = "Its eggs weighed four kilograms each."
HUNTED = "Hunters killed the last of them before 1450."
BIRD = "The moa was a flightless bird of New Zealand."


@pytest.fixture
def chat_recipe() -> Recipe:
    return recipe(["a", "b"], ["judge"])


@pytest.fixture
def models_say(models: FakeModels) -> None:
    models.scripts = {"a": [[f"{BIRD} {EGGS}"]], "b": [[f"{BIRD} {HUNTED}"]], "judge": [[BIRD]]}


class Measure:
    """Stands for the measure: counts its uses, and says on which thread they were."""

    def __init__(self, patch: pytest.MonkeyPatch, *points: LeftOutPoint) -> None:
        self.uses = 0
        self.threads: set[str] = set()
        self._points = points
        patch.setattr(left_out, "left_out", self._measure)

    def _measure(self, outcome: Outcome, recipe: Recipe) -> tuple[LeftOutPoint, ...]:
        self.uses += 1
        self.threads.add(threading.current_thread().name)
        return self._points


def point(text: str, *calls: CallId) -> LeftOutPoint:
    return LeftOutPoint(text, calls, 0, len(text))


def list_of(turn: Turn, *points: LeftOutPoint) -> LeftOutList:
    return LeftOutList(turn, points)


def named(turn: Turn, **names: str) -> Turn:
    """`turn`, with other names for its agents."""
    assert turn.outcome is not None
    replies = {
        call: replace(reply, agent=names.get(reply.agent, reply.agent))
        for call, reply in turn.outcome.replies.items()
    }
    return replace(turn, outcome=replace(turn.outcome, replies=replies))


@pytest.mark.usefixtures("models_say")
async def test_it_is_what_the_answer_lacks_of_the_others_and_who_said_it(session: ChatSession) -> None:
    points = await LeftOut(session).list_of(await answered(session))
    assert [each.text for each in points.points] == [EGGS, HUNTED]
    assert [points.names(0), points.names(1)] == ["a", "b"]
    assert line_words(points, 80) == "left out: 2 points (a 1, b 1) · /left lists them"


async def test_a_turn_is_measured_once_on_another_thread_however_often_it_is_asked_for(
    session: ChatSession, monkeypatch: pytest.MonkeyPatch
) -> None:
    measure = Measure(monkeypatch, point(EGGS, A))
    turn = await answered(session)
    looking = LeftOut(session)
    first, second = await asyncio.gather(looking.of(turn), looking.of(turn))
    first.mark(0)
    assert (await looking.list_of()).marked == {0}, "the marks are kept"
    assert second.marked == {0}
    assert measure.uses == 1
    assert threading.current_thread().name not in measure.threads


async def test_an_answer_that_is_not_whole_is_not_measured(
    session: ChatSession, monkeypatch: pytest.MonkeyPatch
) -> None:
    measure = Measure(monkeypatch, point(EGGS, A))
    turn = await answered(session)
    assert turn.outcome is not None
    cut = replace(turn, outcome=replace(turn.outcome, status="partial"))
    assert (await LeftOut(session).of(cut)).points == ()
    assert (await LeftOut(session).of(replace(turn, outcome=None))).points == ()
    assert measure.uses == 0
    with pytest.raises(UsageError, match="not whole"):
        await LeftOut(session).list_of(cut)


async def test_where_there_is_nothing_to_list_that_is_said(
    session: ChatSession, monkeypatch: pytest.MonkeyPatch
) -> None:
    Measure(monkeypatch)
    with pytest.raises(UsageError, match="there is no answer yet"):
        await LeftOut(session).list_of()
    turn = await answered(session)
    with pytest.raises(UsageError, match="left out no point"):
        await LeftOut(session).list_of(turn)
    assert line_words(await LeftOut(session).of(turn), 80) == ""


async def test_the_line_names_whoever_said_most_first_and_as_many_as_fit(session: ChatSession) -> None:
    turn = named(await answered(session), a="meta-llama/Llama-4-Maverick-17B-128E-Instruct", b="kimi")
    points = list_of(turn, point("1", A), point("2", B), point("3", A, B), point("4", B))
    long, short = "meta-llama/Llama-4-… 2", "kimi 2"
    assert line_words(points, 80) == f"left out: 4 points ({long}, {short}) · /left lists them"
    assert line_words(points, 60) == f"left out: 4 points ({long}, {short})"
    assert line_words(points, 46) == f"left out: 4 points ({long}, …)"
    assert line_words(points, 25) == "left out: 4 points"
    assert line_words(list_of(turn, point("1", B)), 80).startswith("left out: 1 point (kimi 1)")
    assert all(cell_len(line_words(points, width)) <= width for width in range(1, 100))


async def test_a_name_that_is_hostile_is_made_safe(session: ChatSession) -> None:
    turn = named(await answered(session), a="\x1b]52;c;aGk=\x07[bold]\u202eevil\n")
    points = list_of(turn, point("x", A))
    assert not set("\x1b\x07\u202e\n") & set(line_words(points, 80) + points.markdown())


async def test_points_are_marked_and_copied_as_a_list_with_names(session: ChatSession) -> None:
    points = list_of(await answered(session), point(EGGS, A, B), point("Two\nlines.", B))
    assert points.markdown() == f"- {EGGS} (a, b)\n- Two lines. (b)", "all where none is marked"
    points.mark(1)
    points.mark(9)
    assert points.markdown() == "- Two lines. (b)"
    points.mark_all()
    assert points.marked == {0, 1}
    points.mark_all()
    assert points.marked == set()


@pytest.mark.usefixtures("models_say")
async def test_the_marked_points_and_no_others_are_what_the_answer_is_written_with(
    session: ChatSession, models: FakeModels
) -> None:
    looking = LeftOut(session)
    points = await looking.list_of(await answered(session))
    points.mark(1)
    new = await session.change(looking.change(points), points.turn)
    events_of(new.run)  # type: ignore[union-attr,arg-type]
    assert f"keep:\n- {HUNTED}\n\nleave out:" in models.asked["judge"][-1][-1]["content"]
    second = session.settle_run()
    assert second is not None
    models.scripts = {}
    again = await looking.list_of(second)
    assert not again.marked, "the list is of the new answer"
    assert [each.calls for each in again.points] == [(A,), (B,)], "the marked points are no agent's answer"


@pytest.mark.usefixtures("models_say")
async def test_what_cannot_be_written_now_is_told_and_the_marks_stay(session: ChatSession) -> None:
    looking = LeftOut(session)
    points = await looking.list_of(await answered(session))
    with pytest.raises(UsageError, match="no point is marked: Space marks one, a all; Enter then writes"):
        looking.change(points)
    points.mark(0)
    run = session.send(PromptText("And then?")).run
    assert run is not None
    with pytest.raises(
        UsageError, match="another answer is being written: press Enter again once it is done"
    ):
        looking.change(points)
    assert points.marked == {0}
    events_of(run)
    session.settle_run()
    assert looking.change(points).points == (EGGS,)


async def test_the_price_at_most_is_that_of_one_call_and_says_where_it_passes_a_budget(
    session: ChatSession, gateway: FakeGateway, monkeypatch: pytest.MonkeyPatch
) -> None:
    Measure(monkeypatch, point(EGGS, A))
    looking = LeftOut(session)
    points = await looking.list_of(await answered(session))
    assert (
        await looking.price_words(points, "Enter") == "Enter writes the answer again: one call of judge, $0"
    )
    gateway.price = 0.000_001
    words = await looking.price_words(points, "Enter")
    # The longest answer of one agent and the instructions, and hardly more: the answers are a line each.
    assert words.startswith("Enter writes the answer again: one call of judge, $0.002")
    assert words.endswith(" at most")
    gateway.price = None
    assert (await looking.price_words(points, "Enter")).endswith("one call of judge, price unknown")
    gateway.price = 0.000_001
    monkeypatch.setattr(session.chat.backend.ledger, "budget", Budget(conversation=0.001))
    assert (await looking.price_words(points, "Enter")).endswith(" at most · over budget")


async def test_where_a_vote_gave_the_answer_the_price_is_a_reason_and_enter_says_it(
    session: ChatSession, monkeypatch: pytest.MonkeyPatch
) -> None:
    Measure(monkeypatch, point(EGGS, A))
    session.chat.use_recipe(recipe(["a", "b"], {"task": "vote"}))
    looking = LeftOut(session)
    points = await looking.list_of(await answered(session))
    assert "ends with a vote: no model writes its answer" in await looking.price_words(points, "Enter")
    points.mark(0)
    with pytest.raises(UsageError, match="ends with a vote"):
        looking.change(points)
