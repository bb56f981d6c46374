"""What an answer left out: the points of the other answers, of which the marked ones go into it."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from textual import on
from textual.binding import Binding
from textual.containers import Vertical
from textual.content import Content
from textual.widgets import OptionList, Static

from moa_tui.errors import UsageError
from moa_tui.text.cells import cell_len, pad, shorten
from moa_tui.text.wording import counted, left_out_text
from moa_tui.ui.rows.text_rows import prefixed, wrap
from moa_tui.ui.screens.guard import GuardedDialog
from moa_tui.ui.widgets.key_bar import KeyBar

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from textual.app import ComposeResult
    from textual.binding import BindingType
    from textual.screen import Screen

    from moa_tui.chat.left_out import LeftOutList

_WIDEST_NAME = 16
# A sentence has no more characters; what is longer is cut, and can be read in its place.
_LONGEST_POINT = 2_000
_WIDEST, _NARROWEST_POINT = 110, 10
# The cells of a line that are no text: frame, padding, scrollbar, the box and two spaces.
_AROUND = 2 + 2 + 2 + 5


class LeftOutScreen(GuardedDialog[bool | None]):
    """Lets the user mark points; gives True where the answer is to be written with the marked ones."""

    HELP_TITLE = "What the answer left out"
    CSS_PATH = "left_out_screen.tcss"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("enter", "write", "Write with them", id="left_out.write", priority=True),
        Binding("space", "mark", "Mark", id="left_out.mark"),
        Binding("a", "mark_all", "All or none", id="left_out.all"),
        Binding("o,right", "place", "Its place", id="left_out.place"),
        Binding("y", "copy", "Copy", id="left_out.copy"),
        Binding("escape", "dismiss(None)", "Close", id="left_out.close"),
    ]

    def __init__(
        self,
        points: LeftOutList,
        price_words: str,
        *,
        copy: Callable[[str], None],
        check: Callable[[], object],
        place_of: Callable[[int], Screen[None]],
    ) -> None:
        """`price_words` say what writing takes; the marks in `points` are changed by every mark.

        `copy` puts a text on the clipboard. `check` raises UsageError where the answer cannot be written now.
        `place_of` makes the screen that shows a point in its answer, by the point's number from 0.
        """
        super().__init__()
        self._points = points
        self._price_words = price_words
        self._copy = copy
        self._check = check
        self._place_of = place_of
        names = [shorten(points.names(place), _WIDEST_NAME) for place in range(len(points.points))]
        self._names = names
        self._name_cells = max(map(cell_len, names), default=0)
        self._laid_out_cells = 0

    def compose(self) -> ComposeResult:
        with Vertical(id="box"):
            yield Static(id="title", markup=False)
            self._laid_out_cells = self._text_cells
            yield OptionList(*map(self._row, range(len(self._points.points))), id="points", markup=False)
            yield KeyBar()

    def on_mount(self) -> None:
        self.query_one(OptionList).highlighted = 0
        self._show_count()

    @on(OptionList.OptionSelected)
    def action_mark(self) -> None:
        """Mark the highlighted point, or take its mark away."""
        index = self.query_one(OptionList).highlighted
        if index is not None:
            self._points.mark(index)
            self._redraw([index])

    def action_mark_all(self) -> None:
        """Mark all points, or none where all are."""
        self._points.mark_all()
        self._redraw(range(len(self._points.points)))

    def action_write(self) -> None:
        """Have the answer written with the marked points, or say why that cannot be done now."""
        try:
            self._check()
        except UsageError as error:
            self.notify(str(error), severity="warning", markup=False)
        else:
            self.dismiss(True)

    def action_place(self) -> None:
        """Show the highlighted point in the answer that it stands in."""
        index = self.query_one(OptionList).highlighted
        if index is not None:
            self.open(self._place_of(index))

    def action_copy(self) -> None:
        """Copy the marked points, or all where none is marked."""
        self._copy(self._points.markdown())

    def _redraw(self, indices: Iterable[int]) -> None:
        options = self.query_one(OptionList)
        for index in indices:
            options.replace_option_prompt_at_index(index, self._row(index))
        self._show_count()

    def _show_count(self) -> None:
        total = counted(len(self._points.points), "point")
        words = (
            f"{total} of other answers not found in this one. That can be right: a point may be wrong, or "
            f"beside the question.\n{len(self._points.marked)} marked. {self._price_words}"
        )
        self.query_one("#title", Static).update(Content(words))

    def _row(self, index: int) -> Content:
        """A box, the agent's name and the point, whose further lines stand below its first.

        Name and point are anybody's text, and are not read as markup.
        """
        box = "[x]" if index in self._points.marked else "[ ]"
        text = left_out_text(self._points.points[index])[: _LONGEST_POINT + 1]
        if len(text) > _LONGEST_POINT:
            text = f"{text[:_LONGEST_POINT]}…"
        name = pad(self._names[index], self._name_cells)
        first = Content.assemble(f"{box} ", (name, "italic"), " ")
        return Content("\n").join(
            row.content for row in prefixed(wrap(Content(text), self._text_cells), first)
        )

    @property
    def _text_cells(self) -> int:
        """The cells that a point has in a line."""
        return max(_NARROWEST_POINT, min(self.app.size.width, _WIDEST) - _AROUND - self._name_cells)

    def on_resize(self) -> None:
        """Break the points anew where there is another width."""
        if self._text_cells != self._laid_out_cells:
            self._laid_out_cells = self._text_cells
            self._redraw(range(len(self._points.points)))
