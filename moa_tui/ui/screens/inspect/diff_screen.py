"""Two agents' answers side by side, word by word."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from textual import work
from textual.binding import Binding
from textual.containers import Horizontal
from textual.content import Content
from textual.widgets import Static

from moa_tui.text.cells import fit
from moa_tui.text.safe import without_controls
from moa_tui.text.wording import counted
from moa_tui.ui.rows.layout_thread import on_layout_thread
from moa_tui.ui.rows.text_rows import MUTED
from moa_tui.ui.rows.word_diff import SIGNS, STYLES, Diff, diff, side_by_side, unified
from moa_tui.ui.screens.guard import GuardedScreen
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
# How often texts that are still being written are compared anew, and how often the width is checked.
_SECONDS_BETWEEN_TEXTS, _SECONDS_BETWEEN_WIDTHS = 2.0, 0.1


def default_pair(run: RunView, call: CallId) -> tuple[CallId, CallId]:
    """The calls shown left and right when a call is first compared.

    A call stands beside the final answer; the final answer stands beside the first call of the layer before.
    """
    if call != run.final.call:
        return call, run.final.call
    left = run.layers[-2][0].call if len(run.layers) > 1 else call
    return left, call


class DiffScreen(GuardedScreen[None]):
    """Compares two calls of a run word by word, in two columns or, on a narrow terminal, in one."""

    HELP_TITLE = "Two answers compared"
    HELP_TOPIC = "steering"
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
        """The width in cells and whether there were two columns when the rows were last made."""

    def compose(self) -> ComposeResult:
        yield Static(id="diff-head", markup=False)
        with Horizontal():
            yield LiveText(id="diff-left")
            yield LiveText(id="diff-right")
        yield KeyBar()

    def on_mount(self) -> None:
        left, right = self.query_one("#diff-left", LiveText), self.query_one("#diff-right", LiveText)
        self._scroll_along(left, right)
        self._scroll_along(right, left)
        self.set_interval(_SECONDS_BETWEEN_TEXTS, self.compare)
        self.set_interval(_SECONDS_BETWEEN_WIDTHS, self._follow_width)
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

    def _scroll_along(self, leader: LiveText, follower: LiveText) -> None:
        """Keep `follower` at the row that `leader` is scrolled to."""

        def follow(y: float) -> None:
            if follower.display and follower.scroll_y != y:
                follower.scroll_to(y=y, animate=False)

        self.watch(leader, "scroll_y", follow, init=False)

    def compare(self) -> None:
        """Compare the two texts as they stand, unless these very texts have been compared."""
        self._show_titles()
        texts = self._text("left"), self._text("right")
        if texts != self._compared:
            self._compared = texts
            self._compare(*texts)

    @work(exclusive=True)
    async def _compare(self, left: str, right: str) -> None:
        self._diff = await on_layout_thread(diff, left, right)
        await self._lay_out()

    def _follow_width(self) -> None:
        if self._diff is not None and self._layout() != self._laid_out:
            self._lay_out_anew()

    def _layout(self) -> tuple[int, bool]:
        return self.query_one("#diff-left", LiveText).scrollable_content_region.width, self._wide

    @work(exclusive=True)
    async def _lay_out_anew(self) -> None:
        await self._lay_out()

    async def _lay_out(self) -> None:
        width, wide = layout = self._layout()
        if self._diff is None or width <= 0:
            return
        self._laid_out = layout
        pieces = self._diff.pieces
        right: list[Row] = []
        if wide:
            left, right = await on_layout_thread(side_by_side, pieces, width)
        else:
            left = await on_layout_thread(unified, pieces, width)
        self.query_one("#diff-left", LiveText).show_rows(left)
        self.query_one("#diff-right", LiveText).show_rows(right)
        self._show_head(self._diff)

    def _text(self, side: Side) -> str:
        return self.run_state.view(self.calls[side]).written("text")

    def _show_head(self, words: Diff) -> None:
        if self.calls["left"] == self.calls["right"]:
            head = Content("This run has one agent: there is no other answer to compare.")
        else:
            missing = [self._agent_name(side) for side in SIGNS if not self._text(side).strip()]
            notes = "".join(f" · nothing written yet by {name}" for name in missing)
            head = Content.assemble(
                "" if words.is_complete else "too different to compare every word · at least ",
                f"{words.share * 100:.0f} % of the words are in both · ",
                (f"[-{counted(words.only_left, 'word')} only left-]", STYLES["left"]),
                " · ",
                (f"{{+{counted(words.only_right, 'word')} only right+}}", STYLES["right"]),
                (notes, MUTED),
            )
        self.query_one("#diff-head", Static).update(head)

    def _agent_name(self, side: Side) -> str:
        view = self.run_state.view(self.calls[side])
        layer = self.run_state.layer_name(view.call.layer)
        is_alone = len(self.run_state.layers[view.call.layer - 1]) == 1
        return without_controls(f"{layer} {view.label.partition(' ')[2] if is_alone else view.label}")

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
        """Compare another agent on one side; the agent of the other side is passed over."""
        calls = [view.call for view in self.run_state.views]
        across = self.calls["right" if side == "left" else "left"]
        calls = [call for call in calls if call != across or call == self.calls[side]]
        index = calls.index(self.calls[side])
        self._show_pair({**self.calls, side: calls[(index + step) % len(calls)]})

    def action_swap(self) -> None:
        self._show_pair({"left": self.calls["right"], "right": self.calls["left"]})

    def _show_pair(self, calls: dict[Side, CallId]) -> None:
        if calls != self.calls:
            self.calls, self._compared = calls, None
            for side in ("#diff-left", "#diff-right"):
                self.query_one(side, LiveText).scroll_to(y=0, animate=False)
            self.compare()

    def action_close(self) -> None:
        self.dismiss()
