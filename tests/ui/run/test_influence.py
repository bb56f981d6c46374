"""What the final answer shares with the others: its rows, and the screen that shows them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from rich.cells import cell_len
from textual.app import App

from moa_tui.engine.run import run
from moa_tui.errors import ModelError
from moa_tui.ui.run.influence import influence_rows, why_no_overlap
from moa_tui.ui.run.run_view import RunView
from moa_tui.ui.screens.inspect.run_screens import InfluenceScreen
from moa_tui.ui.widgets.live_text import LiveText
from tests.fakes import FakeModels
from tests.helpers import recipe, wait_until

if TYPE_CHECKING:
    from moa_tui.engine.recipe import Recipe

COPIED = "the moa was a large flightless bird of New Zealand"
OTHER = "nobody here has ever seen one alive I fear"


async def state_of(this: Recipe, **scripts: object) -> RunView:
    state = RunView(this)
    await run(this, [{"role": "user", "content": "?"}], FakeModels(**scripts), state.take)  # type: ignore[arg-type]
    return state


def lines(state: RunView, width: int = 76) -> list[str]:
    return [row.content.plain for row in influence_rows(state, width)]


async def test_the_agent_whose_words_the_answer_has_gets_the_longest_bar_and_stands_first() -> None:
    state = await state_of(recipe(["a", "b"], ["judge"]), a=[[OTHER]], b=[[COPIED]], judge=[[COPIED + "."]])
    _, first, second, *_ = lines(state)
    assert "L1.2 b" in first
    assert "100 %" in first
    assert "cosine 1.00" in first
    assert "L1.1 a" in second
    assert "  0 %" in second
    assert "█" in first
    assert "█" not in second


async def test_diversity_and_novelty_come_with_what_they_mean_and_nothing_is_called_cause() -> None:
    state = await state_of(recipe(["a", "b"], ["judge"]), a=[[OTHER]], b=[[COPIED]], judge=[[COPIED]])
    text = " ".join(" ".join(lines(state)).split())
    assert "diversity 1.00 how differently" in text
    assert "novelty 0 % the share" in text
    assert "overlap of wording, not cause: it does not tell whose answer was read" in text
    assert "On 805 real prompts" in text


async def test_an_agent_whose_answer_was_not_passed_on_is_named() -> None:
    failing = [[ModelError("auth", "no", 401)]]
    state = await state_of(recipe(["a", "b"], ["judge"]), a=failing, b=[[COPIED]], judge=[[COPIED]])
    text = "\n".join(lines(state))
    assert "Not passed on: L1.1 a ✗ failed" in text
    assert "the last agent read one answer only" in text


async def test_a_very_short_answer_has_no_novelty() -> None:
    state = await state_of(recipe(["a", "b"], ["judge"]), a=[[OTHER]], b=[[COPIED]], judge=[["yes"]])
    assert "too short" in "\n".join(lines(state))


async def test_before_the_end_it_says_that_the_run_is_still_going() -> None:
    assert "still going" in (why_no_overlap(RunView(recipe(["a"], ["judge"]))) or "")


async def test_with_one_agent_it_says_that_there_is_no_other_answer() -> None:
    state = await state_of(recipe(["a"]))
    assert "one agent" in lines(state)[0]


async def test_without_an_answer_it_says_so() -> None:
    state = await state_of(recipe(["a"], ["judge"]), a=[[ModelError("auth", "no", 401)]])
    assert "no final answer" in " ".join(lines(state))


@pytest.mark.parametrize("width", [56, 76, 216])
async def test_every_row_fits_and_bars_end_in_one_column_whatever_the_names(width: int) -> None:
    names = ["日本語のとても長い名前のエージェント", "[/][bold]", "🦤🦤"]
    scripts = {name: [[COPIED]] for name in names}
    state = await state_of(recipe(names, ["judge"]), **scripts, judge=[[COPIED]])
    shown = lines(state, width)
    assert max(map(cell_len, shown)) <= width
    bars = [line for line in shown if "cosine 1.00" in line]
    assert len(bars) == 3
    assert len({cell_len(line) for line in bars}) == 1
    assert any("[/][bold]" in line for line in bars)


class InfluenceApp(App[None]):
    def __init__(self, state: RunView) -> None:
        super().__init__()
        self.state = state

    def on_mount(self) -> None:
        self.push_screen(InfluenceScreen(self.state))

    @property
    def text(self) -> str:
        return "\n".join(row.content.plain for row in self.screen.query_one(LiveText).rows)


@pytest.mark.parametrize("theme", ["textual-dark", "textual-light"])
async def test_the_screen_says_why_it_is_empty_and_fills_when_the_run_ends(theme: str) -> None:
    state = RunView(recipe(["a", "b"], ["judge"]))
    app = InfluenceApp(state)
    async with app.run_test(size=(60, 20)) as pilot:
        app.theme = theme
        await wait_until(lambda: "still going" in app.text)
        models = FakeModels(a=[[COPIED]], judge=[[COPIED]])
        await run(state.recipe, [{"role": "user", "content": "?"}], models, state.take)
        await wait_until(lambda: "cosine" in app.text)
        assert "█" in app.text
        await pilot.press("ctrl+o")
        await wait_until(lambda: not isinstance(app.screen, InfluenceScreen))
