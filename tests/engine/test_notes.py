"""What a run's notes say, checked against what the run then does."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from moa_tui.engine.values import CallId, Finish
from moa_tui.errors import ModelError
from tests.engine.test_strategies import Bench
from tests.helpers import recipe

if TYPE_CHECKING:
    from collections.abc import Sequence

    from moa_tui.engine.values import Outcome

FOUR = ["a", "b", "c", "d"]
DOWN = ModelError("auth", "wrong key", 401)
CUT = Finish("length")


async def ran(*layers: object, **scripts: Sequence[Sequence[Any]]) -> tuple[Bench, Outcome]:
    bench = Bench(recipe(*layers), **scripts)
    return bench, await bench.run()


# A moderator


@pytest.mark.parametrize(
    ("script", "why"),
    [
        (["I keep the first two."], "its reply is not the JSON asked for"),
        (['{"keep": [1, ', CUT], "its reply was cut off"),
        ([DOWN], "it failed"),
    ],
)
async def test_without_a_moderator_those_that_differ_most_go_on_and_no_more(
    script: list[Any], why: str
) -> None:
    moderator = {"agents": ["m"], "task": "moderate", "top_k": 2}
    bench, outcome = await ran(FOUR, moderator, ["w"], m=[script])
    assert len(bench.carried(3)) == 2
    assert outcome.notes[-2] == (
        f"layer 2: nothing of the moderator is used ({why}), so the 2 that differ most go on"
    )
    assert outcome.notes[-1].startswith("layer 2: left out L1.")


async def test_without_a_moderator_all_go_on_where_it_was_to_choose_as_many_as_it_likes() -> None:
    bench, outcome = await ran(FOUR, {"agents": ["m"], "task": "moderate"}, ["w"], m=[["?"]])
    assert bench.carried(3) == "abcd"
    assert outcome.notes[-1].endswith("so all 4 answers go on")


async def test_a_moderator_that_keeps_only_a_critique_is_said_to_keep_no_answer() -> None:
    layers = (
        ["a"],
        {"agents": ["k"], "task": "critique"},
        {"agents": ["m"], "task": "moderate", "reads": "all"},
    )
    bench, outcome = await ran(*layers, ["w"], k=[["It is wrong."]], m=[['{"keep": [2]}']])
    assert "(it keeps no answer), so the only answer goes on" in outcome.notes[-1]
    assert "alpha apples" in bench.sent(4)


# A ranking


async def test_without_a_ranking_a_council_goes_on_with_all_answers_and_says_so() -> None:
    ranking = {"agents": ["r", "s"], "task": "rank"}
    bench, outcome = await ran(FOUR, ranking, ["w"], r=[["?"]], s=[[DOWN]])
    assert bench.carried(3) == "abcd"
    assert "layer 2: 0 of 2 rankings can be used" in outcome.notes
    assert outcome.notes[-1] == "layer 2: no ranking to go by, so all 4 answers go on"


async def test_without_a_ranking_those_that_differ_most_are_fused() -> None:
    bench, outcome = await ran(FOUR, {"agents": ["r"], "task": "rank", "top_k": 3}, ["w"], r=[["?"]])
    assert len(bench.carried(3)) == 3
    assert "layer 2: no ranking to go by, so the 3 that differ most go on" in outcome.notes


@pytest.mark.parametrize(
    ("answers", "taken"),
    [
        (["a"], "the only answer"),
        (["a", "b"], "the first, since none is most like the others"),
        (["x", "a", "y"], "the answer most like the others"),
    ],
)
@pytest.mark.parametrize("task", ["rank", "vote"])
async def test_an_answer_that_is_chosen_without_a_judge_says_by_what(
    task: str, answers: list[str], taken: str
) -> None:
    last = {"agents": ["r"], "task": "rank"} if task == "rank" else {"task": "vote"}
    alike = "The moa was a large bird that had lived in New Zealand for a very long time. " * 5
    _, outcome = await ran(answers, last, r=[["?"]], x=[[alike + "It ate twigs."]], y=[[alike + "It ran."]])
    assert outcome.notes[-1 if task == "vote" else -2].endswith(taken)


async def test_a_ranking_that_names_no_answer_does_not_count() -> None:
    layers = (
        ["a"],
        {"agents": ["k"], "task": "critique"},
        {"agents": ["r", "s"], "task": "rank", "reads": "all"},
    )
    bench = Bench(recipe(*layers, ["w"]), k=[["It is wrong."]], r=[["RANKING: 2"]], s=[["RANKING: 2"]])
    _, outcome = bench, await bench.run()
    named = [note for note in outcome.notes if "names no answer" in note]
    ranked = [note for note in outcome.notes if "ranking to go by" in note]
    assert bool(named) == (not any("mean-rank" in bench.sent(4) for _ in "x"))
    assert len(ranked) == (len(named) == 2)


# Several judges


JUDGES = recipe(["a", "b", "c"], {"agents": ["r", "s", "t"], "task": "rank"})


def order(bench: Bench, index: int, best_first: str) -> str:
    """The ranking by which judge `index` puts the answers of these models in order."""
    shown = bench.carried(2, index)
    return "RANKING: " + " > ".join(str(shown.index(name) + 1) for name in best_first)


async def judged(*orders: str) -> Outcome:
    first = Bench(JUDGES)
    await first.run()
    scripts = {
        name: [[order(first, index, best_first) if best_first else "none is best"]]
        for index, (name, best_first) in enumerate(zip("rst", orders, strict=True), 1)
    }
    return await Bench(JUDGES, **scripts).run()


async def test_a_ranking_that_came_and_cannot_be_read_is_not_counted_among_those_that_can() -> None:
    asked = recipe(["a", "b"], {"agents": ["r", "s", "t"], "task": "rank"})
    bench = Bench(asked, r=[["both are fine"]], s=[["RANKING: 1 > 2"]], t=[[ModelError("bad_request", "no")]])
    outcome = await bench.run()
    assert "L2.1 r: its ranking is unreadable and does not count" in outcome.notes
    assert "layer 2: 1 of 3 rankings can be used" in outcome.notes


async def test_of_several_judges_the_mean_rank_decides() -> None:
    outcome = await judged("abc", "bca", "bac")
    assert (outcome.status, outcome.notes) == ("done", ("chosen: L1.2 b, mean rank 1.33",))
    assert outcome.answer == outcome.replies[CallId(1, 2)].text


async def test_a_judge_that_cannot_be_read_is_said_and_left_out_of_the_mean() -> None:
    outcome = await judged("cab", "", "cba")
    assert outcome.notes == (
        "L2.2 s: its ranking is unreadable and does not count",
        "chosen: L1.3 c, mean rank 1",
    )


def test_a_recipe_may_end_with_several_judges() -> None:
    assert (JUDGES.calls, JUDGES.depth, JUDGES.writer) == (6, 2, None)


async def test_an_answer_that_a_judge_was_not_shown_has_no_place_by_it() -> None:
    ranking = {"agents": ["r", "s"], "task": "rank", "split": True}
    bench = Bench(recipe(FOUR, ranking), r=[["RANKING: 2 > 1"]], s=[["RANKING: 1 > 2"]])
    outcome = await bench.run()
    assert outcome.notes[-1].endswith("mean rank 1")


# A judge, a checklist, outliers, an early end


@pytest.mark.parametrize(
    ("following", "what"),
    [
        ({"agents": ["w"], "reads": "all"}, "what follows is a plain synthesis"),
        ({"agents": ["w"], "reads": "all", "task": "revise"}, "what follows is a plain revision"),
        ({"agents": ["w"], "reads": "all", "task": "rank"}, "the run goes on without it"),
    ],
)
@pytest.mark.parametrize(
    ("script", "why"),
    [(["?"], "is not the JSON asked for"), (["{", CUT], "was cut off"), ([DOWN], "it failed")],
)
async def test_a_judge_that_cannot_be_used_says_why_and_what_follows(
    following: dict[str, Any], what: str, script: list[Any], why: str
) -> None:
    _, outcome = await ran(["a", "b"], {"agents": ["j"], "task": "judge"}, following, j=[script])
    note = next(note for note in outcome.notes if "nothing of the judge is used" in note)
    assert why in note
    assert note.endswith(what)


async def test_a_run_that_ends_early_leaves_nothing_out() -> None:
    layer = {"agents": ["a", "b", "c"], "enough": 0.9, "top_k": 1}
    _, outcome = await ran(layer, ["w"], a=[["42"]], b=[["42"]], c=[["42"]])
    assert len(outcome.notes) == 1
    assert not any(reply.notes for reply in outcome.replies.values())


async def test_one_answer_has_no_majority() -> None:
    layer = {"agents": ["a", "b", "c"], "drop_outliers": True}
    _, outcome = await ran(layer, ["w"], b=[[DOWN]], c=[[DOWN]])
    assert "layer 1: outliers not looked for, one answer has no majority" in outcome.notes


async def test_answers_that_settled_are_compared_with_the_last_answers_not_with_critiques() -> None:
    critique = {"agents": ["k"], "task": "critique"}
    revise = {"agents": ["a", "b"], "task": "revise", "reads": "all", "early_stop": 0.9}
    last = {"agents": ["w"], "reads": "all"}
    bench, outcome = await ran(["a", "b"], critique, revise, critique | {"reads": (3,)}, last, k=[["No."]])
    assert any("its answers repeat those before (1.00" in note for note in outcome.notes)
    assert not [call for call in bench.started if call.layer == 4]


# A revision


async def test_an_agent_whose_own_answer_is_missing_is_not_told_that_one_is_its_own() -> None:
    revise = {"agents": ["a", "b", "e"], "task": "revise"}
    bench, _ = await ran(["a", "b", "c"], revise, ["w"], b=[[DOWN], ["b"]])
    assert "the one marked as yours" in bench.sent(2, 1)
    for index in (2, 3):
        assert "None of them is yours" in bench.sent(2, index)
        assert "marked as yours" not in bench.sent(2, index)
    assert "{own}" not in bench.sent(2, 1)


async def test_of_several_own_answers_the_newest_is_marked() -> None:
    revise = {"agents": ["a"], "task": "revise", "reads": "all"}
    bench, _ = await ran(["a"], revise, revise, a=[["a1"], ["a2"], ["a3"]])
    assert bench.sent(3).count('kind="your own answer"') == 1
    assert 'kind="your own answer">\na2' in bench.sent(3)


# Answers that are not used


async def test_answers_that_are_not_used_are_named_with_the_beginning_of_the_reason() -> None:
    long = ModelError("server", "the machine " * 20 + "is down", 500)
    failing: dict[str, Any] = {"a": [[DOWN]], "b": [["no end", CUT]], "c": [[long]]}
    _, outcome = await ran(FOUR, ["w"], **failing)
    named = "L1.1 a (wrong key), L1.2 b (answer cut at the model's own limit), "
    (note,) = (note for note in outcome.notes if "not used" in note)
    assert note.startswith(f"layer 1: not used: {named}L1.3 c (the machine the machine")
    assert note.endswith("…)")
    assert len(note) < 200
    _, outcome = await ran([*FOUR, "e"], ["w"], d=[[DOWN]], **failing)
    (note,) = (note for note in outcome.notes if "not used" in note)
    assert note.endswith("…), 1 more")
