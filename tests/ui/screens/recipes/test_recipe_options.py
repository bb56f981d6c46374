"""What a layer's form offers, what it makes of what was typed, and what it says is wrong."""

from __future__ import annotations

import tomllib
from typing import Any, get_args

import pytest
import tomli_w
from hypothesis import given as hypothesis_given
from hypothesis import settings
from hypothesis import strategies as st

from moa_tui.engine.layer import Layer, Limits, Stairs, Start, Task, Window
from moa_tui.engine.recipe import Recipe
from moa_tui.recipes import files
from moa_tui.ui.screens.recipes.option_sets import LayerOptions, LimitOptions, OptionSet, implied_task
from moa_tui.ui.screens.recipes.recipe_draft import Place, RecipeDraft
from moa_tui.ui.screens.recipes.recipe_options import LAYER, LIMITS, TASKS, allowed_words, in_short
from tests.helpers import recipe

BUILT_IN = sorted(files.available(files.BUILT_IN))
READING = {"placement", "prompt", "shuffle", "anonymous", "split", "dropout", "window.size", "early_stop"}


def of(given: Recipe, number: int) -> LayerOptions:
    """The options of layer `number`, counting from 1."""
    return LayerOptions(RecipeDraft(given), number - 1)


def layers(*tables: Any) -> Recipe:
    """Layers of so many agents, or of a table with so many `agents`."""
    given = [{"agents": each} if isinstance(each, int) else each for each in tables]
    return recipe(*({**each, "agents": ["demo/terse"] * each["agents"]} for each in given))


def offered(options: OptionSet, **typed: str) -> set[str]:
    return options.shown(given(options, **typed))


def given(options: OptionSet, **typed: str) -> dict[str, str]:
    """What the form holds once `typed` is; `window_size` stands for `window.size`."""
    return {**options.texts, **{key.replace("window_", "window."): text for key, text in typed.items()}}


def problems(options: OptionSet, **typed: str) -> dict[str, str]:
    return dict(options.check(given(options, **typed)).problems)


def test_every_option_of_the_models_has_its_line() -> None:
    for table, model in ((LAYER, Layer), (LIMITS, Limits)):
        keys = [option.key for option in table]
        assert len(set(keys)) == len(keys)
        assert {key.partition(".")[0] for key in keys} == set(model.model_fields) - {"agents"}
        assert all(option.help for option in table)
    assert {option.key for option in LAYER if "." in option.key} == {
        *(f"window.{key}" for key in Window.model_fields),
        *(f"stairs.{key}" for key in Stairs.model_fields),
        *(f"start.{key.rstrip('_')}" for key in Start.model_fields),
    }


def test_a_line_of_help_is_one_line_at_60_columns() -> None:
    assert all(len(words) <= 52 for words in (*TASKS.values(), *(one.help for one in (*LAYER, *LIMITS))))


def test_choices_are_the_models_own() -> None:
    assert allowed_words(Layer, "task") == get_args(Task)
    assert allowed_words(Layer, "placement") == ("system", "user")
    assert allowed_words(Layer, "split") == ("no", "yes")
    assert (
        allowed_words(Layer, "reads")
        == allowed_words(Layer, "quorum")
        == allowed_words(Layer, "prompt")
        == ()
    )
    assert set(TASKS) <= set(get_args(Task))


@pytest.mark.parametrize("name", BUILT_IN)
def test_every_layer_of_a_built_in_recipe_comes_out_of_its_form_as_it_went_in(name: str) -> None:
    whole = files.load(name, files.BUILT_IN)
    draft = RecipeDraft(whole)
    for index, layer in enumerate(draft.layers):
        options = LayerOptions(draft, index)
        verdict = options.check(options.texts)
        assert verdict.problems == {}
        assert verdict.table == layer.settings
        assert {key for key, text in options.texts.items() if text} <= options.shown(options.texts)
        layer.settings = dict(verdict.table)
    draft.limits = dict(LimitOptions(draft.limits).check(LimitOptions(draft.limits).texts).table)
    assert not draft.is_changed
    assert draft.check() == (whole, [])


