"""Editing a layer's options and a run's limits in their dialogs, by keyboard alone."""

from __future__ import annotations

import tomllib
from typing import TYPE_CHECKING

import pytest
from textual.widgets import Static, TextArea

from moa_tui.recipes import files
from moa_tui.ui import themes
from moa_tui.ui.screens.help_screen import keys_in_force
from moa_tui.ui.screens.recipes.options_form import OptionField, OptionsForm
from moa_tui.ui.screens.recipes.recipe_dialogs import DropScreen
from moa_tui.ui.screens.recipes.recipe_draft import Place
from moa_tui.ui.widgets.choice_line import ChoiceLine
from moa_tui.ui.widgets.key_bar import KeyBar
from tests.helpers import recipe, wait_until
from tests.ui.given import key
from tests.ui.screens.recipes.editing import Host, catalog_in, opened, used

if TYPE_CHECKING:
    from pathlib import Path

    from textual.pilot import Pilot

    from moa_tui.recipes.catalog import RecipeCatalog

THREE = recipe(["demo/terse", "demo/coder", "demo/sceptic"], ["demo/terse"], ["demo/terse"])


@pytest.fixture
def catalog(tmp_path: Path) -> RecipeCatalog:
    return catalog_in(tmp_path)


async def form(app: Host, pilot: Pilot[None], layer: int) -> OptionsForm:
    """Open the options of a layer, counting from 1."""
    app.editor._open(Place(layer - 1))
    app.editor._show_rows()
    await pilot.press("o")
    return await shown(app, pilot)


async def shown(app: Host, pilot: Pilot[None]) -> OptionsForm:
    await wait_until(lambda: isinstance(app.screen, OptionsForm) and app.screen.focused)
    await pilot.pause()
    assert isinstance(app.screen, OptionsForm)
    return app.screen


def fields(screen: OptionsForm) -> dict[str, OptionField]:
    """The options on screen, by key."""
    return {field.option.key: field for field in screen.query(OptionField) if field.display}


def problem(field: OptionField) -> str:
    words = field.query_one(".problem", Static)
    return str(words.content) if words.display else ""


async def go_to(pilot: Pilot[None], screen: OptionsForm, key: str) -> OptionField:
    """Move down until the option has the focus."""
    field = fields(screen)[key]
    for _ in fields(screen):
        if field.has_focus_within:
            return field
        await pilot.press("down")
    raise AssertionError(f"{key} cannot be reached")


async def choose(pilot: Pilot[None], screen: OptionsForm, key: str, value: str) -> None:
    line = (await go_to(pilot, screen, key)).query_one(ChoiceLine)
    for _ in range(12):
        if line.value == value:
            break
        await pilot.press("right")
    assert line.value == value
    await pilot.pause()


@pytest.mark.parametrize("name", sorted(files.available(files.BUILT_IN)))
async def test_a_built_in_recipe_is_the_same_after_all_its_forms_were_opened_and_saved(
    catalog: RecipeCatalog, name: str
) -> None:
    given = files.load(name, files.BUILT_IN)
    app = Host(catalog, given)
    async with app.run_test(size=(80, 24)) as pilot:
        await opened(app, pilot)
        for number in range(1, len(given.layers) + 1):
            screen = await form(app, pilot, number)
            assert all(not problem(field) for field in fields(screen).values())
            await pilot.press("ctrl+s")
            await wait_until(lambda: app.screen is app.editor)
        await pilot.press("r")
        await shown(app, pilot)
        await pilot.press("ctrl+s")
        await wait_until(lambda: app.screen is app.editor)
        assert app.words("#title") == f"Recipe {name}"
        assert app.editor._draft.check() == (given, [])
        await pilot.press("ctrl+s", "enter")
        await wait_until(lambda: catalog.has_own(f"{name}-copy"))
    assert catalog.load(f"{name}-copy") == given.model_copy(update={"name": f"{name}-copy"})


async def test_a_task_and_an_option_are_in_the_row_and_nothing_else_in_the_file(
    catalog: RecipeCatalog,
) -> None:
    app = Host(catalog, THREE)
    async with app.run_test(size=(80, 24)) as pilot:
        await opened(app, pilot)
        screen = await form(app, pilot, 2)
        await choose(pilot, screen, "task", "rank")
        await go_to(pilot, screen, "top_k")
        await pilot.press("2", "enter")
        await wait_until(lambda: app.screen is app.editor)
        assert app.rows[4] == "L2 rank · top 2"
        assert app.words("#layer-words").splitlines()[:5] == [
            "Layer 2: rank, 1 agent",
            "Puts the answers in order, the best first",
            "Reads L1: 3 references",
            "",
            "top k: 2",
        ]
        await wait_until(lambda: app.words("#status").startswith("✓ valid"))
        await pilot.press("ctrl+s", "enter")
        await wait_until(lambda: catalog.has_own("test-copy"))
    written = tomllib.loads(catalog.text("test-copy"))
    assert written["layers"][1] == {"agents": ["demo/terse"], "task": "rank", "top_k": 2}
    assert all(set(layer) == {"agents"} for layer in (written["layers"][0], written["layers"][2]))


