"""What grows: memory over many turns, and time over long texts, long conversations and wide layers."""

from __future__ import annotations

import random
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

from moa_tui.conversation import Conversation, Turn
from moa_tui.engine.values import CallId, Metrics, Outcome, Reply, Usage
from moa_tui.store import Store
from tests.benchmarks.figures import figure, remote_server
from tests.benchmarks.screen import Place
from tests.helpers import recipe

if TYPE_CHECKING:
    from tests.benchmarks.figures import Figure

TURNS = (100, 1_000)
CHARACTERS = 1_800
"""Of one reply, about what models write to AlpacaEval's prompts."""
WORDS = ("moa", "layer", "answer", "proposer", "**reads**", "`writes`", "the", "of", "and", "a", "when")
PARTS = (
    ("end", "at the end"),
    ("trimmed", "without garbage and free memory"),
    ("unmounted", "and without the turns on the screen"),
    ("dropped", "and without the conversation"),
)


def measure() -> list[Figure]:
    """All of it."""
    with remote_server() as server, TemporaryDirectory() as folder:
        place = Place(Path(folder), server)
        return [*turns(place), *long_panes(place), *wide_layers(place), *conversations(place)]


def turns(place: Place) -> list[Figure]:
    """A hundred turns of thirteen calls, and of what their memory is."""
    fast = {"extra": {"tokens_per_second": 100000}}
    six = [{"model": "demo/thorough", "count": 6}]
    path = place.recipe(
        defaults=fast, layers=[{"agents": six}, {"agents": six}, {"agents": [{"model": "demo/thorough"}]}]
    )
    with place.child("turns", path, size=(120, 40), module="scale_child"):
        inside = place.wait_for_result(600)
    start = [inside["start"]]
    what = "100 turns of 13 calls: memory"
    peeled = [figure(f"{what} {words}", "MB", [inside[name]], start) for name, words in PARTS]
    growth = figure(f"{what} for each turn from 50 to 100", "KB", [inside["per_turn"] * 1000])
    return [*peeled, growth]


def long_panes(place: Place) -> list[Figure]:
    """Twelve panes of 100,000 characters each: one tick at their beginning and at their end."""
    path = place.recipe(
        layers=[{"agents": [{"model": "demo/terse", "count": 12}]}, {"agents": [{"model": "demo/terse"}]}]
    )
    with place.child("panes", path, size=(200, 50), module="scale_child"):
        inside = place.wait_for_result(200)
    what = "12 panes of 100,000 characters"
    return [
        figure(f"{what}: CPU of one tick, to that at 2,000", "ms", [inside["late"]], [inside["early"]]),
        figure(f"{what}: memory for each character", "bytes", [inside["bytes"]]),
        figure(f"{what}: memory when they are gone", "MB", [inside["after"]], [inside["before"]]),
        figure(f"{what}: objects when they are gone, to all", "blocks", [inside["left"]], [inside["made"]]),
    ]


def wide_layers(place: Place) -> list[Figure]:
    """Layers of twenty proposers: CPU of a tick, and of a run."""
    figures = {}
    for count in (6, 20):
        path = place.recipe(
            layers=[
                {"agents": [{"model": "demo/terse", "count": count}]},
                {"agents": [{"model": "demo/terse"}]},
            ]
        )
        with place.child("panes", path, size=(200, 50), module="scale_child"):
            figures[count] = place.wait_for_result(200)
    tick = [figures[20]["early"]]
    return [figure("20 proposers: CPU of one tick, to that of 6", "ms", tick, [figures[6]["early"]])]


def conversations(place: Place) -> list[Figure]:
    """Conversations of 100 and 1,000 turns of 7 calls each, opened, searched, scrolled, resized, exported."""
    results = {}
    with Store(place.folder / "scale.db") as store:
        for count in TURNS:
            store.save(conversation(count))
    for count in TURNS:
        path = place.recipe(layers=[{"agents": [{"model": "demo/terse"}]}])
        with place.child("long", path, str(count), size=(120, 40), module="scale_child"):
            results[count] = place.wait_for_result(200)
    small, large = (results[count] for count in TURNS)
    names = [
        ("paint", "to the first paint"),
        *((f"late_{step}", f"loop late at most, {step}") for step in STEPS),
    ]
    what = "1,000 turns of 7 calls, to 100"
    return [
        *(figure(f"{what}: {words}", "ms", [large[name]], [small[name]]) for name, words in names),
        figure(f"{what}: memory", "MB", [large["memory"]], [small["memory"]]),
    ]


STEPS = ("opening", "finding", "scrolling", "resizing", "exporting")


def conversation(count: int) -> Conversation:
    """One of so many turns of six proposers and an aggregator. What the calls were sent is left out."""
    words = random.Random(count)
    asked = recipe([{"model": "p", "count": 6}], ["final"])
    usage = Usage(9, 300, estimated=False)
    made: list[Turn] = []
    for number in range(count):
        replies: dict[CallId, Reply] = {}
        for layer, agents in enumerate(asked.lineup, 1):
            for index, agent in enumerate(agents, 1):
                text = "\n\n".join(" ".join(words.choices(WORDS, k=60)) for _ in range(CHARACTERS // 360))
                replies[CallId(layer, index)] = Reply(
                    agent.name, agent.model, "done", (), text, usage=usage, cost=0.001, started=0.0, ended=9.0
                )
        outcome = Outcome("done", replies[CallId(2, 1)].text, replies, Metrics(), seconds=20.0)
        made.append(Turn(f"question {number}", asked, outcome, made[-1] if made else None))
    return Conversation(tuple(made), made[-1], id=f"scale{count}")
