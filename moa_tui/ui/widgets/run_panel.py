"""The panes of one layer side by side, with a tab for each layer of the run."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from textual.binding import Binding
from textual.containers import Container, Vertical
from textual.content import Content
from textual.message import Message
from textual.style import Style
from textual.widgets import Static

from moa_tui.text.wording import GLYPHS
from moa_tui.ui.widgets.agent_pane import AgentPane

if TYPE_CHECKING:
    from textual import events
    from textual.app import ComposeResult
    from textual.binding import BindingType

    from moa_tui.engine.values import CallId, Kind
    from moa_tui.ui.run.run_view import RunView

# Cells and rows below which a pane's text cannot be read well.
_NARROWEST_COLUMN = 38
_LOWEST_PANE = 7


class RunPanel(Vertical):
    """Shows the agents of one layer of a run: those of the layer at work, until the user picks a layer."""

    HELP_TITLE = "The panes"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("left", "layer(-1)", "Layer before", id="panel.layer_before", show=False),
        Binding("right", "layer(1)", "Layer after", id="panel.layer_after", show=False),
        Binding("left_square_bracket", "page(-1)", "Panes before", id="panel.page_before", show=False),
        Binding("right_square_bracket", "page(1)", "Panes after", id="panel.page_after", show=False),
        Binding("a", "add_agent", "One more agent", id="panel.add"),
        Binding("f", "follow", "Follow the run", id="panel.follow", show=False),
    ]
    DEFAULT_CSS = """
    RunPanel {
        height: 1fr;
        #tabs { height: 1; padding: 0 1; color: $text; background: $panel; }
        #grid { layout: grid; grid-size: 1; grid-gutter: 0 0; height: 1fr; }
    }
    """

    class AgentRequested(Message):
        """The user wants one more agent to answer."""

    def __init__(self, *, can_change: bool = True, id: str | None = None) -> None:
        """`can_change` is False where the turns that are shown cannot be changed."""
        super().__init__(id=id)
        self._can_change = can_change
        self.run: RunView | None = None
        self.kind: Kind = "text"
        self._layer = 1
        self._is_picked = False
        self._page = 0
        self._columns = self._page_size = 1
        self._agent_count = 0
        self._tabs = Content()

    def compose(self) -> ComposeResult:
        yield Static(id="tabs", markup=False)
        yield Container(id="grid")

    def show_run(self, run: RunView) -> None:
        """Show another run."""
        if run is not self.run:
            self.run, self._is_picked, self._page = run, False, 0
            self._layer = run.layer
            self._arrange()
        if run.over and not self._is_picked:
            # The answer stands in the chat; the panes of a run that is over are opened to see its sources.
            self.pick(max(1, len(run.layers) - 1))

    def tick(self, turn: int = 0, every: int = 1) -> None:
        """Bring the panes on the screen up to date, or, of as many parts as `every`, part `turn` of them.

        The panes of a part are neighbours: what is drawn anew is all that lies between those that changed.
        """
        run = self.run
        if run is None or not self.display:
            return
        if not self._is_picked and run.layer != self._layer:
            self._layer, self._page = run.layer, 0
            self._arrange()
        elif len(run.layers[self._layer - 1]) != self._agent_count:
            # An agent has joined the layer; the page that is shown stays.
            self._arrange()
        now = run.now
        panes = self.panes
        for pane in panes[len(panes) * turn // every : len(panes) * (turn + 1) // every]:
            pane.tick(now)
        if turn == 0:
            self._draw_tabs(run)

    @property
    def panes(self) -> list[AgentPane]:
        """The panes that show a call, in order."""
        return [pane for pane in self.query(AgentPane) if pane.display]

    @property
    def selected(self) -> CallId | None:
        """The call of the focused pane, else of the first pane; None where no call is shown."""
        panes = [pane for pane in self.panes if pane.view is not None]
        chosen = next((pane for pane in panes if pane.has_focus), panes[0] if panes else None)
        return chosen.view.call if chosen is not None and chosen.view is not None else None

    def show_kind(self, kind: Kind) -> None:
        """Show the agents' texts, or their reasoning."""
        self.kind = kind
        self._arrange()

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        return action != "add_agent" or self._can_change

    def action_layer(self, step: int) -> None:
        if self.run is not None:
            number = min(max(1, self._layer + step), len(self.run.layers))
            self.pick(number)

    def action_add_agent(self) -> None:
        if self.run is not None:
            self.post_message(self.AgentRequested())

    def pick(self, layer: int, page: int = 0) -> None:
        """Show this layer and page, and stop following the run."""
        self._layer, self._page, self._is_picked = layer, page, True
        self._arrange()

    def action_follow(self) -> None:
        if self.run is not None:
            self._is_picked = False
            self._layer, self._page = self.run.layer, 0
            self._arrange()

    def action_page(self, step: int) -> None:
        self._page = min(max(0, self._page + step), self._pages - 1)
        self._is_picked = True
        self._arrange()

    @property
    def _pages(self) -> int:
        count = len(self.run.layers[self._layer - 1]) if self.run else 0
        return max(1, -(-count // self._page_size))

    def on_resize(self, event: events.Resize) -> None:
        self._arrange()

    def _arrange(self) -> None:
        """Give each agent of the page a pane, with as many agents on a page as there is room for."""
        run = self.run
        if run is None or not self.is_mounted or not self.size.width:
            return
        views = run.layers[self._layer - 1]
        self._agent_count = len(views)
        width, height = self.size.width, self.size.height - 1
        most_columns = (
            max(1, width // (_NARROWEST_COLUMN + 2)) if width >= 100 or self.has_class("-side") else 1
        )
        lines = min(max(1, height // _LOWEST_PANE), -(-len(views) // most_columns))
        self._page_size = min(len(views), most_columns * lines)
        self._columns = -(-self._page_size // lines)
        self._page = min(self._page, self._pages - 1)
        page = views[self._page * self._page_size : (self._page + 1) * self._page_size]
        grid = self.query_one("#grid")
        grid.styles.grid_size_columns = self._columns
        panes = list(self.query(AgentPane))
        if len(page) > len(panes):
            grid.mount_all([AgentPane(can_change=self._can_change) for _ in range(len(page) - len(panes))])
            panes = list(self.query(AgentPane))
        for number, pane in enumerate(panes):
            pane.display = number < len(page)
            if pane.display:
                pane.show_call(page[number], self.kind)
        self.call_after_refresh(self.tick)

    def _draw_tabs(self, run: RunView) -> None:
        layers = []
        for number in range(1, len(run.layers) + 1):
            is_shown = number == self._layer
            style = Style(bold=is_shown, reverse=is_shown) + Style.from_meta({"layer": number})
            layers.append(Content(f" {run.layer_name(number)} {run.glyphs(number)} ").stylize(style))
        tabs = Content("│").join(layers)
        count = len(run.layers[self._layer - 1])
        if count > self._page_size:
            first = self._page * self._page_size
            last = min(count, first + self._page_size)
            range_words = f"{first + 1}" if last == first + 1 else f"{first + 1}-{last}"
            pages = Content.assemble(
                f"  {range_words} of {count} ",
                Content(" ‹ ").stylize(Style.from_meta({"page": -1})),
                Content(" › ").stylize(Style.from_meta({"page": 1})),
            )
            tabs = tabs + pages
        if self._is_picked and not run.over and run.layer != self._layer:
            tabs = tabs + Content(f"  {GLYPHS['writing']} {run.layer_name(run.layer)} is at work, f follows")
        if self.kind == "reasoning":
            tabs = tabs + Content("  reasoning")
        if not self._tabs.is_same(tabs):
            self._tabs = tabs
            self.query_one("#tabs", Static).update(tabs)

    def on_click(self, event: events.Click) -> None:
        meta = event.style.meta
        if "layer" in meta:
            self.pick(int(meta["layer"]))
        elif "page" in meta:
            self.action_page(int(meta["page"]))