@key("options.close")
async def test_enter_on_a_layer_opens_its_form_and_escape_leaves_it_as_it_was(catalog: RecipeCatalog) -> None:
    app = Host(catalog, THREE)
    async with app.run_test(size=(80, 24)) as pilot:
        await opened(app, pilot)
        await pilot.press("up", "enter")
        screen = await shown(app, pilot)
        assert "task" not in fields(screen), "a first layer has one task to choose from"
        await pilot.press("escape")
        await wait_until(lambda: app.screen is app.editor)
        assert app.words("#title") == "Recipe test"


async def test_a_wrong_value_stays_and_is_told_at_its_field_until_it_is_mended(
    catalog: RecipeCatalog,
) -> None:
    app = Host(catalog, THREE)
    async with app.run_test(size=(80, 24)) as pilot:
        await opened(app, pilot)
        screen = await form(app, pilot, 1)
        field = await go_to(pilot, screen, "top_k")
        await pilot.press("7")
        await wait_until(lambda: "top_k 7 is more than its 3 agents" in problem(field))
        assert str(field.query_one("Label", Static).content).startswith("✗"), "it is told without colour"
        await go_to(pilot, screen, "quorum")
        await pilot.press("enter")
        await wait_until(lambda: field.has_focus_within)
        assert app.screen is screen, "what is wrong is not saved"
        assert field.text == "7"
        await pilot.press("escape")
        await wait_until(lambda: isinstance(app.screen, DropScreen))
        await pilot.press("escape")
        await wait_until(lambda: app.screen is screen)
        assert field.text == "7"
        await pilot.press("backspace", "2")
        await wait_until(lambda: not problem(field))
        await pilot.press("enter")
        await wait_until(lambda: app.screen is app.editor)
        assert app.rows[0] == "L1 answer · top 2"


async def test_changes_are_dropped_when_that_is_asked_for(catalog: RecipeCatalog) -> None:
    app = Host(catalog, THREE)
    async with app.run_test(size=(80, 24)) as pilot:
        await opened(app, pilot)
        await form(app, pilot, 1)
        await pilot.press("1", "escape")
        await wait_until(lambda: isinstance(app.screen, DropScreen))
        await pilot.press("d")
        await wait_until(lambda: app.screen is app.editor)
        assert app.words("#title") == "Recipe test"


async def test_a_judge_among_three_is_told_whom_to_remove_and_is_right_when_they_are_gone(
    catalog: RecipeCatalog,
) -> None:
    given = recipe(["demo/terse"], ["demo/terse", "demo/coder"], {"agents": ["demo/terse"], "reads": "all"})
    app = Host(catalog, given)
    async with app.run_test(size=(80, 24)) as pilot:
        await opened(app, pilot)
        screen = await form(app, pilot, 2)
        await choose(pilot, screen, "task", "judge")
        assert "remove 1 of its 2 agents" in problem(fields(screen)["task"])
        await pilot.press("ctrl+s")
        await wait_until(lambda: app.screen is app.editor)
        assert app.rows[2] == "✗ L2 judge"
        assert "is for one agent, and it has 2; remove 1 of its 2 agents" in app.words("#status")
        await pilot.press("down", "d")
        await wait_until(lambda: app.words("#status").startswith("✓ valid"))
        assert (await used(app, pilot)).task(2) == "judge"


@key("choice.next")
async def test_a_vote_is_made_of_a_new_layer_by_removing_its_agent(catalog: RecipeCatalog) -> None:
    app = Host(catalog, recipe(["demo/terse", "demo/coder"], ["demo/terse"]))
    async with app.run_test(size=(60, 20)) as pilot:
        await opened(app, pilot)
        screen = await form(app, pilot, 2)
        await choose(pilot, screen, "task", "vote")
        assert set(fields(screen)) == {"task", "reads"}
        await pilot.press("enter")
        await wait_until(lambda: "a vote asks nobody" in app.words("#status"))
        assert "remove its agent" in app.words("#status")
        await pilot.press("down", "d")
        await wait_until(lambda: app.words("#status").startswith("✓ valid"))
        assert app.rows[-1] == "L2 vote · final"


async def test_options_come_and_go_with_what_they_go_with(catalog: RecipeCatalog) -> None:
    app = Host(catalog, THREE)
    async with app.run_test(size=(80, 24)) as pilot:
        await opened(app, pilot)
        screen = await form(app, pilot, 1)
        assert "grace_seconds" not in fields(screen)
        await go_to(pilot, screen, "quorum")
        await pilot.press("2")
        await wait_until(lambda: "grace_seconds" in fields(screen))
        await pilot.press("backspace")
        await wait_until(lambda: "grace_seconds" not in fields(screen))


