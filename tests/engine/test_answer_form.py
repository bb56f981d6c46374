"""A recipe whose answer is JSON of a schema, and the one call more that repairs an answer."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from moa_tui.engine.answer_form import (
    fits_strict_mode,
    with_answer_form,
    with_repair,
    without_answer_form,
)
from moa_tui.engine.events import RunChanged
from moa_tui.engine.parameters import is_optional_format
from moa_tui.engine.plan import ModelFacts
from moa_tui.engine.run import RunContext, run
from moa_tui.engine.values import CallId, Message
from moa_tui.errors import ModelError, UsageError
from tests.fakes import FakeModels
from tests.helpers import recipe

if TYPE_CHECKING:
    from moa_tui.engine.agent import Agent
    from moa_tui.engine.events import Event
    from moa_tui.engine.recipe import Recipe
    from moa_tui.engine.values import Outcome

SCHEMA = {
    "type": "object",
    "properties": {"name": {"type": "string"}},
    "required": ["name"],
    "additionalProperties": False,
}
ASK: list[Message] = [{"role": "user", "content": "Which bird?"}]


def wish(agent: Agent) -> Any:
    return agent.extra.get("response_format")


def test_the_writer_and_its_substitutes_are_told_and_nobody_else() -> None:
    agents = {"w": {"model": "w", "system": "Be kind.", "fallback": ["a"]}, "a": {"model": "a"}}
    changed = with_answer_form(recipe(["a", "a"], ["w"], agents=agents), SCHEMA)
    assert all(agent.system is None and not agent.extra for agent in changed.lineup[0])
    (writer,) = changed.lineup[1]
    substitute = changed.fallbacks(writer)[0]
    for agent in (writer, substitute):
        assert agent.system is not None
        assert agent.system.endswith('"required":["name"],"additionalProperties":false}')
        assert wish(agent)["json_schema"] == {"name": "moa_tui_answer", "schema": SCHEMA, "strict": True}
    assert writer.system is not None
    assert writer.system.startswith("Be kind.\n\n")
    assert (substitute.model, substitute.name) == ("a", "a")


def test_what_contradicts_the_schema_or_is_of_no_use_to_a_server_is_not_sent() -> None:
    given = {"model": "w", "extra": {"format": "json", "seed": 7, "response_format": {"type": "text"}}}
    changed = with_answer_form(recipe([given]), {**SCHEMA, "$schema": "x", "examples": [{}]})
    extra = changed.lineup[0][0].extra
    assert extra.keys() == {"seed", "response_format"}
    assert extra["response_format"]["json_schema"]["schema"] == SCHEMA
    # A name that no parameter may have, in a place that is no name of a property.
    odd = {"type": "object", "propertyNames": {"api_key": True}}
    writer = with_answer_form(recipe(["w"]), odd).lineup[0][0]
    assert wish(writer) is None
    assert writer.system is not None
    assert "api_key" in writer.system


def test_it_waits_for_all_answers_and_ends_with_its_last_agent() -> None:
    early = recipe(
        {"agents": [{"model": "a"}, {"model": "b"}], "enough": 0.5},
        {"agents": [{"model": "c"}, {"model": "d"}]},
        {"agents": [{"model": "w"}], "stairs": {"wait": 2}},
    )
    changed = with_answer_form(early, SCHEMA)
    assert [layer.enough for layer in changed.layers] == [None] * 3
    assert not any(layer.begins_early for layer in changed.layers)


@pytest.mark.parametrize(
    ("layers", "said"),
    [
        ([["a", "b"], {"task": "vote"}], "ends with the task vote"),
        ([["a", "b"], {"agents": [{"model": "j"}], "task": "rank"}], "ends with the task rank"),
        ([["a", "b"], {"agents": [{"model": "w"}], "window": {}}], "piece by piece"),
    ],
)
def test_a_recipe_in_which_no_agent_writes_the_answer_is_refused(layers: list[Any], said: str) -> None:
    with pytest.raises(UsageError, match=said):
        with_answer_form(recipe(*layers), SCHEMA)


def test_it_can_be_undone_with_its_repair() -> None:
    plain = recipe(["a"], [{"model": "w", "system": "Be kind.", "extra": {"seed": 7}}])
    told = with_answer_form(plain, SCHEMA)
    for changed in (told, with_repair(told, "no JSON")):
        undone = without_answer_form(changed)
        assert len(undone.layers) == 2
        (writer,) = undone.lineup[1]
        assert (writer.system, writer.extra) == ("Be kind.", {"seed": 7})
    assert without_answer_form(plain) is plain


@pytest.mark.parametrize(
    ("changes", "fits"),
    [
        ({}, True),
        ({"required": []}, False),
        ({"additionalProperties": True}, False),
        ({"properties": {"name": {"type": "object"}}}, False),
        ({"properties": {"name": {"type": "array", "items": SCHEMA}}}, True),
        ({"properties": {"name": {"anyOf": [{"type": "object"}, {"type": "null"}]}}}, False),
        ({"allOf": []}, False),
        ({"type": "array"}, False),
        ({"$defs": {"x": {"type": ["object", "null"]}}}, False),
    ],
)
def test_strict_mode_is_asked_for_only_where_the_schema_fits_it(changes: Any, fits: bool) -> None:
    assert fits_strict_mode({**SCHEMA, **changes}) is fits


def test_only_the_format_that_is_told_in_words_too_is_optional() -> None:
    writer = with_answer_form(recipe(["w"]), SCHEMA).lineup[0][0]
    assert is_optional_format("response_format", wish(writer))
    assert not is_optional_format("response_format", {"type": "json_object"})
    assert not is_optional_format("format", wish(writer))


# The repair


class Repairing:
    """Runs a recipe whose answer is wanted to be `{}`, and takes down what is asked and told."""

    def __init__(self, *layers: Any, max_cost: float | None = None, **scripts: Any) -> None:
        limits = {} if max_cost is None else {"max_cost": max_cost}
        self.recipe = recipe(*layers, **limits)
        self.models = FakeModels(**scripts)
        self.events: list[Event] = []
        self.asked_about: list[str] = []

    async def amend(self, changed: Recipe, answer: str) -> Recipe | None:
        self.asked_about.append(answer)
        return None if answer == "{}" else with_repair(changed, f"{answer!r} is not JSON, {{references}}")

    async def __call__(self) -> Outcome:
        def priced(_: Agent) -> ModelFacts:
            return ModelFacts("x", prompt_price=0.0, completion_price=1.0)

        context = RunContext(facts=priced, amend=self.amend)
        return await run(self.recipe, ASK, self.models, self.events.append, context=context)


async def test_an_answer_that_fits_is_not_asked_for_again() -> None:
    running = Repairing(["a", "b"], ["w"], w=[["{}"]])
    outcome = await running()
    assert (outcome.answer, len(outcome.replies)) == ("{}", 3)
    assert running.asked_about == ["{}"]
    assert not any(isinstance(event, RunChanged) for event in running.events)


async def test_one_that_does_not_is_written_again_once_by_the_same_agent() -> None:
    running = Repairing(["a", "b"], ["w"], w=[["first"], ["second"]])
    outcome = await running()
    assert (outcome.status, outcome.answer) == ("done", "second")
    assert running.asked_about == ["first"], "whether the second one fits is for others to say"
    assert outcome.replies[CallId(3, 1)].agent == "w"
    assert outcome.cost == pytest.approx(4 * 0.001)
    (changed,) = (event for event in running.events if isinstance(event, RunChanged))
    assert len(changed.recipe.layers) == 3
    said = running.models.asked["w"][1][-1]["content"]
    assert said.startswith("Which bird?\n\n")
    assert "'first' is not JSON, …" in said
    assert 'kind="your own answer">\nfirst\n' in said
    assert "a says" not in said


async def test_a_cut_or_failed_answer_is_not_repaired() -> None:
    running = Repairing(["a"], ["w"], w=[["half", ModelError("server", "broken")]])
    assert (await running()).status == "partial"
    assert running.asked_about == []


async def test_a_repair_that_may_not_be_paid_leaves_the_answer_as_it_is() -> None:
    agents = [{"model": "w", "max_tokens": 100}]
    running = Repairing(agents, max_cost=100.0, w=[["first"]])
    outcome = await running()
    assert len(running.models.asked["w"]) == 1
    assert (outcome.status, outcome.answer) == ("stopped", "first")
    assert outcome.error is not None
    assert outcome.error.kind == "max_cost"


async def test_a_repair_that_fails_ends_the_run_with_the_reason() -> None:
    running = Repairing(["w"], w=[["first"], [ModelError("auth", "no key")]])
    outcome = await running()
    assert outcome.status == "failed"
    assert outcome.replies[CallId(1, 1)].text == "first"
    assert outcome.error is not None
    assert outcome.error.message == "no key"
