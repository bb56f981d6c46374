"""Two agents' answers side by side, word by word."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, ClassVar

from textual import work
from textual.binding import Binding
from textual.containers import Horizontal
from textual.content import Content
from textual.screen import Screen
from textual.widgets import Static

from moa_tui.text.cells import fit
from moa_tui.text.safe import without_controls
from moa_tui.text.wording import counted
from moa_tui.ui.rows.text_rows import MUTED
from moa_tui.ui.rows.word_diff import SIGNS, STYLES, Diff, diff, side_by_side, unified
from moa_tui.ui.widgets.key_bar import KeyBar
from moa_tui.ui.widgets.live_text import LiveText

if TYPE_CHECKING:
    from textual.app import ComposeResult
    from textual.binding import BindingType

    from moa_tui.engine.values import CallId
    from moa_tui.ui.rows.text_rows import Row
    from moa_tui.ui.rows.word_diff import Side
    from moa_tui.ui.run.run_view import RunView

_TWO_COLUMNS_FROM = 100
# How often texts that are still written are compared anew, and how often the width is looked at.
_SECONDS_BETWEEN_TEXTS, _SECONDS_BETWEEN_LOOKS = 2.0, 0.1


def default_pair(run: RunView, call: CallId) -> tuple[CallId, CallId]:
    """What a call is compared with at first: the final answer, and that with the first it was made from."""
    if call != run.final.call:
        return call, run.final.call
    before = run.layers[-2][0].call if len(run.layers) > 1 else call
    return before, call


class DiffScreen(Screen[None]):
    """Compares two calls of a run; in one column where the terminal is narrow."""

    HELP_TITLE = "Two answers compared"
    CSS_PATH = "diff_screen.tcss"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape,ctrl+o", "close", "Close", id="diff.close"),
        Binding("right", "other('left', 1)", "Other left", id="diff.left_next"),
        Binding("left", "other('left', -1)", "Other left, back", id="diff.left_previous", show=False),
        Binding("shift+right", "other('right', 1)", "Other right", id="diff.right_next"),
        Binding(
            "shift+left", "other('right', -1)", "Other right, back", id="diff.right_previous", show=False
        ),
        Binding("x", "swap", "Swap sides", id="diff.swap"),
    ]

    def __init__(self, run: RunView, left: CallId, right: CallId) -> None:
        super().__init__()
        self.run_state = run
        self.calls: dict[Side, CallId] = {"left": left, "right": right}
        self._compared: tuple[str, str] | None = None
        self._diff: Diff | None = None
        self._laid_out = (0, False)

    def compose(self) -> ComposeResult:
        yield Static(id="diff-head", markup=False)
        with Horizontal():
            yield LiveText(id="diff-left")
            yield LiveText(id="diff-right")
        yield KeyBar()

    def on_mount(self) -> None:
        for one, other in (("#diff-left", "#diff-right"), ("#diff-right", "#diff-left")):
            self._scroll_together(self.query_one(one, LiveText), self.query_one(other, LiveText))
        self.set_interval(_SECONDS_BETWEEN_TEXTS, self.compare)
        self.set_interval(_SECONDS_BETWEEN_LOOKS, self._follow_width)
        self._fit_columns()
        self.call_after_refresh(self.compare)

    def on_resize(self) -> None:
        self._fit_columns()

    def _fit_columns(self) -> None:
        self.query_one("#diff-right").display = self._wide
        self._show_titles()

    @property
    def _wide(self) -> bool:
        return self.app.size.width >= _TWO_COLUMNS_FROM

    def _scroll_together(self, one: LiveText, other: LiveText) -> None:
        def follow(y: float) -> None:
            if other.display and other.scroll_y != y:
                other.scroll_to(y=y, animate=False)

        self.watch(one, "scroll_y", follow, init=False)

    def compare(self) -> None:
        """Compare the two texts as they stand, if that has not been done."""
        self._show_titles()
        texts = self._text("left"), self._text("right")
        if texts != self._compared:
            self._compared = texts
            self._compare(*texts)

    @work(exclusive=True)
    async def _compare(self, left: str, right: str) -> None:
        self._diff = await asyncio.to_thread(diff, left, right)
        await self._lay_out()

    def _follow_width(self) -> None:
        if self._diff is not None and self._place() != self._laid_out:
            self._lay_out_again()

    def _place(self) -> tuple[int, bool]:
        return self.query_one("#diff-left", LiveText).scrollable_content_region.width, self._wide

    @work(exclusive=True)
    async def _lay_out_again(self) -> None:
        await self._lay_out()

    async def _lay_out(self) -> None:
        width, wide = place = self._place()
        if self._diff is None or width <= 0:
            return
        self._laid_out = place
        pieces = self._diff.pieces
        right: list[Row] = []
        if wide:
            left, right = await asyncio.to_thread(side_by_side, pieces, width)
        else:
            left = await asyncio.to_thread(unified, pieces, width)
        self.query_one("#diff-left", LiveText).show_rows(left)
        self.query_one("#diff-right", LiveText).show_rows(right)
        self._show_head(self._diff)

    def _text(self, side: Side) -> str:
        return self.run_state.view(self.calls[side]).written("text")

    def _show_head(self, found: Diff) -> None:
        if self.calls["left"] == self.calls["right"]:
            head = Content("This run has one agent: there is no other answer to compare.")
        else:
            missing = [self._agent_name(side) for side in SIGNS if not self._text(side).strip()]
            none = "".join(f" · nothing written yet by {name}" for name in missing)
            head = Content.assemble(
                f"{found.share * 100:.0f} % of the words are in both · ",
                (f"[-{counted(found.only_left, 'word')} only left-]", STYLES["left"]),
                " · ",
                (f"{{+{counted(found.only_right, 'word')} only right+}}", STYLES["right"]),
                (none, MUTED),
            )
        self.query_one("#diff-head", Static).update(head)

    def _agent_name(self, side: Side) -> str:
        view = self.run_state.view(self.calls[side])
        layer = self.run_state.layer_name(view.call.layer)
        alone = len(self.run_state.layers[view.call.layer - 1]) == 1
        return without_controls(f"{layer} {view.label.partition(' ')[2] if alone else view.label}")

    def _show_titles(self) -> None:
        room = max(20, self.app.size.width // 2 - 4)
        titles = []
        for side, (before, after) in SIGNS.items():
            state = self.run_state.view(self.calls[side]).state_words
            state = state if self._wide else state.split()[0]
            sign = f"{before}{side}{after} "
            name = fit(self._agent_name(side), room - len(sign) - len(state) - 1).rstrip()
            titles.append(Content.assemble((sign, STYLES[side]), f"{name} {state}"))
        # As Content: a name must not be read as markup.
        self.query_one("#diff-left").border_title = titles[0] if self._wide else Content("  ").join(titles)
        self.query_one("#diff-right").border_title = titles[1]

    def action_other(self, side: Side, step: int) -> None:
        """Compare the next agent instead; never one with itself."""
        calls = [view.call for view in self.run_state.views]
        taken = self.calls["right" if side == "left" else "left"]
        calls = [call for call in calls if call != taken or call == self.calls[side]]
        at = calls.index(self.calls[side])
        self._choose({**self.calls, side: calls[(at + step) % len(calls)]})

    def action_swap(self) -> None:
        self._choose({"left": self.calls["right"], "right": self.calls["left"]})

    def _choose(self, calls: dict[Side, CallId]) -> None:
        if calls != self.calls:
            self.calls, self._compared = calls, None
            for side in ("#diff-left", "#diff-right"):
                self.query_one(side, LiveText).scroll_to(y=0, animate=False)
            self.compare()

    def action_close(self) -> None:
        self.dismiss()
