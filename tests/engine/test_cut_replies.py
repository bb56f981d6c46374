"""Replies that are cut, at their token limit or with their layer: what they count for, and what is said."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pytest

from moa_tui.engine.control import RunControl
from moa_tui.engine.events import CallEnded
from moa_tui.engine.health import Health
from moa_tui.engine.parsing import parse_points, parse_ranking
from moa_tui.engine.run import RunContext
from moa_tui.engine.values import CallId, Finish
from moa_tui.errors import ModelError
from tests.engine.test_strategies import Bench
from tests.helpers import recipe

if TYPE_CHECKING:
    from moa_tui.engine.events import Event
    from moa_tui.engine.values import Outcome

CUT = Finish("length")
FIRST, SECOND = CallId(1, 1), CallId(1, 2)


async def test_an_aggregator_cut_at_its_token_limit_is_partial_and_its_text_is_the_answer() -> None:
    outcome = await Bench(recipe(["a"], ["w"]), w=[["The moa was", CUT]]).run()
    assert (outcome.status, outcome.answer) == ("partial", "The moa was")


async def test_a_cut_answer_is_no_reference_unless_partial_ones_are_wanted() -> None:
    bench = Bench(recipe(["a", "b"], ["w"]), a=[["alpha ap", CUT]])
    outcome = await bench.run()
    assert "alpha ap" not in bench.sent(2)
    reason = "answer cut at the model's own limit"
    assert outcome.notes == ("layer 1: 1 of 2 used", f"layer 1: not used: L1.1 a ({reason})")
    bench = Bench(recipe({"agents": ["a", "b"], "use_partial": True}, ["w"]), a=[["alpha ap", CUT]])
    outcome = await bench.run()
    assert "alpha ap" in bench.sent(2)
    assert outcome.notes == ("layer 1: used as far as it came: L1.1 a",)


@pytest.mark.parametrize(
    ("pieces", "notes"),
    [
        ([["one"], ["two", CUT], ["three"]], ("layer 2: used as far as it came: L2.2 w 2",)),
        ([["one"], ["two"], ["three", CUT]], ()),
    ],
)
async def test_a_cut_piece_of_the_last_layer_that_another_was_written_from_is_told(
    pieces: list[list[Any]], notes: tuple[str, ...]
) -> None:
    window = {"agents": ["w"], "window": {"size": 2, "repeat": 1}, "use_partial": True}
    outcome = await Bench(recipe(["a", "b", "c", "d"], window), w=pieces).run()
    assert (outcome.answer, outcome.notes) == ("three", notes)


async def test_a_cut_answer_is_not_asked_for_again_nor_of_a_fallback() -> None:
    agents = {"a": {"model": "a", "fallback": ["b"]}}
    bench = Bench(recipe(["a"], agents={**agents, "b": {"model": "b"}}), a=[["half", CUT]])
    assert (await bench.run()).replies[FIRST].attempts == 1
    assert not bench.models.asked["b"]


async def test_a_cut_answer_fills_no_quorum() -> None:
    layer = {"agents": ["a", "b"], "quorum": 1, "grace_seconds": 0}
    bench = Bench(recipe(layer, ["w"]), a=[["half", CUT]])
    await bench.run()
    assert "bravo boats" in bench.sent(2)


async def test_an_endpoint_is_well_whose_answers_are_cut_at_their_limit() -> None:
    health = Health()
    for _ in range(4):
        await Bench(recipe(["a"]), a=[["half", CUT]]).run(context=RunContext(health=health))
    assert health.rest_seconds("a") == 0


@pytest.mark.parametrize(
    ("task", "text", "counts"),
    [
        ("rank", "RANKING: 2 > 1", True),
        ("rank", "Let me compare the answers. The fir", False),
        ("moderate", '{"keep": [1], "enough": false} I have kept', True),
        ("moderate", '{"keep": [1, ', False),
        ("judge", '{"consensus": ["both"]}\n\nIn sum', True),
        ("judge", '{"consensus": ["bo', False),
        ("checklist", "- [ ] A whole point.\n- [ ] Half a poi", True),
        ("checklist", "- [ ] Half a poi", False),
        ("critique", "Reference 1 is wrong where", False),
    ],
)
async def test_a_cut_reply_that_its_task_can_read_is_used(task: str, text: str, counts: bool) -> None:
    reader = {"agents": ["r"], "task": task}
    bench = Bench(recipe(["a", "b"], reader, {"agents": ["w"], "reads": (1, 2)}), r=[[text, CUT]])
    outcome = await bench.run()
    assert outcome.status == "done"
    assert outcome.metrics.layers[1].used == counts


@pytest.mark.parametrize("fault", [CUT, ModelError("connection", "the line broke", None)])
async def test_a_checklist_that_is_cut_loses_its_unfinished_point_and_says_so(fault: Any) -> None:
    layers = (["a", "b"], {"agents": ["r"], "task": "checklist"}, {"agents": ["w"], "reads": "all"})
    bench = Bench(recipe(*layers), r=[["- [ ] One.\n- [ ] Two.\n- [ ] Thr", fault]])
    outcome = await bench.run()
    reply = outcome.replies[CallId(2, 1)]
    assert (reply.status, reply.text) == ("done", "- [x] One.\n- [x] Two.")
    assert any("so points may be missing" in note for note in reply.notes)
    assert "Thr" not in bench.sent(3)


def test_a_cut_ranking_loses_a_number_that_may_lack_digits() -> None:
    assert parse_ranking("RANKING: 3 > 1", 12, is_cut=True) == [3]
    assert parse_ranking("RANKING: 3 > 1", 12) == [3, 1]
    assert parse_ranking("RANKING: 3 > 1", 3, is_cut=True) == [3, 1]
    assert parse_ranking("RANKING: 1" + "0" * 50_000, 12, is_cut=True) is None
    assert parse_points("- [ ] One", is_cut=True) is None


async def abandoned(use_partial: bool) -> tuple[Bench, Outcome]:
    """A run that leaves its straggler `b` behind in the middle of its answer."""
    layer = {"agents": ["a", "b"], "quorum": 1, "grace_seconds": 0.01, "use_partial": use_partial}
    written = asyncio.Event()
    bench = Bench(recipe(layer, ["w"]), a=[[written, "alpha"]], b=[["bravo boats", "", asyncio.Event()]])

    def release(event: Event) -> None:
        bench.events.append(event)
        if getattr(event, "text", "") == "bravo boats":
            written.set()

    bench.emit = release
    return bench, await bench.run()


async def test_what_a_straggler_had_written_is_used_where_partial_answers_are_wanted() -> None:
    bench, outcome = await abandoned(use_partial=True)
    assert outcome.replies[SECOND].status == "stopped"
    assert "bravo boats" in bench.sent(2)
    assert "layer 1: used as far as it came: L1.2 b" in outcome.notes
    bench, outcome = await abandoned(use_partial=False)
    assert "bravo boats" not in bench.sent(2)
    assert "layer 1: 1 of 2 used" in outcome.notes


async def test_a_call_that_the_user_stopped_is_never_used() -> None:
    bench = Bench(recipe({"agents": ["a", "b"], "use_partial": True}, ["w"]))
    bench.models.scripts = {**bench.models.scripts, "b": [["bravo boats", asyncio.Event()]]}
    control = RunControl()

    def stop(event: Event) -> None:
        bench.events.append(event)
        if isinstance(event, CallEnded) and event.call == FIRST:
            control.stop_call(SECOND)

    bench.emit = stop
    await bench.run(control=control)
    assert "bravo boats" not in bench.sent(2)


@pytest.mark.parametrize(
    "last", [{"agents": [], "task": "vote"}, {"agents": ["r"], "task": "rank"}], ids=["vote", "rank"]
)
async def test_a_cut_answer_that_is_chosen_makes_the_outcome_partial(last: dict[str, Any]) -> None:
    layer = {"agents": ["a"], "use_partial": True}
    outcome = await Bench(recipe(layer, last), a=[["half", CUT]], r=[["RANKING: 1"]]).run()
    assert (outcome.status, outcome.answer) == ("partial", "half")
    assert outcome.error is not None
    assert outcome.error.kind == "length"


async def test_a_cut_answer_that_ends_the_run_makes_the_outcome_partial() -> None:
    layer = {"agents": ["a", "b"], "use_partial": True, "enough": 0.9}
    outcome = await Bench(recipe(layer, ["w"]), a=[["42", CUT]], b=[["42", CUT]]).run()
    assert (outcome.status, outcome.answer) == ("partial", "42")
