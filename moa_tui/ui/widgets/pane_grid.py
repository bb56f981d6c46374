"""Where the panes of a run stand: in a grid for each layer, above the title lines of folded ones."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from textual.containers import Container
from textual.geometry import NULL_OFFSET, NULL_SPACING, Region
from textual.layout import Layout, WidgetPlacement

from moa_tui.ui.run import room
from moa_tui.ui.widgets.agent_pane import AgentPane
from moa_tui.ui.widgets.pane_title import PaneTitle

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from textual.geometry import Size
    from textual.layout import ArrangeResult
    from textual.widget import Widget

    from moa_tui.engine.values import Kind
    from moa_tui.ui.run.call_state import CallState


class Shown(NamedTuple):
    """The calls of one layer that have a pane on the screen, and those that have a title line."""

    panes: Sequence[CallState]
    titles: Sequence[CallState]


class PaneGrid(Container):
    """Keeps a pane for each call, with its text and place in it, and puts them where `room.boxes` says."""

    DEFAULT_CSS = "PaneGrid { height: 1fr; }"

    def __init__(self, *, can_change: bool, id: str | None = None) -> None:
        """`can_change` is False where the turns that are shown cannot be changed."""
        super().__init__(id=id)
        self._can_change = can_change
        self._sections: list[tuple[list[Widget], list[Widget]]] = []
        self._layout = _SectionsLayout(self)

    @property
    def layout(self) -> Layout:
        return self._layout

    def show(
        self,
        shown: Sequence[Shown],
        views: Sequence[CallState],
        kind: Kind,
        layer_names: Mapping[int, str],
    ) -> None:
        """Show these calls, the layers side by side.

        `views` are all calls of these layers, in order: their panes are kept for when they are shown again.
        `layer_names` are put before the names of agents, by their layer.
        """
        wanted = [view for section in shown for view in section.panes]
        titled = [view for section in shown for view in section.titles]
        panes, titles = self._panes(wanted, views), self._titles(titled)
        if new := [widget for widget in (*panes, *titles) if widget.parent is None]:
            self.mount_all(new)
        for pane, view in zip(panes, wanted, strict=True):
            pane.show_call(view, kind, layer_names.get(view.call.layer, ""))
        for title, view in zip(titles, titled, strict=True):
            title.show(view, layer_names.get(view.call.layer, ""))
        self._sort(views)
        self._display([*panes, *titles])
        sections: list[tuple[list[Widget], list[Widget]]] = []
        for section in shown:
            sections.append(([*panes[: len(section.panes)]], [*titles[: len(section.titles)]]))
            panes, titles = panes[len(section.panes) :], titles[len(section.titles) :]
        if sections != self._sections:
            self._sections = sections
            self.refresh(layout=True)

    def _panes(self, wanted: Sequence[CallState], views: Sequence[CallState]) -> list[AgentPane]:
        """A pane for each of these calls: its own, one of a call that is not among `views`, or a new one."""
        known = {id(view) for view in views}
        own, spare = {}, []
        for pane in self.query(AgentPane):
            if id(pane.view) in known:
                own[id(pane.view)] = pane
            else:
                spare.append(pane)
        spare.reverse()
        return [
            own.get(id(view)) or (spare.pop() if spare else AgentPane(can_change=self._can_change))
            for view in wanted
        ]

    def _titles(self, wanted: Sequence[CallState]) -> list[PaneTitle]:
        titles = list(self.query(PaneTitle))[: len(wanted)]
        return [*titles, *(PaneTitle() for _ in range(len(wanted) - len(titles)))]

    def _sort(self, views: Sequence[CallState]) -> None:
        """Bring the panes and titles into the order of their calls, in which they are drawn."""
        order = {id(view): number for number, view in enumerate(views)}

        def place(widget: Widget) -> int:
            view = widget.view if isinstance(widget, AgentPane | PaneTitle) else None
            return order.get(id(view), len(views))

        places = [place(child) for child in self.children]
        if places != sorted(places):
            self.sort_children(key=place)

    def _display(self, shown: Sequence[AgentPane | PaneTitle]) -> None:
        """Display these, and keep the focus among them where it was in the grid."""
        for widget in shown:
            widget.display = True
        focused = self.screen.focused
        if isinstance(focused, AgentPane | PaneTitle) and focused in self.children:
            panes = [widget for widget in shown if isinstance(widget, AgentPane)]
            if isinstance(focused, PaneTitle) or focused not in panes:
                target = next((pane for pane in panes if pane.view is focused.view), panes[0])
                self.screen.set_focus(target, scroll_visible=False)
        for child in self.children:
            if child.display and child not in shown:
                child.display = False

    def placements(self, size: Size) -> list[WidgetPlacement]:
        """The place of each widget in a grid of that size."""
        placements = []
        places = room.section_places(size.width, len(self._sections))
        for section, (left, width) in zip(self._sections, places, strict=True):
            boxes = room.boxes(width, size.height, len(section[0]), len(section[1]))
            for widgets, widget_boxes in zip(section, boxes, strict=True):
                for widget, box in zip(widgets, widget_boxes, strict=True):
                    region = Region(left + box.x, *box[1:])
                    placements.append(WidgetPlacement(region, NULL_OFFSET, NULL_SPACING, widget))
        return placements


class _SectionsLayout(Layout):
    """Asks the grid for the places, so that they fit its size at every moment of a resize."""

    name = "sections"

    def __init__(self, grid: PaneGrid) -> None:
        self._grid = grid

    def arrange(
        self, parent: Widget, children: list[Widget], size: Size, greedy: bool = True
    ) -> ArrangeResult:
        displayed = set(children)
        return [placement for placement in self._grid.placements(size) if placement.widget in displayed]