@pytest.mark.parametrize(
    ("key", "text", "value"),
    [
        ("task", "rank", "rank"),
        ("reads", "all", "all"),
        ("reads", "1", (1,)),
        ("reads", "[1, 2]", (1, 2)),
        ("quorum", "2", 2),
        ("use_partial", "yes", True),
        ("placement", "system", "system"),
        ("prompt", "Judge:\n\n{references}\n", "Judge:\n\n{references}\n"),
        ("shuffle", "yes", True),
        ("anonymous", "no", False),
        ("split", "yes", True),
        ("dropout", "0.25", 0.25),
        ("dropout", "0.12345678901", 0.12345678901),
        ("top_k", " 2 ", 2),
        ("drop_outliers", "yes", True),
        ("early_stop", "0.9", 0.9),
        ("enough", "1", 1.0),
        ("confident", "0.8", 0.8),
    ],
)
def test_what_is_typed_is_all_that_the_file_says_and_is_shown_again(key: str, text: str, value: Any) -> None:
    draft = RecipeDraft(layers(3, 1, 3, 1))
    if key == "task":
        draft.layers[2].agents = draft.layers[2].agents[:1]
    options = LayerOptions(draft, 2)
    assert key in options.shown(options.texts)
    verdict = options.check({**options.texts, key: text})
    assert verdict.problems == {}
    assert verdict.table == {key: value}
    draft.layers[2].settings = dict(verdict.table)
    result, wrong = draft.check()
    assert wrong == []
    assert result is not None
    written = tomllib.loads(tomli_w.dumps(result.model_dump(exclude_defaults=True, exclude_none=True)))
    assert set(written["layers"][2]) == {"agents", key}
    again = of(Recipe.model_validate(written), 3)
    assert again.check(again.texts).table == {key: value}
    assert again.check({**again.texts, key: ""}).table == {}, "emptied, it is the default again"


def test_a_window_is_a_table_and_is_gone_with_its_size() -> None:
    options = of(layers(3, 1), 2)
    assert "window.repeat" not in offered(options)
    assert "window.repeat" in offered(options, window_size="5")
    assert options.check(given(options, window_size="5")).table == {"window": {"size": 5}}
    whole = files.load("self-moa-seq", files.BUILT_IN)
    options = of(whole, 2)
    assert options.texts["window.size"] == "6", "a table is there even where it says nothing but defaults"
    assert options.check(given(options, window_size="")).table == {}


def test_a_first_layer_offers_nothing_of_reading_and_no_other_task() -> None:
    shown = offered(of(layers(3, 1), 1))
    assert shown == {"top_k", "drop_outliers", "enough", "confident", "quorum", "use_partial"}


def test_a_last_layer_offers_nothing_of_passing_on() -> None:
    options = of(layers(3, 1), 2)
    assert offered(options) >= READING - {"split", "early_stop"} | {"task", "reads"}
    assert not offered(options) & {
        *("top_k", "drop_outliers", "enough", "confident", "early_stop", "quorum", "split"),
    }
    assert set(options.allowed_words(LAYER[0])) == {"answer", "synthesize", "revise", "rank", "vote"}


def test_what_is_for_many_or_for_one_is_offered_to_them() -> None:
    many, one = offered(of(layers(3, 3, 1), 2)), offered(of(layers(3, 1, 1), 2))
    assert {"split", "drop_outliers", "enough", "quorum"} <= many
    assert not {"split", "drop_outliers", "enough", "quorum"} & one
    assert "window.size" in one
    assert "window.size" not in many
    assert "drop_outliers" not in offered(of(layers(3, 2, 1), 2)), "there is no majority among two"


