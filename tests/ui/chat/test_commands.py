"""Every slash command does what its line of help says, and says what is wrong where it cannot."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest

from moa_tui.chat.prompt_text import PromptText
from moa_tui.engine.values import CallId, Finish, Usage
from moa_tui.errors import ModelError, UsageError
from moa_tui.recipes.models import ModelChoice
from moa_tui.settings import paths
from moa_tui.settings.config import Settings
from moa_tui.ui.chat.changing import call_named
from moa_tui.ui.chat.commands import COMMANDS, parse
from moa_tui.ui.run.run_view import RunView
from moa_tui.ui.screens.help_screen import HelpScreen
from moa_tui.ui.screens.recipes.model_screen import ModelScreen
from moa_tui.ui.screens.recipes.recipe_screen import RecipeScreen
from moa_tui.ui.screens.theme_screen import ThemeScreen
from tests.helpers import wait_until
from tests.ui.chat_app import ALONE, DUO, TRIO, chat_app
from tests.ui.given import command

if TYPE_CHECKING:
    from tests.ui.chat_app import Bench

STAY = Settings(keep_panes_open=True)


async def refused(bench: Bench, text: str, *why: str) -> None:
    """Give a command that cannot be done: it is told, nothing is asked, and its text is not lost."""
    asked = sum(map(len, bench.models.asked.values()))
    told = len(bench.app.notices)
    await bench.submit(text)
    await wait_until(lambda: len(bench.app.notices) > told)
    notice = bench.app.notices[-1]
    assert notice.severity == "error"
    for words in why:
        assert words in notice.message
    assert sum(map(len, bench.models.asked.values())) == asked
    assert bench.prompt.text == text
    bench.prompt.fill("")


# What is a command


@pytest.mark.parametrize(
    "text",
    ["/unknown word", "/path/like/this", "/", "//", "/ help", "help", "a /help", "/helping", "/help-x"],
)
def test_what_is_no_command_is_a_message(text: str) -> None:
    assert parse(PromptText(text)) is None


@pytest.mark.parametrize("text", ["/stop 2", "/STOP 2", "/stop   2  ", "/stop\n2"])
def test_a_command_is_known_by_its_name_in_any_case(text: str) -> None:
    assert parse(PromptText(text)) == (COMMANDS["stop"], PromptText("2"))


async def test_an_unknown_word_behind_a_slash_goes_to_the_models_as_text() -> None:
    async with chat_app(ALONE) as bench:
        for text in ("/unknown word", "/path/like/this", "/etc/hosts: what is it?"):
            await bench.ask(text)
            assert bench.models.asked["alone"][-1][-1]["content"] == text


async def test_a_space_before_the_slash_makes_a_command_a_message() -> None:
    async with chat_app(ALONE) as bench:
        await bench.ask(" /quit smoking, how?")
        assert bench.app.is_running
        assert bench.models.asked["alone"][0][-1]["content"].strip() == "/quit smoking, how?"


async def test_words_behind_a_command_that_takes_none_are_not_lost() -> None:
    async with chat_app() as bench:
        for name, each in COMMANDS.items():
            if not each.hint.usage:
                await refused(bench, f"/{name} smoking, how?", f"/{name} takes nothing behind it")
        assert bench.app.is_running
        assert bench.app.screen is bench.screen


@pytest.mark.parametrize(
    ("text", "call"), [("2", (2, 2)), ("L1.2", (1, 2)), ("l3.1", (3, 1)), ("2.1", (2, 1))]
)
def test_an_agent_is_named_by_its_number_in_the_layer_at_work_or_by_layer_and_number(
    text: str, call: tuple[int, int]
) -> None:
    run = RunView(TRIO)
    run.view(CallId(2, 1)).state = "writing"
    assert call_named(run, text) == CallId(*call)


@pytest.mark.parametrize("text", ["", "two", "L1", "1.", ".1", "0", "3", "L4.1", "L0.1", "-1", "1.2.3", "²"])
def test_what_names_no_agent_is_told(text: str) -> None:
    run = RunView(TRIO)
    with pytest.raises(UsageError):
        call_named(run, text)


async def test_commands_are_completed_as_they_are_typed() -> None:
    async with chat_app(ALONE) as bench:
        await bench.press(*"/co")
        await bench.until_shown("copy the last answer", "what the conversation has taken")
        await bench.press("tab")
        assert bench.prompt.text.startswith("/co")
        assert len(bench.prompt.text) > 4


# Each of them


@command("help")
async def test_help_lists_the_keys() -> None:
    async with chat_app() as bench:
        await bench.submit("/help")
        assert isinstance(bench.app.screen, HelpScreen)
        assert bench.prompt.text == ""


@command("new")
async def test_new_begins_another_conversation_but_not_during_a_run() -> None:
    gate = asyncio.Event()
    async with chat_app(ALONE, alone=[["x", gate], ["y"]]) as bench:
        await bench.submit("first")
        await bench.until_writing("alone")
        await bench.submit("/new")
        await bench.until_told("a run is going on")
        bench.prompt.fill("")
        bench.open(gate)
        await bench.until_idle()
        await bench.submit("/new")
        assert bench.transcript.turns == []
        assert bench.chat.turn is None


@command("recipe")
async def test_recipe_chooses_one_by_name_or_from_the_list() -> None:
    async with chat_app(ALONE) as bench:
        await bench.submit("/recipe demo")
        await bench.until_told("recipe demo from now on")
        assert bench.chat.recipe.name == "demo"
        await refused(bench, "/recipe no-such", "no-such")
        await refused(bench, "/recipe ./no/such.toml", "no/such.toml")
        assert bench.chat.recipe.name == "demo"
        await bench.submit("/recipe")
        assert isinstance(bench.app.screen, RecipeScreen)


async def test_a_recipe_with_a_mistake_is_told_with_file_and_key() -> None:
    path = paths.recipes_dir() / "mine.toml"
    path.parent.mkdir(parents=True)
    path.write_text('name = "mine"\n[[layers]]\nagents = [{ modle = "demo/terse" }]\n')
    async with chat_app(ALONE) as bench:
        await refused(bench, "/recipe mine", "mine.toml", "modle")


@command("model")
async def test_model_lets_another_model_write_the_answer() -> None:
    async with chat_app() as bench:
        await bench.submit("/model other")
        await bench.until_told("from now on")
        await bench.ask()
        assert "judge" not in bench.models.asked
        assert len(bench.models.asked["other"]) == 1
        await bench.until_shown("other says 1")
        await bench.submit("/model")
        assert isinstance(bench.app.screen, ModelScreen)
        await bench.press("escape")
        assert bench.chat.recipe.lineup[-1][0].model == "other"


async def test_a_model_found_that_cannot_be_used_is_told_and_nothing_changes() -> None:
    async with chat_app() as bench:
        await bench.submit("/model")
        await wait_until(lambda: isinstance(bench.app.screen, ModelScreen))
        bench.app.screen.dismiss(ModelChoice("odd\x1bname", "somewhere"))
        await bench.until_told("cannot be the aggregator")
        assert bench.chat.recipe.lineup[-1][0].model == "judge"


@command("effort")
async def test_effort_says_what_is_in_force_and_sets_it_for_all_agents() -> None:
    async with chat_app(DUO) as bench:
        await bench.submit("/effort")
        await bench.until_told("reasoning effort: the model's own, for all agents")
        await bench.submit("/effort LOW")
        await bench.until_told("reasoning effort from now on: low, for all agents")
        await bench.ask()
        turn = bench.session.chat.turn
        assert turn is not None
        assert {agent.reasoning_effort for agent in turn.recipe.every_agent()} == {"low"}
        await refused(bench, "/effort extreme", '"extreme" is no reasoning effort', "medium or high")
        await bench.submit("/effort -")
        await bench.until_told("from now on: the model's own, for all agents")
        assert {agent.reasoning_effort for agent in bench.session.chat.recipe.every_agent()} == {None}


@command("system")
async def test_system_sets_shows_and_drops_the_system_prompt() -> None:
    async with chat_app(ALONE) as bench:
        await bench.submit("/system")
        await bench.until_told("no system prompt; /system TEXT sets one")
        await bench.submit("/system Answer in\n[bold]rhyme[/]")
        await bench.until_told("goes before everything")
        await bench.submit("/system")
        await bench.until_told("system prompt: Answer in\n[bold]rhyme[/]")
        await bench.ask()
        sent = bench.models.asked["alone"][0]
        assert sent[0] == {"role": "system", "content": "Answer in\n[bold]rhyme[/]"}
        await bench.submit("/system -")
        await bench.until_told("no system prompt from now on")
        await bench.ask()
        assert bench.models.asked["alone"][1][0]["role"] == "user"


@command("retry")
async def test_retry_asks_every_agent_again_in_the_last_turns_place() -> None:
    async with chat_app() as bench:
        await refused(bench, "/retry", "nothing to ask again yet")
        await bench.ask("first")
        await bench.ask("second")
        await bench.ask("/retry")
        assert [len(bench.models.asked[name]) for name in ("one", "two", "judge")] == [3, 3, 3]
        sent = [message["content"] for message in bench.models.asked["one"][-1]]
        assert sent == ["first", "judge says 1", "second"]
        await bench.until_shown("judge says 3")
        assert [view.place for view in bench.transcript.views] == [(1, 1), (2, 2)]
        await bench.until_shown("You  ‹2/2›")
        await bench.ask("third")
        sent = [message["content"] for message in bench.models.asked["one"][-1]]
        assert sent == ["first", "judge says 1", "second", "judge says 3", "third"]


async def test_retry_and_again_wait_for_the_run_that_goes_on() -> None:
    gate = asyncio.Event()
    async with chat_app(one=[["one"], ["x", gate]]) as bench:
        await bench.ask("first")
        await bench.submit("second")
        await bench.until_writing("one")
        for text in ("/retry", "/again", "/edit"):
            await refused(bench, text, "a run is going on")
        await refused(bench, "/use 1", "L1.1 is not over")
        bench.open(gate)
        await bench.until_idle()
        assert [turn.prompt for turn in bench.transcript.turns] == ["first", "second"]


async def test_a_retry_that_lacks_a_key_leaves_the_last_turn_where_it_is() -> None:
    async with chat_app(ALONE) as bench:
        await bench.ask("first")
        bench.gateway.missing["alone"] = "ALONE_KEY"
        await bench.submit("/retry")
        await bench.until_told("ALONE_KEY")
        assert len(bench.transcript.turns) == 1
        assert bench.turn.place == (1, 1)
        bench.gateway.missing.clear()
        bench.prompt.fill("")
        await bench.ask("something else")
        sent = [message["content"] for message in bench.models.asked["alone"][-1]]
        assert sent == ["first", "alone says 1", "something else"]


@command("again")
async def test_again_asks_only_the_aggregator_and_says_that_the_others_were_kept() -> None:
    async with chat_app(size=(120, 40), settings=STAY) as bench:
        await refused(bench, "/again", "no answer yet to write again")
        await bench.ask()
        spent = bench.state.spent
        await bench.ask("/again")
        assert [len(bench.models.asked[name]) for name in ("one", "two", "judge")] == [1, 1, 2]
        assert bench.state.spent == pytest.approx(spent * 4 / 3)
        await bench.until_shown("judge says 2", "1 of 3 calls")
        bench.panel.pick(1)
        await bench.until_shown("one says 1", "kept · 5 tok")
        await bench.submit("/recipe demo")
        await bench.until_told("recipe demo")
        await refused(bench, "/again", "other proposers")


@command("use")
async def test_use_takes_an_agents_answer_as_the_answer() -> None:
    async with chat_app(TRIO, size=(120, 40)) as bench:
        await refused(bench, "/use 1", "no answer yet")
        await bench.ask("first")
        await bench.submit("/use 2")
        await bench.until_shown("four says 1", "taken by hand")
        await bench.submit("/use L1.1")
        await bench.until_shown("one says 1")
        await refused(bench, "/use", "names no agent")
        await refused(bench, "/use two", "names no agent")
        await refused(bench, "/use 3", "no agent 3")
        await refused(bench, "/use L7.1", "layer 7")
        assert [view.place for view in bench.transcript.views] == [(3, 3)]
        await bench.ask("second")
        sent = [message["content"] for message in bench.models.asked["one"][-1]]
        assert sent == ["first", "one says 1", "second"]


async def test_use_means_the_last_turn_whichever_panes_are_open() -> None:
    async with chat_app(ALONE, size=(120, 40)) as bench:
        await bench.ask("first")
        bench.chat.recipe = DUO
        await bench.ask("second")
        bench.transcript.views[0].focus()
        await bench.press("enter")
        assert bench.panel.run is bench.transcript.views[0].run
        await bench.submit("/use 2")
        await bench.until_shown("two says 1", "taken by hand")


async def test_use_of_an_agent_that_failed_is_refused() -> None:
    async with chat_app(one=[[ModelError("auth", "the key is wrong", 401)]]) as bench:
        await bench.ask()
        await refused(bench, "/use 1", "no answer that could be used")
        assert bench.turn.place == (1, 1)


@command("stop")
async def test_stop_stops_one_agent_or_the_whole_run() -> None:
    gate = asyncio.Event()
    async with chat_app(one=[["a", gate]], two=[["b", gate]]) as bench:
        await refused(bench, "/stop", "no run is going on")
        await refused(bench, "/stop 2", "no run is going on")
        await bench.submit("hi")
        await bench.until_writing("one", "two")
        await refused(bench, "/stop 3", "no agent 3 in layer 1")
        await refused(bench, "/stop everything", "names no agent")
        await bench.submit("/stop 2")
        await wait_until(lambda: bench.run.layers[0][1].over)
        assert not bench.run.layers[0][0].over
        await bench.submit("/stop")
        await bench.until_idle()
        assert bench.run.outcome is not None
        assert bench.run.outcome.status == "stopped"
        assert [view.state for view in bench.run.layers[0]] == ["stopped", "stopped"]


@command("edit")
async def test_edit_brings_the_last_prompt_back_and_what_is_sent_takes_its_place() -> None:
    async with chat_app(ALONE) as bench:
        await refused(bench, "/edit", "no prompt yet to change")
        await bench.ask("first")
        await bench.ask("secnod")
        await bench.submit("/edit")
        assert bench.prompt.text == "secnod"
        assert bench.prompt.has_focus
        await bench.until_told("takes the last turn's place")
        await bench.ask("second")
        sent = [message["content"] for message in bench.models.asked["alone"][-1]]
        assert sent == ["first", "alone says 1", "second"]
        assert [view.place for view in bench.transcript.views] == [(1, 1), (2, 2)]


@command("copy")
async def test_copy_takes_the_last_answer_or_its_code() -> None:
    answer = "Run\n\n```sh\nls\n```\n"
    async with chat_app(ALONE, alone=[["first"], [answer], ["no code"]]) as bench:
        await refused(bench, "/copy", "no answer yet")
        await bench.ask()
        await bench.ask()
        await bench.submit("/copy")
        await wait_until(lambda: bench.copied == [answer])
        await bench.submit("/copy code")
        await wait_until(lambda: bench.copied == [answer, "ls"])
        await refused(bench, "/copy everything", "everything")
        await bench.ask()
        await refused(bench, "/copy code", "no code")
        assert bench.copied == [answer, "ls"]


@command("cost")
async def test_cost_says_what_the_conversation_has_taken() -> None:
    async with chat_app() as bench:
        await bench.submit("/cost")
        await bench.until_told("0 tokens, $0")
        await bench.ask()
        await bench.submit("/cost")
        await bench.until_told("45 tokens, $0.0030\n")
        await bench.until_told("judge: 1 call, 15 tokens, $0.0010")


@command("cost")
async def test_cost_says_what_came_from_a_cache() -> None:
    cached = Finish("stop", Usage(1_000, 5, estimated=False, cached_tokens=600), 0.001)
    async with chat_app(ALONE, alone=[["an answer", cached]]) as bench:
        await bench.ask()
        await bench.submit("/cost")
        await bench.until_told("1,005 tokens (600 of them from a cache), $0.0010\n")


@command("theme")
async def test_theme_takes_a_name_keeps_it_and_leaves_the_rest_of_the_config_alone() -> None:
    config = paths.config_file()
    config.parent.mkdir(parents=True)
    before = '# mine\ntheme = "moa-dark"  # old\n\n[keys]\n"run.stop" = "ctrl+b"\n'
    config.write_text(before)
    async with chat_app() as bench:
        await bench.submit("/theme moa-light")
        assert bench.app.theme == "moa-light"
        lines = config.read_text().splitlines()
        assert lines == ["# mine", 'theme = "moa-light"', "", "[keys]", '"run.stop" = "ctrl+b"']
        await bench.submit("/theme [bold]none")
        await bench.until_told('There is no theme called "[bold]none"', "moa-dark")
        assert bench.app.theme == "moa-light"
        assert config.read_text().splitlines() == lines
        await bench.submit("/theme")
        assert isinstance(bench.app.screen, ThemeScreen)
        await bench.press("escape")
        assert bench.app.theme == "moa-light"


async def test_a_theme_chosen_without_a_config_makes_one() -> None:
    async with chat_app() as bench:
        await bench.submit("/theme moa-light")
        text = paths.config_file().read_text()
        assert 'theme = "moa-light"\n' in text
        assert "# default_recipe" in text


async def test_a_theme_that_cannot_be_kept_is_in_force_all_the_same_and_told() -> None:
    config = paths.config_file()
    config.mkdir(parents=True)
    async with chat_app() as bench:
        await bench.submit("/theme moa-light")
        await bench.until_told("the theme could not be kept")
        assert bench.app.theme == "moa-light"
        assert str(config) in bench.notices


@command("quit")
async def test_quit_leaves() -> None:
    async with chat_app(DUO) as bench:
        await bench.submit("/quit")
        await wait_until(lambda: not bench.app.is_running)
