"""The form of one agent: fields for what can be typed, and a line on its other settings."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from textual import on
from textual.containers import Horizontal, Vertical
from textual.content import Content
from textual.message import Message
from textual.widgets import Input, Label, Static, TextArea

from moa_tui.engine.agent import EFFORTS
from moa_tui.ui.screens.recipes.recipe_draft import FIELDS
from moa_tui.ui.widgets.choice_line import ChoiceLine

if TYPE_CHECKING:
    from collections.abc import Container, Mapping

    from textual.app import ComposeResult

    from moa_tui.ui.screens.recipes.recipe_draft import AgentDraft

_LABELS = {
    "max_tokens": "max tokens",
    "max_cost": "max cost $",
    "reasoning_effort": "effort",
    "system": "system prompt",
}
_LINES = FIELDS[:-1]
_EFFORT = "reasoning_effort"
_EMPTY = {"max_cost": "no limit of its own"}
_OWN_EFFORT = "the model's own"


class AgentForm(Vertical):
    """Shows the draft of an agent, and writes what is typed into the draft at each key."""

    DEFAULT_CSS = """
    AgentForm {
        height: 1fr;
        .field { height: 1; border-left: blank; }
        .field:focus-within { border-left: outer $primary; }
        .field Label { width: 13; text-style: none; }
        .field:focus-within Label { text-style: bold; }
        .field Input, .field ChoiceLine { width: 1fr; background: $boost; }
        .field ChoiceLine:focus { text-style: bold reverse; }
        .field .input--placeholder, .field .text-area--placeholder { color: $text-muted; }
        .field.-wrong Label { text-style: bold; color: $text-error; }
        #system-field { height: 1fr; min-height: 3; layout: vertical; }
        #system-field Label { width: 1fr; }
        #system-field TextArea { height: 1fr; background: $boost; padding: 0; }
        #kept { height: auto; max-height: 3; padding: 0 0 0 1; color: $text-muted; }
    }
    """

    class Edited(Message):
        """Something was typed, and the draft has it."""

    def __init__(self, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self._agent: AgentDraft | None = None
        self._loaded = ""

    def compose(self) -> ComposeResult:
        for key in _LINES:
            with Horizontal(id=f"{key}-field", classes="field"):
                yield Label(_LABELS.get(key, key), markup=False)
                if key == _EFFORT:
                    yield ChoiceLine((_OWN_EFFORT, *EFFORTS), _OWN_EFFORT, _OWN_EFFORT, id=key)
                else:
                    yield Input(id=key, compact=True, select_on_focus=False)
        yield Static(id="kept", markup=False)
        with Vertical(id="system-field", classes="field"):
            yield Label(_LABELS["system"], markup=False)
            yield TextArea(id="system", compact=True, highlight_cursor_line=False)

    def show(self, agent: AgentDraft, defaults: Mapping[str, Any]) -> None:
        """Show an agent; `defaults` has the values that its empty fields stand for."""
        if self._agent is not None and agent is not self._agent:
            self._write_all(self._agent)
        self._agent = agent
        implied = {"name": agent.texts["model"].rsplit("/", 1)[-1], "count": "1", **defaults}
        with self.prevent(Input.Changed, TextArea.Changed):
            for line in self.query(Input):
                key = str(line.id)
                line.value = agent.texts[key]
                empty = _EMPTY.get(key, "the provider's own")
                line.placeholder = f"default: {implied[key]}" if key in implied else empty
            self._show_effort(agent.texts[_EFFORT], defaults.get(_EFFORT))
            self.query_one("#model", Input).placeholder = "provider/model, or F3 to find one"
            area = self.query_one(TextArea)
            area.load_text(agent.texts["system"])
            # The line ends of the text in the area may differ from the draft's.
            self._loaded = area.text
            area.placeholder = Content(f"default: {implied.get('system', 'none')}")
        others = ", ".join(f"{key} {_in_words(value)}" for key, value in agent.settings.items())
        self.query_one("#kept", Static).update(Content(f"also set: {others}" if others else ""))

    def _show_effort(self, effort: str, default: str | None) -> None:
        """Show an agent's effort; where it has none, the recipe's default or the model's own."""
        empty = _OWN_EFFORT if default is None else f"default: {default}"
        line = self.query_one(ChoiceLine)
        line.offer((empty, *EFFORTS), effort or empty, empty if default is None else "")

    def mark(self, wrong: Container[str]) -> None:
        """Mark the fields whose keys are in `wrong`, and no others."""
        for key in FIELDS:
            self.query_one(f"#{key}-field").set_class(key in wrong, "-wrong")
            words = _LABELS.get(key, key)
            self.query_one(f"#{key}-field Label", Label).update(
                Content(f"✗ {words}" if key in wrong else words)
            )

    @on(Input.Changed)
    def _line_typed(self, event: Input.Changed) -> None:
        event.stop()
        if event.value == event.input.value:
            self._write(str(event.input.id), event.value)

    @on(ChoiceLine.Changed)
    def _effort_chosen(self, event: ChoiceLine.Changed) -> None:
        event.stop()
        self._write(_EFFORT, self._effort)

    @property
    def _effort(self) -> str:
        """The effort that was chosen; empty for the default."""
        value = self.query_one(ChoiceLine).value
        return value if value in EFFORTS else ""

    @on(TextArea.Changed)
    def _area_typed(self, event: TextArea.Changed) -> None:
        event.stop()
        self._write("system", event.text_area.text)

    @on(Input.Submitted)
    def _next(self, event: Input.Submitted) -> None:
        event.stop()
        self.screen.focus_next()

    def _write(self, key: str, text: str) -> None:
        if self._agent is not None and self._agent.texts[key] != text:
            self._agent.texts[key] = text
            self.post_message(self.Edited())

    def _write_all(self, agent: AgentDraft) -> None:
        """Write all fields into the draft: the widgets may not have reported their last changes yet."""
        for line in self.query(Input):
            agent.texts[str(line.id)] = line.value
        agent.texts[_EFFORT] = self._effort
        if (text := self.query_one(TextArea).text) != self._loaded:
            agent.texts["system"] = text


def _in_words(value: object) -> str:
    if isinstance(value, tuple):
        return " then ".join(map(str, value))
    if isinstance(value, dict):
        return ", ".join(f"{key} {item}" for key, item in value.items())
    return str(value)
