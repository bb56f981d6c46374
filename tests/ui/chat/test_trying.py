"""The questions of an empty conversation: which are offered, and that one key sends one."""

from __future__ import annotations

from typing import Any

import pytest

from moa_tui import guide
from moa_tui.chat.first_questions import first_questions
from tests.helpers import recipe, wait_until
from tests.ui.chat_app import DUO, Bench, chat_app
from tests.ui.given import key

SIMULATED = recipe(["demo/terse", "demo/coder"], ["demo/thorough"])
FAST: dict[str, Any] = {"one": [["1"]], "two": [["2"]], "judge": [["done"]]}


def prompts(bench: Bench) -> list[str]:
    return [turn.prompt for turn in bench.chat.path]


@key("prompt.ask_1", "prompt.ask_2", "prompt.ask_3")
async def test_each_key_sends_the_question_that_stands_beside_it() -> None:
    for number, name in enumerate(("f5", "f6", "f7")):
        async with chat_app(DUO, **FAST) as bench:
            question = first_questions(bench.chat)[number]
            await bench.until_shown(f"{name.upper()}  {question}")
            await bench.press(name)
            await bench.until_idle()
            assert prompts(bench) == [question]
            await bench.press("up")
            assert bench.prompt.text == question, "it is among the earlier prompts"


async def test_the_questions_fit_a_small_screen_with_a_reason_for_the_recipe() -> None:
    reason = "no built-in recipe's keys are set and no local server answered, so these answers are simulated"
    async with chat_app(SIMULATED, size=(80, 24), why=reason) as bench:
        await bench.until_shown("F5", "F6", "F7", *first_questions(bench.chat))


@pytest.mark.parametrize("name", ["f5", "f6", "f7"])
async def test_a_key_sends_nothing_once_something_is_written(name: str) -> None:
    async with chat_app(DUO, **FAST) as bench:
        await bench.press("h", "i", name)
        await bench.settle()
        assert bench.prompt.text == "hi"
        assert prompts(bench) == []
        assert not bench.session.is_running


async def test_a_key_sends_nothing_once_something_was_asked() -> None:
    async with chat_app(DUO, **FAST) as bench:
        await bench.ask("hi")
        await bench.press("f5", "f6", "f7")
        await bench.settle()
        assert prompts(bench) == ["hi"]
        await bench.press("ctrl+n")
        await bench.until_shown(f"F6  {first_questions(bench.chat)[1]}")


async def test_figures_are_written_and_send_nothing() -> None:
    async with chat_app(DUO, **FAST) as bench:
        await bench.press("1", "2", "3")
        assert bench.prompt.text == "123"
        assert prompts(bench) == []


async def test_where_a_key_is_not_set_the_simulated_models_answer() -> None:
    async with chat_app(DUO, missing={"judge": "JUDGE_API_KEY"}, **FAST) as bench:
        question = first_questions(bench.chat)[0]
        assert question == "What is a Mixture of Agents?"
        await bench.press("f5")
        await wait_until(lambda: bench.session.is_running or bench.chat.path)
        assert bench.chat.recipe.name == "demo"
        await bench.until_told("recipe demo from now on")


async def test_simulated_models_are_asked_about_the_manual_and_others_about_the_world() -> None:
    async with chat_app(SIMULATED) as bench:
        about = first_questions(bench.chat)
        assert all(guide.answers(question)[0].match.is_answer for question in about)
    async with chat_app(DUO, **FAST) as bench:
        assert not set(first_questions(bench.chat)) & set(about)
