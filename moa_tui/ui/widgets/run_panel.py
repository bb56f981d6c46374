"""The panes of a run's layers, with a tab for each layer of the run."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from textual.actions import SkipAction
from textual.binding import Binding
from textual.containers import Vertical
from textual.content import Content
from textual.message import Message
from textual.style import Style
from textual.widgets import Static

from moa_tui.text.wording import GLYPHS
from moa_tui.ui.run import room
from moa_tui.ui.widgets.agent_pane import AgentPane
from moa_tui.ui.widgets.pane_grid import PaneGrid, Shown
from moa_tui.ui.widgets.pane_title import PaneTitle

if TYPE_CHECKING:
    from collections.abc import Sequence

    from textual import events
    from textual.app import ComposeResult
    from textual.binding import BindingType

    from moa_tui.engine.values import CallId, Kind
    from moa_tui.ui.run.call_state import CallState
    from moa_tui.ui.run.run_view import RunView

# Panes that end at about the same time do not move one after the other.
_FOLDED_AFTER_SECONDS = 3.0


class RunPanel(Vertical):
    """Shows the agents of a run: those of the layer at work, until the user picks a layer.

    Where the terminal is wide, the layer that they read is shown beside them. A pane whose call has ended
    while others of its layer write is folded to its title line, unless somebody reads in it.
    """

    HELP_TITLE = "The panes"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("left", "layer(-1)", "Layer before", id="panel.layer_before", show=False),
        Binding("right", "layer(1)", "Layer after", id="panel.layer_after", show=False),
        Binding("left_square_bracket", "page(-1)", "Panes before", id="panel.page_before", show=False),
        Binding("right_square_bracket", "page(1)", "Panes after", id="panel.page_after", show=False),
        Binding("a", "add_agent", "One more agent", id="panel.add"),
        Binding("f", "follow", "Follow the run", id="panel.follow", show=False),
        Binding("z", "zoom", "Zoom the pane", id="panel.zoom"),
        Binding("escape", "back", "Back from the panes", id="panel.back", show=False),
    ]
    DEFAULT_CSS = """
    RunPanel {
        height: 1fr;
        #tabs { height: 1; padding: 0 1; color: $text; background: $panel; }
    }
    """

    class AgentRequested(Message):
        """The user wants one more agent to answer."""

    class RoomChanged(Message):
        """A pane is to have all the room, or no longer; or the panes were closed."""

    def __init__(self, *, can_change: bool = True, id: str | None = None) -> None:
        """`can_change` is False where the turns that are shown cannot be changed."""
        super().__init__(id=id)
        self._can_change = can_change
        self.run: RunView | None = None
        self.kind: Kind = "text"
        self._picked: int | None = None
        """The layer that the user has picked; None while the run is followed."""
        self._layers: tuple[int, ...] = (1,)
        self._page = 0
        self._pages: list[room.Page] = []
        """What is on the screen of each layer that is shown."""
        self._folds: list[list[bool]] = []
        """Which panes of each layer that is shown were folded when they were arranged."""
        self._whole: set[int] = set()
        """The layers of which all panes were on one page."""
        self._opened: set[CallId] = set()
        """The calls whose panes had the focus since it came to the panes: none of them is folded."""
        self._zoomed: CallState | None = None
        self._is_beside_chat = False
        self._mode_words = ""
        self._tabs = Content()

    def compose(self) -> ComposeResult:
        yield Static(id="tabs", markup=False)
        yield PaneGrid(can_change=self._can_change, id="grid")

    def show_run(self, run: RunView) -> None:
        """Show another run."""
        if run is not self.run:
            self.run, self._picked, self._page, self._whole, self._opened = run, None, 0, set(), set()
            self.end_zoom()
            self._layers = self._layers_to_show(run)
            self._arrange()
        if run.over and self._picked is None:
            # The answer stands in the chat; the panes of a run that is over are opened to see its sources.
            self.pick(max(1, len(run.layers) - 1))

    def set_beside(self, is_beside: bool) -> None:
        """Say whether the conversation, with the answer, stands beside the panes."""
        self._is_beside_chat = is_beside

    def set_mode_words(self, words: str) -> None:
        """Say behind the tabs how the person has divided the room."""
        self._mode_words = words
        if self.run is not None:
            self._draw_tabs(self.run)

    def tick(self, turn: int = 0, every: int = 1) -> None:
        """Bring the panes on the screen up to date, or, of as many parts as `every`, part `turn` of them.

        The panes of a part are neighbours: what is drawn anew is all that lies between those that changed.
        """
        run = self.run
        if run is None or not self.display:
            return
        if turn == 0:
            self._keep_up(run)
        now = run.now
        panes = self.panes
        for pane in panes[len(panes) * turn // every : len(panes) * (turn + 1) // every]:
            pane.tick(now)
        if turn == 0:
            for title in self.query(PaneTitle):
                title.tick()
            self._draw_tabs(run)

    def _keep_up(self, run: RunView) -> None:
        """Arrange the panes anew where the run has gone on to others, or some are to be folded."""
        layers = self._layers_to_show(run)
        if layers != self._layers:
            self._layers, self._page = layers, 0
            self._arrange()
        elif self._folds_now(run) != self._folds:
            # Or an agent has joined the layer; the page that is shown stays.
            self._arrange()

    def _layers_to_show(self, run: RunView) -> tuple[int, ...]:
        """The layer picked or at work, and before it the one that it reads where there is room for both."""
        if self._zoomed is not None:
            return self._layers
        if self._picked is not None:
            return (self._picked,)
        at_work = run.layer
        if at_work == 1 or run.over:
            return (at_work,)
        if self._is_beside_chat and run.writer is not None and run.writer.call.layer == at_work:
            return (at_work - 1,)  # What is written stands in the conversation.
        return (at_work - 1, at_work) if self.app.size.width >= room.TWO_LAYERS_WIDTH else (at_work,)

    def _folds_now(self, run: RunView) -> list[list[bool]]:
        return [self._folds_of(run, run.layers[number - 1]) for number in self._layers]

    def _folds_of(self, run: RunView, views: Sequence[CallState]) -> list[bool]:
        """Which panes of a layer are folded: those that have ended a while ago, while others still write."""
        if run.over or all(view.over for view in views):
            return [False] * len(views)
        read_back = {pane.view.call for pane in self.panes if pane.is_read_back and pane.view is not None}
        now = run.now
        return [
            view.reply is not None
            and (view.reply.reused or now - view.reply.ended >= _FOLDED_AFTER_SECONDS)
            and view.call not in self._opened | read_back
            for view in views
        ]

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

    @property
    def is_zoomed(self) -> bool:
        """True while one pane has all the room."""
        return self._zoomed is not None

    def show_kind(self, kind: Kind) -> None:
        """Show the agents' texts, or their reasoning."""
        self.kind = kind
        self._arrange()

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        match action:
            case "add_agent":
                return self._can_change
            case "zoom":
                return self.is_zoomed or any(pane.has_focus for pane in self.panes)
            case "back":
                return self.is_zoomed or self._closes_on_escape
            case _:
                return True

    def action_layer(self, step: int) -> None:
        if self.run is not None:
            number = min(max(1, self._layers[-1] + step), len(self.run.layers))
            self.pick(number)

    def action_add_agent(self) -> None:
        if self.run is not None:
            self.post_message(self.AgentRequested())

    def pick(self, layer: int, page: int = 0) -> None:
        """Show this layer and page, and stop following the run."""
        self.end_zoom()
        self._picked, self._layers, self._page = layer, (layer,), page
        self._arrange()

    def action_follow(self) -> None:
        if self.run is not None:
            self.end_zoom()
            self._picked, self._page = None, 0
            self._layers = self._layers_to_show(self.run)
            self._arrange()

    def action_page(self, step: int) -> None:
        """Show other panes of the layer; of one that is zoomed, the neighbour."""
        if self.run is None:
            return
        if self._zoomed is not None:
            views = self._views(self.run)
            place = next((at for at, view in enumerate(views) if view is self._zoomed), 0)
            self._zoomed = views[min(max(0, place + step), len(views) - 1)]
        elif self._picked is None and len(self._layers) == 1:
            self._picked = self._layers[0]
        self._page = max(0, self._page + step)
        self._arrange()

    # Zoom

    def action_zoom(self) -> None:
        """Give the focused pane all the room, or the others theirs again."""
        focused = next((pane for pane in self.panes if pane.has_focus), None)
        if self._zoomed is None and focused is not None:
            self._zoomed = focused.view
            self.post_message(self.RoomChanged())
            self._arrange()
        else:
            self.end_zoom()
            self._arrange()

    @property
    def _closes_on_escape(self) -> bool:
        """True for panes over the conversation that were opened to look at a run that is over."""
        is_over = self.run is not None and self.run.over
        return is_over and self.has_class("-open") and not self._is_beside_chat

    def action_back(self) -> None:
        """End the zoom; or close the panes, and let the key go on to bring the focus back to the prompt."""
        if self._zoomed is not None:
            self.end_zoom()
            self._arrange()
        elif self._closes_on_escape:
            self.remove_class("-open")
            self.post_message(self.RoomChanged())
            raise SkipAction

    def end_zoom(self) -> None:
        """Give the other panes their room again, where one has all."""
        if self._zoomed is not None:
            self._zoomed = None
            self.post_message(self.RoomChanged())

    # What is read

    @property
    def _reading(self) -> CallState | None:
        """The call whose pane or title has the focus."""
        focused = self.screen.focused
        return focused.view if isinstance(focused, PaneTitle | AgentPane) else None

    def on_descendant_focus(self) -> None:
        self._refold()

    def on_descendant_blur(self) -> None:
        self._refold()

    def _refold(self) -> None:
        """Open the pane whose title has the focus; fold what was opened once the focus is elsewhere.

        Not before: Tab would come to the same titles again and again.
        """
        reading = self._reading
        if reading is None:
            self._opened.clear()
        else:
            self._opened.add(reading.call)
        if self.run is not None and self._folds_now(self.run) != self._folds:
            self._arrange(with_pane=reading)

    def on_resize(self) -> None:
        self._arrange(with_pane=self._reading)

    # Arranging

    def _views(self, run: RunView) -> list[CallState]:
        """The calls of the layers that are shown, in order."""
        return [view for number in self._layers for view in run.layers[number - 1]]

    def _arrange(self, with_pane: CallState | None = None) -> None:
        """Give each agent of the page a pane, and those that are folded a title line.

        The page is the one with the pane `with_pane` where that is given.
        """
        run = self.run
        if run is None or not self.is_mounted or not self.size.width:
            return
        self._folds = self._folds_now(run)
        self._pages = self._paginate(run, with_pane)
        self._page = max(page.number for page in self._pages)
        if self._zoomed is None:
            self._whole = {
                number for number, page in zip(self._layers, self._pages, strict=True) if page.count == 1
            }
        shown: list[Shown] = []
        for number, page in zip(self._layers, self._pages, strict=True):
            views = run.layers[number - 1]
            shown.append(Shown([views[at] for at in page.panes], [views[at] for at in page.titles]))
        if self._zoomed is not None:
            shown = [Shown([self._zoomed], [])]
        self.query_one(PaneGrid).show(shown, self._views(run), self.kind, self._layer_names(run))
        self.call_after_refresh(self.tick)

    def _layer_names(self, run: RunView) -> dict[int, str]:
        """The words before the names of agents, by their layer, where several layers are shown."""
        return {number: run.layer_name(number) for number in self._layers} if len(self._layers) > 1 else {}

    def _paginate(self, run: RunView, with_pane: CallState | None) -> list[room.Page]:
        pages = []
        height = self.size.height - 1
        places = room.section_places(self.size.width, len(self._layers))
        for number, folds, (_, width) in zip(self._layers, self._folds, places, strict=True):
            was_whole = number in self._whole
            if with_pane is not None and with_pane.call.layer == number:
                pane = with_pane.call.index - 1
                page = room.page_of(width, height, folds, pane, was_whole=was_whole)
            else:
                page = room.paginate(width, height, folds, self._page, was_whole=was_whole)
            pages.append(page)
        return pages

    def _draw_tabs(self, run: RunView) -> None:
        layers = []
        for number in range(1, len(run.layers) + 1):
            is_shown = number in self._layers
            style = Style(bold=is_shown, reverse=is_shown) + Style.from_meta({"layer": number})
            layers.append(Content(f" {run.layer_name(number)} {run.glyphs(number)} ").stylize(style))
        tabs = Content("│").join(layers)
        if self._zoomed is not None:
            tabs = tabs + Content(f"  {self._zoomed.label} alone, z shows the others")
        elif any(page.count > 1 for page in self._pages):
            pages = Content.assemble(
                f"  {self._range_words(run)} ",
                Content(" ‹ ").stylize(Style.from_meta({"page": -1})),
                Content(" › ").stylize(Style.from_meta({"page": 1})),
            )
            tabs = tabs + pages
        if not run.over and run.layer not in self._layers_in_sight(run):
            tabs = tabs + Content(f"  {GLYPHS['writing']} {run.layer_name(run.layer)} is at work, f follows")
        if self.kind == "reasoning":
            tabs = tabs + Content("  reasoning")
        if self._mode_words:
            tabs = tabs + Content(f"  {self._mode_words}").stylize("$foreground 65%")
        if not self._tabs.is_same(tabs):
            self._tabs = tabs
            self.query_one("#tabs", Static).update(tabs)

    def _layers_in_sight(self, run: RunView) -> tuple[int, ...]:
        """The layers that are shown, and the one at work where the run is followed."""
        is_followed = self._picked is None and self._zoomed is None
        return (*self._layers, run.layer) if is_followed else self._layers

    def _range_words(self, run: RunView) -> str:
        """Which agents of how many are on the screen, as `1-3 of 6`, for each layer with several pages."""
        words = []
        for number, page in zip(self._layers, self._pages, strict=True):
            if page.count > 1:
                first, last = page.panes[0] + 1, page.panes[-1] + 1
                span = f"{first}" if first == last else f"{first}-{last}"
                words.append(f"{span} of {len(run.layers[number - 1])}")
        return ", ".join(words)

    def on_click(self, event: events.Click) -> None:
        meta = event.style.meta
        if "layer" in meta:
            self.pick(int(meta["layer"]))
        elif "page" in meta:
            self.action_page(int(meta["page"]))