def test_the_options_follow_the_task_even_before_the_agents_fit_it() -> None:
    options = of(layers(3, 3, {"agents": 1, "reads": "all"}), 2)
    assert "top_k" in offered(options, task="rank")
    assert "shuffle" not in offered(options, task="rank"), "a ranker reads in an order of its own anyway"
    assert not {"top_k", "enough", "window.size"} & offered(options, task="judge")
    last = of(layers(3, 1), 2)
    assert offered(last, task="vote") == {"task", "reads"}, "a vote asks nobody"
    middle = of(layers(3, 3, 1), 2)
    assert not offered(middle, task="answer", reads="none") & READING, "it reads nothing"
    assert "judge" in middle.allowed_words(LAYER[0]), "another layer may be changed to go with it"
    assert "vote" not in middle.allowed_words(LAYER[0])


def test_seconds_of_grace_are_for_a_quorum() -> None:
    options = of(layers(3, 1), 1)
    assert "grace_seconds" not in offered(options)
    assert "grace_seconds" in offered(options, quorum="2")


def test_what_is_set_stays_in_sight_when_its_meaning_is_gone() -> None:
    options = of(layers(3, {"agents": 1, "task": "rank", "top_k": 2}, {"agents": 1, "reads": "all"}), 2)
    assert "top_k" in offered(options, task="judge")
    assert problems(options, task="judge") == {
        "top_k": "layer 2: top_k is for answers, and its task is judge"
    }


@pytest.mark.parametrize(
    ("typed", "key", "words"),
    [
        ({"top_k": "7"}, "top_k", "top_k 7 is more than its 3 agents"),
        ({"top_k": "many"}, "top_k", "Input should be a valid integer"),
        ({"dropout": "1"}, "dropout", "Input should be less than 1"),
        ({"quorum": "4"}, "quorum", "quorum 4 is more than its 3 agents"),
        ({"enough": "-1"}, "enough", "Input should be greater than 0"),
        ({"reads": "3"}, "reads", "layer 2 cannot read layer 3"),
        ({"reads": "[/] them"}, "reads", "Input should be 'previous' or 'all'"),
        ({"reads": "9" * 5000}, "reads", "Input should be 'previous' or 'all'"),
        ({"reads": "none"}, "reads", "synthesize needs something to read"),
        ({"window_size": "2"}, "window.size", "repeat 3 leaves no room"),
        ({"window_size": "x"}, "window.size", "Input should be a valid integer"),
        ({"window_size": "6", "window_repeat": "2"}, "window.size", "window is for one agent"),
        ({"task": "answer"}, "task", "would ignore the answers before it"),
    ],
)
def test_the_models_own_words_stand_at_what_they_are_about(
    typed: dict[str, str], key: str, words: str
) -> None:
    options = of(layers(3, 3, 1), 2)
    found = problems(options, **typed)
    assert list(found) == [key]
    assert words in found[key]
    assert not options.check(given(options, **typed)).wants_other_agents


def test_a_reader_of_judgements_alone_is_told_to_read_more() -> None:
    whole = layers(3, {"agents": 1, "task": "judge"}, {"agents": 1, "reads": "all"})
    options = of(whole, 3)
    assert 'set reads, such as "all"' in problems(options, reads="")["reads"]


def test_trouble_in_another_layer_does_not_hide_what_is_wrong_here() -> None:
    draft = RecipeDraft(layers(3, 3, 1))
    draft.layers[0].agents[0].texts["temperature"] = "hot"
    draft.layers[0].settings = {"top_k": 9}
    draft.layers[2].agents.clear()
    options = LayerOptions(draft, 1)
    assert problems(options) == {}
    assert "top_k 7 is more" in problems(options, top_k="7")["top_k"]