async def test_a_prompt_of_several_lines_is_written_and_one_with_odd_line_ends_is_left(
    catalog: RecipeCatalog,
) -> None:
    given = recipe(["a"], {"agents": ["a"], "prompt": "one\u2028two\r\nthree\n"}, ["a"])
    app = Host(catalog, given)
    async with app.run_test(size=(80, 24)) as pilot:
        await opened(app, pilot)
        await form(app, pilot, 2)
        await pilot.press("escape")
        await wait_until(lambda: app.screen is app.editor)
        screen = await form(app, pilot, 3)
        field = fields(screen)["prompt"]
        field.query_one(TextArea).focus()
        await pilot.press("[", "/", "]", "enter", "b")
        await pilot.press("ctrl+s")
        await wait_until(lambda: app.screen is app.editor)
        result = await used(app, pilot)
    assert result.layers[1].prompt == given.layers[1].prompt
    assert result.layers[2].prompt == "[/]\nb"


@key("editor.limits", "options.next", "options.previous", "options.save")
async def test_limits_are_set_for_the_whole_run(catalog: RecipeCatalog) -> None:
    app = Host(catalog, THREE)
    async with app.run_test(size=(80, 24)) as pilot:
        await opened(app, pilot)
        await pilot.press("r")
        screen = await shown(app, pilot)
        await go_to(pilot, screen, "max_cost")
        await pilot.press("down", "up", *"0.25")
        await choose(pilot, screen, "one_model_at_a_time", "yes")
        await pilot.press("enter")
        await wait_until(lambda: app.screen is app.editor)
        assert app.words("#title") == "Recipe test, changed"
        limits = (await used(app, pilot)).limits
    assert (limits.max_cost, limits.one_model_at_a_time) == (0.25, True)
    assert limits.model_copy(update={"max_cost": None, "one_model_at_a_time": False}) == THREE.limits


@key("choice.before", "editor.options")
async def test_a_choice_goes_round_both_ways_and_to_a_letter(catalog: RecipeCatalog) -> None:
    app = Host(catalog, THREE)
    async with app.run_test(size=(80, 24)) as pilot:
        await opened(app, pilot)
        screen = await form(app, pilot, 2)
        line = fields(screen)["task"].query_one(ChoiceLine)
        await pilot.press("r", "r")
        assert line.value == "rank"
        await pilot.press("left")
        assert line.value == "checklist"
        await pilot.press("a", "left")
        assert line.value == "moderate"
        await pilot.click(line)
        assert line.value == "answer"
        await pilot.press("s")
        assert screen.texts["task"] == "", "the default is written nowhere"


async def test_the_keys_are_named_with_their_ids(catalog: RecipeCatalog) -> None:
    app = Host(catalog, THREE)
    async with app.run_test(size=(80, 24)) as pilot:
        await opened(app, pilot)
        listed = " ".join(does for _, rows in keys_in_force(app.screen) for _, does in rows)
        assert "(editor.options)" in listed
        assert "(editor.limits)" in listed
        screen = await form(app, pilot, 2)
        sections = keys_in_force(screen)
        listed = " ".join(does for _, rows in sections for _, does in rows)
        for name in ("options.save", "options.close", "options.next", "options.previous", "choice.next"):
            assert f"({name})" in listed
        save = [keys for _, rows in sections for keys, does in rows if "(options.save)" in does]
        assert save == ["^s, ⏎"]
        await go_to(pilot, screen, "reads")
        assert "Next option" in str(screen.query_one(KeyBar).content)
        assert not any("Scroll" in does for _, rows in keys_in_force(screen) for _, does in rows)


@pytest.mark.parametrize("theme", ["moa-light", "terminal"])
@pytest.mark.parametrize("size", [(60, 20), (80, 24), (120, 40)])
async def test_every_field_can_be_reached_and_read(
    catalog: RecipeCatalog, size: tuple[int, int], theme: str
) -> None:
    app = Host(catalog, files.load("sparse", files.BUILT_IN))
    app.register_theme(themes.load(themes.shipped_dir())[0][theme])
    app.theme = theme
    async with app.run_test(size=size) as pilot:
        await opened(app, pilot)
        screen = await form(app, pilot, 3)
        inside = screen.query_one("#fields").region
        bar = screen.query_one(KeyBar)
        assert bar.region.height >= 1
        assert screen.region.contains_region(bar.region)
        assert all(word in str(bar.content) for word in ("Save", "Back"))
        seen = []
        for key in fields(screen):
            field = await go_to(pilot, screen, key)
            await wait_until(lambda field=field: inside.contains_region(field.region))
            seen.append(key)
        assert len(seen) > 12
