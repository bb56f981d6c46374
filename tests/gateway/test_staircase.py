"""An answer on a staircase over real HTTP: the server's log says what was asked while others still wrote."""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING

from moa_tui.engine.events import Delta, StepStarted
from moa_tui.engine.values import CallId
from tests.gateway.helpers import sent_text
from tests.helpers import recipe

if TYPE_CHECKING:
    from moa_tui.engine.recipe import Recipe
    from tests.gateway.conftest import Bench
    from tests.model_server import Request

WRITER = CallId(2, 1)
FACT = "The moa was a large bird that could not fly. "


def reply(request: Request) -> str:
    """What a model of the server says: a long answer, or the next sentence of one in steps."""
    if request.key.startswith("proposer"):
        return FACT * 12
    return f"This is part {1 + sent_text(request).count('This is part')}."


def climbing(rate: int = 240, **limits: int) -> Recipe:
    proposers = [f"lab/told@tps={rate},key=proposer{number}" for number in (1, 2, 3)]
    writer = {"model": "lab/told@key=writer", "name": "writer"}
    agents = [{"model": model, "name": f"p{number}"} for number, model in enumerate(proposers, 1)]
    return recipe({"agents": agents}, {"agents": [writer], "stairs": {"chunk": 40, "wait": 2}}, **limits)


def test_the_writer_is_asked_before_the_answers_that_it_reads_have_ended(bench: Bench) -> None:
    bench.server.responder = reply
    outcome = bench.run(climbing())
    assert outcome.status == "done", outcome.error
    bench.server.wait_for(lambda requests: all(request.ended is not None for request in requests))
    asked = [request for request in bench.server.requests if request.key == "writer"]
    proposers = [request for request in bench.server.requests if request.key != "writer"]
    assert len(asked) >= 2
    assert all(request.ended is not None and asked[0].started < request.ended for request in proposers)
    assert all(
        request.ended is not None and asked[-1].started > request.ended - 0.05 for request in proposers
    )
    assert len(proposers) == 3, "nobody else is asked again"


def test_each_request_repeats_the_one_before_and_what_it_wrote(bench: Bench) -> None:
    bench.server.responder = reply
    outcome = bench.run(climbing())
    bodies = [request.body["messages"] for request in bench.server.requests if request.key == "writer"]
    for before, after in pairwise(bodies):
        assert after[: len(before)] == before
        assert [message["role"] for message in after[len(before) :]] == ["assistant", "user"]
    text = outcome.replies[WRITER].text
    assert text == "\n\n".join(f"This is part {number}." for number in range(1, len(bodies) + 1))
    assert text == "".join(e.text for e in bench.events if isinstance(e, Delta) and e.call == WRITER)
    steps = outcome.replies[WRITER].steps
    assert [step.usage.estimated for step in steps] == [False] * len(bodies)
    assert len({event.number for event in bench.events if isinstance(event, StepStarted)}) == len(bodies)


def test_with_one_place_at_the_server_everybody_is_asked_in_turn(bench: Bench) -> None:
    bench.server.responder = reply
    outcome = bench.run(climbing(2_000, concurrency=1))
    assert outcome.status == "done", outcome.error
    asked = [request.key for request in sorted(bench.server.requests, key=lambda request: request.started)]
    assert asked == ["proposer1", "proposer2", "proposer3", "writer"]
    assert outcome.replies[WRITER].steps == ()