@pytest.mark.parametrize(
    ("tables", "number", "task", "advice"),
    [
        ((3, 3, {"agents": 1, "reads": "all"}), 2, "judge", "remove 2 of its 3 agents"),
        ((3, 2, {"agents": 1, "reads": "all"}), 2, "checklist", "remove 1 of its 2 agents"),
        ((3, 2, 1), 2, "moderate", "remove 1 of its 2 agents"),
        ((3, 1), 2, "vote", "remove its agent"),
        ((3, {"agents": 0, "task": "vote"}), 2, "rank", "has no agents: add one or remove it"),
    ],
)
def test_a_task_that_the_agents_do_not_fit_is_kept_and_says_what_to_do(
    tables: tuple[Any, ...], number: int, task: str, advice: str
) -> None:
    draft = RecipeDraft(layers(*tables))
    options = LayerOptions(draft, number - 1)
    verdict = options.check(given(options, task=task))
    assert advice in verdict.problems["task"]
    assert verdict.wants_other_agents
    draft.layers[number - 1].settings = dict(verdict.table)
    (problem,) = draft.check()[1]
    assert problem.place == Place(number - 1)
    assert advice in f"{problem.text}; {draft.remedy(problem)}"


def test_a_last_layer_of_two_says_which_to_remove_and_a_lone_outlier_whom_to_add() -> None:
    draft = RecipeDraft(layers(3, 1))
    draft.layers[1].agents.append(draft.layers[1].agents[0].copy())
    (problem,) = draft.check()[1]
    assert draft.remedy(problem) == "remove 1 of its 2 agents"
    draft = RecipeDraft(layers({"agents": 3, "drop_outliers": True}, 1))
    draft.layers[0].agents.pop()
    (problem,) = draft.check()[1]
    assert draft.remedy(problem) == "add 1 agent"


def test_what_to_do_here_is_said_even_if_a_later_layer_is_wrong_too() -> None:
    draft = RecipeDraft(layers(3, 2, 1))
    draft.layers[1].settings = {"task": "judge"}
    draft.layers[2].settings = {"top_k": 1}
    (problem,) = draft.check()[1]
    assert draft.remedy(problem) == "remove 1 of its 2 agents"
    draft.layers[1].agents.pop()
    (problem,) = draft.check()[1]
    assert problem.text.startswith("layer 3 reads no answer")
    assert draft.remedy(problem) == ""


TYPED = {
    **{
        option.key: allowed_words(Layer, option.key) or ("1", "0.5", "2", "6", "all", "none", "[/]")
        for option in LAYER
    },
    "reads": ("all", "none", "1", "1 2", "9", "them"),
}


@settings(max_examples=60, deadline=None)
@hypothesis_given(
    st.sampled_from(["cascade", "debate", "fusion", "robust", "self-moa-seq", "sparse", "tree", "vote"]),
    st.integers(0, 9),
    st.lists(st.tuples(st.sampled_from(["remove", "up", "down", "add"]), st.integers(0, 30)), max_size=2),
    st.lists(st.sampled_from([(key, text) for key in TYPED for text in TYPED[key]]), max_size=3),
)
def test_what_a_form_takes_is_right_in_its_layer_wherever_that_stands(
    name: str, index: int, moves: list[tuple[str, int]], typed: list[tuple[str, str]]
) -> None:
    draft = RecipeDraft(files.load(name, files.BUILT_IN))
    for move, at in moves:
        place = draft.places()[at % len(draft.places())]
        match move:
            case "remove":
                draft.remove(place)
            case "add":
                draft.add_layer(place)
            case _:
                draft.move(place, 1 if move == "down" else -1)
    index %= len(draft.layers)
    before = {problem.text for problem in draft.check()[1]}
    options = LayerOptions(draft, index)
    texts = {**options.texts, **dict(typed)}
    if texts["task"] not in options.allowed_words(LAYER[0]):
        texts["task"] = ""
    assert options.shown(texts)
    verdict = options.check(texts)
    assert verdict.problems.keys() <= texts.keys()
    if not verdict.problems:
        draft.layers[index].settings = dict(verdict.table)
        after = draft.check()[1]
        assert not [
            problem.text for problem in after if problem.place == Place(index) and problem.text not in before
        ]


