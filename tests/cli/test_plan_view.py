"""The call graph of a recipe as it is drawn."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from moa_tui.cli.plan_view import graph_lines, plan_document, plan_lines
from moa_tui.engine.plan import ModelFacts, facts_unknown, plan
from moa_tui.recipes import files
from moa_tui.text.wording import money
from tests.helpers import recipe

if TYPE_CHECKING:
    from moa_tui.engine.values import Message

NOWHERE = Path("/nonexistent")


@pytest.mark.parametrize("name", files.available(NOWHERE))
def test_every_built_in_recipe_fits_eighty_columns(name: str) -> None:
    this = files.load(name, NOWHERE)
    lines = graph_lines(this, plan(this, [{"role": "user", "content": "?"}], facts_unknown)).splitlines()
    assert max(map(len, lines)) < 80
    assert " ".join(lines[:2]).startswith(
        f"{name}: {this.calls} calls at most, depth {this.depth}, price unknown"
    )
    assert lines.count("the prompt") == lines.count("the answer") == 1
    for number in range(1, len(this.layers) + 1):
        assert sum(f"L{number} {this.task(number)}" in line for line in lines) == 1


def test_the_graph_draws_who_reads_whom() -> None:
    this = recipe(
        ["a", "b", "c"],
        {"agents": ["x", "y"], "split": True},
        {"agents": ["w"], "reads": [1, 2], "window": {"size": 2, "repeat": 1}},
    )
    drawn = graph_lines(this, plan(this, [{"role": "user", "content": "?"}], facts_unknown))
    assert drawn.partition("\n\n")[2].splitlines() == [
        "the prompt",
        "├──┬──┐",
        "●  ●  ●         L1 answer, 3 calls: a, b, c",
        "├──┼──┘",
        "●  ●            L2 synthesize, 2 calls: x, y; reads L1, 2 references each; each",
        "                its own share",
        "├──┘",
        "● → ● → ● → ●   L3 synthesize, 4 calls: 4 × w; reads L1, L2, 2 references each;",
        "                one after another, the best so far beside new ones",
        "│",
        "the answer",
    ]


def test_the_plan_says_how_often_a_call_in_steps_may_be_asked_and_what_makes_no_sense() -> None:
    this = recipe(["a", "b"], {"agents": ["w"], "stairs": {"wait": 2}})
    thinks = ModelFacts("w", thinking_tokens=1000)
    planned = plan(this, [{"role": "user", "content": "?"}], lambda agent: thinks)
    lines = plan_lines(this, planned, {}).splitlines()
    assert sum("in up to 17 requests" in line for line in lines) == 1
    assert any("w thinks before it writes, and anew at each of up to 17 steps" in line for line in lines)
    document = json.loads(plan_document(this, planned))
    assert document["warnings"] == list(planned.warnings)
    assert document["layers"][1]["calls"][0]["requests"] == 17


def test_where_no_price_is_known_none_is_told() -> None:
    this = recipe(["a"], ["w"])
    question: list[Message] = [{"role": "user", "content": "?"}]
    known = ModelFacts("w", prompt_price=1e-6, completion_price=1e-6)
    unknown = graph_lines(this, plan(this, question, facts_unknown))
    assert unknown.splitlines()[0] == "test: 2 calls at most, depth 2, price unknown"
    half = plan(this, question, lambda agent: known if agent.name == "w" else facts_unknown(agent))
    first_lines = " ".join(graph_lines(this, half).splitlines()[:2])
    assert first_lines.endswith(
        "price unknown, the calls with a known price at most " + money(half.known_cost)
    )


def test_the_graph_says_when_a_layer_begins_early() -> None:
    for option, said in (
        ({"stairs": {"chunk": 64, "wait": 2}}, "begins at 2 beginnings of 64 tokens, and writes on as they"),
        ({"start": {"with": 1}}, "begins at 1 whole answer"),
    ):
        this = recipe(["a", "b"], {"agents": ["w"], **option})
        drawn = graph_lines(this, plan(this, [{"role": "user", "content": "?"}], facts_unknown))
        assert said in " ".join(drawn.split())
