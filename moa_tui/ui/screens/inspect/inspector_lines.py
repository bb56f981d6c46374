"""What the inspector says of a call around its body: its tabs, its head lines, its neighbours. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, get_args

from textual.content import Content

from moa_tui.engine.values import CallId
from moa_tui.text.safe import one_line, without_controls
from moa_tui.ui.rows.text_rows import MUTED
from moa_tui.ui.run.inspector_rows import error_text, figures, figures_text, messages_text
from moa_tui.ui.run.step_rows import step_text
from moa_tui.ui.run.timeline import layer_began
from moa_tui.ui.screens.tabs import clickable, tab_line

if TYPE_CHECKING:
    from moa_tui.ui.run.call_state import CallState
    from moa_tui.ui.run.run_view import RunView

Tab = Literal["Answer", "Reasoning", "Messages", "Numbers", "Error", "Parts"]
TABS: tuple[Tab, ...] = get_args(Tab)
"""All tabs. Parts is only there for a call that writes its answer in steps."""


def tabs_of(view: CallState) -> tuple[Tab, ...]:
    """The tabs that there are for a call."""
    return TABS if view.in_steps else TABS[:-1]


def name_line(run: RunView, view: CallState) -> Content:
    """The call's layer, its place in the layer between two arrows to click, its agent and its model."""
    call, size = view.call, len(run.layers[view.call.layer - 1])
    name = view.reply.agent if view.reply else view.agent.name
    model = view.reply.model if view.reply else view.agent.model
    place = Content(f"{call.index} of {size}")
    if size > 1:
        place = Content.assemble(
            clickable("‹", "neighbour(-1)"), " ", place, " ", clickable("›", "neighbour(1)")
        )
    return Content.assemble(
        (run.layer_name(call.layer), "bold"),
        " ",
        place,
        "  ",
        (without_controls(one_line(name)), "bold"),
        (f"  {without_controls(one_line(model))}", MUTED),
    )


def state_line(run: RunView, view: CallState, tab: Tab, *, is_raw: bool) -> Content:
    """The call's state and numbers, and under Answer whether its text is shown as it is written."""
    state = "– not asked" if run.over and view.reply is None else view.state_words
    parts = [state, *view.numbers(run.now)]
    if tab == "Answer":
        parts.append("as it is written" if is_raw or not view.over else "Markdown")
    return Content(" · ".join(parts))


def tabs_line(run: RunView, view: CallState, current: Tab) -> Content:
    """The tabs to click; Error carries a mark where the call failed."""
    labels: dict[str, str] = {tab: tab for tab in tabs_of(view)}
    if error_text(run, view):
        labels["Error"] = "Error!"
    return tab_line(labels, current, "show_tab")


def source_text(run: RunView, view: CallState, tab: Tab) -> str:
    """The text behind what a tab shows, to copy; empty where there is none."""
    match tab:
        case "Answer":
            return view.written("text")
        case "Reasoning":
            return view.written("reasoning")
        case "Messages":
            return messages_text(view.messages)
        case "Numbers":
            return figures_text(figures(run, view))
        case "Error":
            return error_text(run, view)
        case "Parts":
            return step_text(run, view)


def is_stoppable(run: RunView, view: CallState) -> bool:
    """True while the call's layer has begun and neither the call nor the run is over."""
    return layer_began(run, view.call.layer) is not None and not view.over and not run.over


def neighbour_of(run: RunView, call: CallId, step: int) -> CallId:
    """The call `step` places further in the same layer, which is read as a ring."""
    size = len(run.layers[call.layer - 1])
    return CallId(call.layer, (call.index - 1 + step) % size + 1)


def call_in_layer(run: RunView, call: CallId, step: int) -> CallId | None:
    """The call at the same place `step` layers further; None where there is no such layer.

    In a layer that is shorter, it is the last call.
    """
    layer = call.layer + step
    if not 1 <= layer <= len(run.layers):
        return None
    return CallId(layer, min(call.index, len(run.layers[layer - 1])))