def test_what_waits_for_another_place_is_kept() -> None:
    draft = RecipeDraft(layers(2, {"agents": 2, "placement": "system", "quorum": 1}, 1))
    draft.move(Place(1), -1)
    options = LayerOptions(draft, 0)
    assert options.texts["placement"] == ""
    assert options.check(given(options, top_k="1")).table == {"placement": "system", "quorum": 1, "top_k": 1}


def test_what_no_line_shows_is_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    fewer = tuple(option for option in LAYER if option.key != "enough")
    monkeypatch.setattr("moa_tui.ui.screens.recipes.option_sets.LAYER", fewer)
    options = of(layers({"agents": 3, "enough": 0.5}, 1), 1)
    assert options.check(given(options, top_k="2")).table == {"enough": 0.5, "top_k": 2}


def test_limits_are_read_and_written() -> None:
    options = LimitOptions({"max_cost": 0.5, "retries": 0})
    assert (options.texts["max_cost"], options.texts["retries"]) == ("0.5", "0")
    assert options.texts["one_model_at_a_time"] == ""
    verdict = options.check(given(options, one_model_at_a_time="yes", max_cost="", idle_seconds="60"))
    assert verdict.table == {"retries": 0, "one_model_at_a_time": True}
    assert problems(options, retries="11") == {"retries": "Input should be less than or equal to 10"}


def test_a_layer_is_said_in_a_few_words() -> None:
    layer = Layer.model_validate(
        {"top_k": 3, "split": True, "dropout": 0.3, "reads": [1, 2], "window": {}, "grace_seconds": 9}
    )
    assert in_short(layer) == ["reads 1 2", "top 3", "grace 9 s", "own shares", "less 30%", "window 6"]
    assert in_short(Layer()) == []
    assert (implied_task(0), implied_task(3)) == ("answer", "synthesize")


def test_stairs_and_start_are_edited_as_tables_and_only_where_the_model_takes_them() -> None:
    options = of(layers(4, 1), 2)
    early = {"stairs.chunk", "start.with"}
    assert early <= offered(options)
    assert not {"stairs.wait", "start.restart_below"} & offered(options), "nothing begins early yet"
    assert not early & offered(of(layers(4, 1), 1)), "a first layer reads nothing"
    texts = {**options.texts, "stairs.chunk": "64", "stairs.wait": "3"}
    assert "stairs.wait" in options.shown(texts)
    verdict = options.check(texts)
    assert (dict(verdict.table), verdict.problems) == ({"stairs": {"chunk": 64, "wait": 3}}, {})
    texts = {**options.texts, "start.with": "2", "start.restart_below": "0.3"}
    assert dict(options.check(texts).table) == {"start": {"with": 2, "restart_below": 0.3}}
    both = options.check({**options.texts, "stairs.chunk": "64", "start.with": "2"})
    assert any("one of them" in problem for problem in both.problems.values())
    few = options.check({**options.texts, "stairs.chunk": "64", "stairs.wait": "9"})
    assert any("more than the 4 agents" in problem for problem in few.problems.values())


def test_stairs_and_start_of_a_recipe_stand_in_its_form_even_at_their_defaults() -> None:
    for table, texts, words in (
        ({"stairs": {}}, {"stairs.chunk": "128", "stairs.wait": ""}, "stairs 128"),
        ({"start": {"with": 2}}, {"start.with": "2", "start.restart_below": ""}, "starts with 2"),
    ):
        this = layers(4, {"agents": 1, **table})
        options = of(this, 2)
        assert {key: options.texts[key] for key in texts} == texts
        again = Layer.model_validate({**options.check(options.texts).table})
        assert (again.stairs, again.start) == (this.layers[1].stairs, this.layers[1].start)
        assert words in in_short(this.layers[1])
