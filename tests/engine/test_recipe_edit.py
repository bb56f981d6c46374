"""Recipes made from recipes: what a change gives, what it leaves alone, and how a refusal is worded."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from moa_tui.engine.agent import EFFORTS, Agent
from moa_tui.engine.plan import facts_unknown, plan
from moa_tui.engine.recipe import Recipe
from moa_tui.engine.recipe_edit import (
    answering_layer,
    checked,
    count_common_layers,
    effort_named,
    effort_words,
    has_checklist,
    proposers_by_layer,
    validated,
    with_agent,
    with_aggregator,
    with_checklist,
    with_effort,
    with_layers_of,
    with_own_seat,
    with_prompt,
    with_seats,
)
from moa_tui.engine.values import CallId
from moa_tui.errors import UsageError
from tests.helpers import recipe

if TYPE_CHECKING:
    from collections.abc import Callable

    from moa_tui.engine.agent import Effort
    from moa_tui.engine.values import Message

PROMPT: list[Message] = [{"role": "user", "content": "What is a moa?"}]
THREE = recipe(["a", "b"], ["d", "e"], ["judge"])
CRITIQUE = {"agents": ["k"], "task": "critique"}
CHECKLIST = {"agents": ["lister"], "task": "checklist"}
VOTE = {"task": "vote"}


def names(changed: Recipe) -> list[list[str]]:
    """What the agents of each layer are called."""
    return [[agent.name for agent in agents] for agents in changed.lineup]


def tasks(changed: Recipe) -> list[str]:
    return [changed.task(number) for number in range(1, len(changed.layers) + 1)]


# The validator


def test_a_valid_table_gives_its_recipe_and_no_problems() -> None:
    table = THREE.model_dump(exclude_unset=True)
    assert validated(table) == (THREE, ())
    assert checked(table, "recipe test is refused") == THREE


def test_problems_have_their_location_and_plain_words() -> None:
    table: dict[str, Any] = {"name": "x", "layers": [{"agents": [{"model": "m", "temperature": 9}, {}]}]}
    result, problems = validated(table)
    assert result is None
    assert [(problem.location[:4], problem.location[-1]) for problem in problems] == [
        (("layers", 0, "agents", 0), "temperature"),
        (("layers", 0, "agents", 1), "model"),
    ]
    assert problems[0].message == "Input should be less than or equal to 2"
    assert problems[1].message == "missing"


def test_a_problem_between_layers_has_no_location_and_keeps_only_our_words() -> None:
    _, problems = validated({"name": "x", "layers": [{"agents": []}]})
    assert problems == (((), "layer 1 has no agents: add one or remove it"),)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (
            lambda: with_seats(THREE, 2, ()),
            "recipe test cannot be changed like that: layer 2 has no agents: add one or remove it",
        ),
        (
            lambda: with_seats(THREE, 1, (Agent.model_construct(model="m", temperature=9.0),)),
            "recipe test cannot be changed like that: Input should be less than or equal to 2",
        ),
        (
            lambda: with_agent(THREE, Agent(model="m"), 3),
            "recipe test cannot be changed like that: the last layer is the aggregator: it needs one agent, "
            "and has 2",
        ),
        (
            lambda: with_aggregator(THREE, "two\n\nlines\x1b"),
            '"two lines\x1b" cannot be the aggregator of recipe test: holds a control or invisible character',
        ),
        (
            lambda: with_aggregator(recipe(["a", "b"], VOTE), "m"),
            "recipe test ends with a vote: no model writes its answer",
        ),
        (
            lambda: with_agent(recipe(["a"]), Agent(model="m")),
            "recipe test has one layer: nobody in it reads answers",
        ),
        (
            lambda: with_own_seat(recipe(["a"]), "you"),
            "recipe test has one layer: nobody in it reads answers",
        ),
        (
            lambda: with_layers_of(THREE, 2, recipe(["a"])),
            "recipe test has one layer: nothing in it reads answers",
        ),
        (
            lambda: with_prompt(recipe(["a", "b"], VOTE), "Mine."),
            "recipe test has no agent at its end that reads answers",
        ),
        (
            lambda: with_prompt(recipe(["a"]), "Mine."),
            "recipe test has no agent at its end that reads answers",
        ),
        (
            lambda: with_checklist(recipe(["a"])),
            "recipe test has one layer: there are no answers to draw points from",
        ),
    ],
)
def test_a_refusal_is_one_plain_sentence_that_names_the_recipe(
    change: Callable[[], object], said: str
) -> None:
    with pytest.raises(UsageError) as refused:
        change()
    assert str(refused.value) == said


# Questions about a recipe


def test_a_layer_that_only_draws_a_checklist_is_none_of_the_proposers() -> None:
    own = recipe(["a", "b"], CHECKLIST, {"agents": ["writer"], "reads": "all"})
    assert has_checklist(own)
    assert not has_checklist(THREE)
    assert proposers_by_layer(own) == (own.lineup[0],)
    assert proposers_by_layer(with_checklist(THREE)) == proposers_by_layer(THREE) == THREE.lineup[:2]


def test_common_layers_end_where_the_tasks_part_and_before_the_last() -> None:
    guided = with_checklist(THREE)
    assert count_common_layers(THREE, THREE) == 2
    assert count_common_layers(guided, THREE) == count_common_layers(THREE, guided) == 2
    assert count_common_layers(guided, guided) == 3
    assert count_common_layers(recipe(["a"], CRITIQUE, {"agents": ["w"], "reads": "all"}), THREE) == 1
    assert count_common_layers(recipe(["a"]), THREE) == 0


def test_the_answering_layer_is_the_last_that_writes_before_the_end() -> None:
    assert answering_layer(THREE) == 2
    assert answering_layer(recipe(["a"], CRITIQUE, {"agents": ["w"], "reads": "all"})) == 1
    assert answering_layer(recipe(["a", "b"], {"agents": ["c"], "window": {}}, ["w"])) == 1


# Agents


def test_an_agent_joins_the_answering_layer_under_a_free_name() -> None:
    agent = Agent(model="lab/d", temperature=0.1, count=3, fallback=("a",))
    changed, call = with_agent(THREE, agent)
    assert call == CallId(2, 3)
    assert names(changed) == [["a", "b"], ["d", "e", "d (2)"], ["judge"]]
    joined = changed.lineup[1][2]
    assert (joined.model, joined.temperature, joined.fallback) == ("lab/d", 0.1, ())
    second, call = with_agent(changed, agent)
    assert (call, second.lineup[1][3].name) == (CallId(2, 4), "d (3)")
    assert names(THREE) == [["a", "b"], ["d", "e"], ["judge"]]


def test_an_agent_joins_the_layer_that_is_named() -> None:
    changed, call = with_agent(THREE, Agent(model="m"), 1)
    assert call == CallId(1, 3)
    assert names(changed) == [["a", "b", "m"], ["d", "e"], ["judge"]]


def test_an_own_seat_stands_last_in_the_answering_layer() -> None:
    changed, call = with_own_seat(THREE, "you")
    assert call == CallId(2, 3)
    assert names(changed)[1] == ["d", "e", "you"]
    assert names(with_own_seat(changed, "you")[0])[1] == ["d", "e", "you", "you (2)"]


def test_other_agents_in_a_layer_leave_the_other_layers_alone() -> None:
    changed = with_seats(THREE, 1, (Agent(model="x"), Agent(model="x", temperature=0.5)))
    assert [agent.temperature for agent in changed.lineup[0]] == [None, 0.5]
    assert changed.lineup[1:] == THREE.lineup[1:]
    assert (changed.name, changed.limits) == (THREE.name, THREE.limits)


def test_another_aggregator_keeps_its_settings_and_no_key_of_the_old_one() -> None:
    old = {"model": "w", "temperature": 0.3, "system": "Be brief.", "api_key_env": "W_KEY", "fallback": ["a"]}
    old |= {"api_base": "http://old/v1", "extra": {"seed": 1}}
    plain = recipe(["a"], {"agents": ["w"], "prompt": "Mine."}, agents={"w": old})
    changed = with_aggregator(plain, "lab/new", api_base="http://new/v1", extra={"top_k": 3})
    new = changed.lineup[-1][0]
    assert (new.name, new.model, new.temperature, new.system) == ("new", "lab/new", 0.3, "Be brief.")
    assert (new.api_base, new.extra, new.api_key_env, new.fallback) == (
        "http://new/v1",
        {"top_k": 3},
        None,
        (),
    )
    assert changed.layers[-1].prompt == "Mine."
    own_server = with_aggregator(plain, "lab/new").lineup[-1][0]
    assert (own_server.api_base, own_server.extra) == (None, {})


# Layers


def test_another_prompt_is_the_last_layers_alone() -> None:
    changed = with_prompt(THREE, "Write a table of {references}.")
    assert [layer.prompt for layer in changed.layers] == [None, None, "Write a table of {references}."]
    assert changed.lineup == THREE.lineup


def test_the_layers_of_another_recipe_read_on_from_the_last_that_stays() -> None:
    other = recipe(["n"], CRITIQUE, {"agents": ["y"], "reads": [1, 2]}, retries=7)
    changed = with_layers_of(THREE, 2, other)
    assert changed.name == "test + test"
    assert names(changed) == [["a", "b"], ["d", "e"], ["k"], ["y"]]
    assert tasks(changed) == ["answer", "synthesize", "critique", "synthesize"]
    assert [changed.read_layers(number, range(1, number)) for number in (3, 4)] == [(2,), (2, 3)]
    assert changed.limits.retries == 7
    reads_all = recipe(["n"], CRITIQUE, {"agents": ["y"], "reads": "all"})
    assert with_layers_of(THREE, 2, reads_all).layers[3].reads == (2, 3)


def test_what_could_end_a_run_early_is_left_out_of_the_layers_that_stay() -> None:
    early = recipe({"agents": ["a", "b"], "enough": 0.6, "quorum": 1}, ["judge"])
    first_layer = with_layers_of(early, 1, THREE).layers[0]
    assert (first_layer.enough, first_layer.quorum) == (None, 1)


def test_agents_bring_the_defaults_and_fallbacks_of_their_own_recipe() -> None:
    other = recipe(["n"], ["y"], agents={"y": {"model": "y", "fallback": ["z"]}, "z": {"model": "z"}})
    other = other.model_copy(update={"defaults": other.defaults.model_copy(update={"temperature": 0.2})})
    aggregator = with_layers_of(THREE, 2, other).lineup[-1][0]
    assert aggregator.temperature == 0.2
    assert [agent.model for agent in with_layers_of(THREE, 2, other).fallbacks(aggregator)] == ["z"]


# Guided recipes


def test_guided_puts_the_checklist_before_the_last_synthesis() -> None:
    plain = recipe(
        ["a", "b"], ["c", "d"], ["w"], agents={"w": {"model": "w", "temperature": 0.9, "fallback": ["a"]}}
    )
    guided = with_checklist(plain)
    assert [guided.task(number) for number in (1, 2, 3, 4)] == [
        "answer",
        "synthesize",
        "checklist",
        "synthesize",
    ]
    assert [guided.read_layers(number, range(1, number)) for number in (2, 3, 4)] == [(1,), (2,), (2, 3)]
    drawer, writer = guided.lineup[2][0], guided.lineup[3][0]
    assert (drawer.model, drawer.temperature, drawer.fallback) == ("w", 0.0, ("a",))
    assert writer == plain.lineup[2][0]
    assert guided.calls == plain.calls + 1 == len(plan(guided, PROMPT, facts_unknown).calls)
    assert guided.name == plain.name
    assert with_checklist(guided) is guided


def test_guided_leaves_what_a_layer_reads_as_it_was() -> None:
    critique = {"agents": ["k"], "task": "critique"}
    rank = {"agents": ["k"], "task": "rank"}
    for layers, reads in (
        ([["a"], critique, {"agents": ["w"], "reads": "all"}], (1, 2, 3)),
        ([["a"], ["b"], {"agents": ["w"], "reads": [1, 2]}], (1, 2, 3)),
        ([["a"], ["b"], {"agents": ["w"], "reads": [1]}], (1, 3)),
        ([["a", "b"], rank, ["w"]], (2, 3)),
    ):
        plain = recipe(*layers)
        guided = with_checklist(plain)
        assert guided.read_layers(4, (1, 2, 3)) == reads
        assert guided.sources(3) == plain.sources(3)
        assert set(guided.sources(4)) == {*plain.sources(3), CallId(3, 1)}


def test_guided_keeps_how_references_are_placed() -> None:
    plain = recipe(["a"], {"agents": ["w"], "placement": "user", "anonymous": False, "prompt": "Mine."})
    drawing = with_checklist(plain).layers[1]
    assert (drawing.placement, drawing.anonymous, drawing.prompt) == ("user", False, None)


@pytest.mark.parametrize(
    ("plain", "said"),
    [
        (recipe(["a"]), "has one layer"),
        (recipe(["a", "b"], {"task": "vote"}), "ends with the task vote"),
        (recipe(["a", "b"], {"agents": ["k"], "task": "rank"}), "ends with the task rank"),
        (recipe(["a", "b"], {"agents": ["k"], "task": "revise"}), "ends with the task revise"),
        (recipe(["a"], {"agents": ["k"], "window": {}}), "piece by piece"),
    ],
)
def test_guided_refuses_what_has_no_synthesis_of_answers_at_its_end(plain: Recipe, said: str) -> None:
    with pytest.raises(UsageError, match=said):
        with_checklist(plain)


# Reasoning effort

THINKERS = Recipe.model_validate(
    {
        "name": "thinkers",
        "defaults": {"reasoning_effort": "high", "extra": {"think": False}},
        "agents": {"a": {"model": "a", "fallback": ["spare"]}, "spare": {"model": "s"}},
        "layers": [
            {"agents": ["a", {"model": "b", "extra": {"seed": 1, "thinking": {"budget_tokens": 2000}}}]},
            {"agents": ["a"]},
        ],
    }
)


@pytest.mark.parametrize("effort", [*EFFORTS, None])
def test_an_effort_is_that_of_every_agent_and_nothing_contradicts_it(effort: Effort | None) -> None:
    changed = with_effort(THINKERS, effort)
    assert [agent.model for agent in changed.every_agent()] == ["a", "b", "s"]
    assert {agent.reasoning_effort for agent in changed.every_agent()} == {effort}
    assert [agent.extra for agent in changed.every_agent()] == [{}, {"seed": 1}, {}]
    assert THINKERS.lineup[0][0].reasoning_effort == "high", "the old recipe is as it was"


def test_an_effort_can_be_changed_again_and_given_back() -> None:
    low = with_effort(THINKERS, "low")
    assert {agent.reasoning_effort for agent in with_effort(low, "medium").every_agent()} == {"medium"}
    assert {agent.reasoning_effort for agent in with_effort(low, None).every_agent()} == {None}


def test_an_effort_stays_where_the_recipe_is_changed_otherwise() -> None:
    low = with_effort(THREE, "low")
    assert with_aggregator(low, "other").lineup[-1][0].reasoning_effort == "low"
    assert {agent.reasoning_effort for agent in with_checklist(low).every_agent()} == {"low"}


def test_what_effort_is_in_force_is_said_in_words() -> None:
    assert effort_words(THREE) == "the model's own, for all agents"
    assert effort_words(with_effort(THREE, "low")) == "low, for all agents"
    own = {"model": "x", "extra": {"reasoning_effort": "xhigh"}}
    mixed = recipe(["a", {"model": "b", "reasoning_effort": "none"}, own], ["a"])
    assert effort_words(mixed) == "the model's own for a; none for b; xhigh for x"


def test_an_effort_is_named_in_any_case_and_a_wrong_one_is_told_which_there_are() -> None:
    assert [effort_named(word) for word in ("none", " High ", "-")] == ["none", "high", None]
    for word in ("", "extreme", "hi", "0", "low high"):
        with pytest.raises(UsageError, match="none, minimal, low, medium or high, or - to leave it"):
            effort_named(word)
