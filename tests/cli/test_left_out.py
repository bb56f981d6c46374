"""`moa-tui ask --left-out`: below the answer what it left out of the others."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from tests.cli.shell import Shell

pytestmark = pytest.mark.program

ANSWER = "Feed the starter once a week in the fridge."
POINT = "**Rye flour** wakes up a sluggish starter."


@pytest.fixture
def recipe(shell: Shell) -> str:
    """A recipe of two proposers, both with one point of their own, and an aggregator that drops it."""
    says = {"told@key=one": f"{ANSWER} {POINT}", "told@key=two": f"- {POINT}\n- {ANSWER}"}
    shell.server.responder = lambda request: says.get(request.model.rpartition("/")[2], ANSWER)
    return shell.recipe([*says], ["told@key=final"])


def test_the_points_stand_below_the_answer_with_agents_and_places(shell: Shell, recipe: str) -> None:
    done = shell("ask", "-q", "--left-out", "-r", recipe, "hi")
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    assert done.stdout == (
        f"{ANSWER}\n\nLeft out: 1 point (told@key=one 1)\n"
        "- Rye flour wakes up a sluggish starter. (L1.1 told@key=one, L1.2 told@key=two)\n"
    )


def test_without_the_option_there_is_nothing_but_the_answer(shell: Shell, recipe: str) -> None:
    assert shell("ask", "-q", "-r", recipe, "hi").stdout == f"{ANSWER}\n"
    assert "left_out" not in shell("ask", "-q", "--output", "json", "-r", recipe, "hi").stdout


@pytest.mark.parametrize("output", ["json", "events"])
def test_in_json_they_are_a_field(shell: Shell, recipe: str, output: str) -> None:
    done = shell("ask", "-q", "--left-out", "--output", output, "-r", recipe, "hi")
    document: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    (point,) = document["left_out"]
    assert point["text"] == POINT
    assert point["calls"] == [
        {"layer": 1, "index": 1, "agent": "told@key=one"},
        {"layer": 1, "index": 2, "agent": "told@key=two"},
    ]
    first = document["layers"][0]["calls"][0]["text"]
    assert first[point["start"] : point["end"]] == POINT


def test_where_nothing_was_left_out_that_is_said(shell: Shell, recipe: str) -> None:
    shell.server.responder = lambda request: ANSWER
    assert shell("ask", "-q", "--left-out", "-r", recipe, "hi").stdout == f"{ANSWER}\n\nLeft out: nothing\n"


def test_without_an_answer_nothing_is_listed(shell: Shell) -> None:
    done = shell("ask", "-q", "--left-out", "-r", shell.recipe(["http401"], ["ok"]), "hi")
    assert (done.returncode, done.stdout) == (1, "")
