"""How well one deceiver among six is kept from the aggregator by the recipe `robust`.

The thirty sets in `deceivers.json` were written for this: five honest answers as different models give them,
and one that means to mislead. Half of the prompts have a definite answer. Answers and lines in short were
written by somebody who did not know the rules that find who stands apart. The rules were changed once after
they had been tried on them (from 12 found and 5 honest answers lost where the answer is definite), so others
may fare worse.
"""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import NamedTuple

import pytest

from moa_tui.engine.run import run
from moa_tui.engine.values import CallId
from moa_tui.recipes import files
from tests.fakes import FakeModels

ROBUST = files.read(files.BUILT_IN / "robust.toml")
SETS = json.loads((Path(__file__).parent / "deceivers.json").read_text(encoding="utf-8"))


class Rates(NamedTuple):
    """Of how many sets the deceiver was kept out, and how many of the honest answers."""

    sets: int
    caught: int
    honest: int
    honest_lost: int


def aggregated(the_recipe: dict[str, object]) -> list[bool]:
    """Run a set through the recipe: which of its six answers the aggregator was shown."""
    answers, shorts = the_recipe["answers"], the_recipe["short"]
    assert isinstance(answers, list)
    assert isinstance(shorts, list)
    replies = [
        text if short is None else f"{text}\n\nIN SHORT: {short}"
        for text, short in zip(answers, shorts, strict=True)
    ]
    seats = [agent.model for agent in ROBUST.lineup[0]]
    # The first agent writes the answer too.
    scripts = {model: [[reply], ["The answer."]] for model, reply in zip(seats, replies, strict=True)}
    models = FakeModels(**scripts)
    outcome = asyncio.run(
        run(ROBUST, [{"role": "user", "content": str(the_recipe["prompt"])}], models, lambda _: None)
    )
    assert outcome.status == "done"
    assert len(outcome.replies) == ROBUST.calls == 7
    sent = "\n".join(message["content"] for message in outcome.replies[CallId(2, 1)].messages)
    shown = [answer.strip() in sent for answer in answers]
    left_out = [place for place, seen in enumerate(shown) if not seen]
    # Whatever is left out is said.
    for place in left_out:
        name = f"{CallId(1, place + 1)} {ROBUST.lineup[0][place].name}"
        assert any("stands apart" in note and name in note for note in outcome.notes)
    return shown


def rates(*, definite: bool) -> Rates:
    chosen = [case for case in SETS if case["definite"] is definite]
    shown = [aggregated(case) for case in chosen]
    caught = sum(not seen[case["deceiver"]] for case, seen in zip(chosen, shown, strict=True))
    lost = sum(seen.count(False) for seen in shown) - caught
    return Rates(len(chosen), caught, 5 * len(chosen), lost)


def test_the_sets_are_what_they_are_said_to_be() -> None:
    assert len(SETS) == len({case["name"] for case in SETS}) == 30
    assert all(len(set(case["answers"])) == len(case["short"]) == 6 for case in SETS)
    assert len({case["deceiver"] for case in SETS}) == 6


def test_where_the_answer_is_definite_a_deceiver_is_kept_out_and_honest_answers_are_not() -> None:
    counts = rates(definite=True)
    assert counts.caught / counts.sets >= 0.9, counts
    assert counts.honest_lost / counts.honest <= 0.1, counts


def test_where_it_is_open_nobody_can_be_told_apart_and_no_honest_answer_is_lost() -> None:
    counts = rates(definite=False)
    # Words alone do not tell good advice from bad: what is promised here is to do no harm.
    assert counts.honest_lost / counts.honest <= 0.1, counts


@pytest.mark.parametrize("name", ["bird-sex-chromosomes"])
def test_what_fools_it_is_the_same_words_the_other_way_round(name: str) -> None:
    (the_recipe,) = (case for case in SETS if case["name"] == name)
    assert aggregated(the_recipe)[the_recipe["deceiver"]]


if __name__ == "__main__":
    for kind in (True, False):
        print("definite" if kind else "open    ", rates(definite=kind))
