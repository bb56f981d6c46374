"""The form of a layer's options or of a run's limits, with a line of help on every option."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

from textual import on
from textual.binding import Binding
from textual.containers import Horizontal, Vertical, VerticalScroll
from textual.content import Content
from textual.message import Message
from textual.widgets import Input, Label, Static, TextArea

from moa_tui.ui.screens.guard import GuardedDialog
from moa_tui.ui.screens.recipes.recipe_dialogs import DropScreen
from moa_tui.ui.screens.recipes.recipe_options import is_long
from moa_tui.ui.widgets.choice_line import ChoiceLine
from moa_tui.ui.widgets.key_bar import KeyBar

if TYPE_CHECKING:
    from textual import events
    from textual.app import ComposeResult
    from textual.binding import BindingType
    from textual.widget import Widget

    from moa_tui.ui.screens.recipes.option_sets import OptionSet, Verdict
    from moa_tui.ui.screens.recipes.recipe_options import Option


# The fields have these keys and not the screen, because the list of fields would scroll at them. A line of
# text has them too, because it has bindings of its own for them.
_MOVES: list[BindingType] = [
    Binding("down", "app.focus_next", "Next option", id="options.next"),
    Binding("up", "app.focus_previous", "Option before", id="options.previous", show=False),
]


class OptionLine(Input):
    """The field of an option that is one line of text."""

    HELP_TITLE = "Options"
    BINDINGS: ClassVar[list[BindingType]] = _MOVES


class OptionField(Vertical):
    """Shows one option: its name and value, a line of help, and below what is wrong."""

    HELP_TITLE = "Options"
    BINDINGS: ClassVar[list[BindingType]] = _MOVES

    class Edited(Message):
        """The text of the option was changed."""

    def __init__(self, option: Option, options: OptionSet) -> None:
        super().__init__(id=f"{option.id}-option", classes="option")
        self.option = option
        self._options = options
        self._given = options.texts[option.key]
        self._loaded = ""

    def compose(self) -> ComposeResult:
        with Horizontal(classes="line"):
            yield Label(self.option.label, markup=False)
            yield self._editor()
        yield Static(self._help(self._given), classes="help", markup=False)
        yield Static(classes="problem", markup=False)

    def _editor(self) -> Widget:
        option, empty = self.option, self._options.empty(self.option)
        if words := self._options.allowed_words(option):
            return ChoiceLine(words, self._given or empty, empty, id=option.id)
        if is_long(option):
            area = TextArea(self._given, id=option.id, compact=True, highlight_cursor_line=False)
            area.placeholder = Content(f"default: {empty}")
            # The line ends of the text in the area may differ from those given.
            self._loaded = area.text
            return area
        return OptionLine(
            self._given, placeholder=f"default: {empty}", id=option.id, compact=True, select_on_focus=False
        )

    @property
    def text(self) -> str:
        """The option's value as it was typed or chosen; empty for the default."""
        editor = self.query_one(f"#{self.option.id}")
        match editor:
            case ChoiceLine():
                return "" if editor.value == self._options.empty(self.option) else editor.value
            case TextArea():
                return self._given if editor.text == self._loaded else editor.text
            case Input():
                return editor.value
        raise AssertionError(editor)

    def mark(self, problem: str | None) -> None:
        """Show what is wrong with the option; None for nothing."""
        self.set_class(problem is not None, "-wrong")
        wrong = "✗ " if problem is not None else ""
        self.query_one(Label).update(Content(f"{wrong}{self.option.label}"))
        self.query_one(".problem", Static).update(Content(f"✗ {problem}" if problem else ""))
        self.query_one(".help", Static).update(Content(self._help(self.text)))

    def enter(self) -> None:
        """Focus the part of the field that can be edited."""
        self.query_one(f"#{self.option.id}").focus()

    def on_descendant_focus(self, _: events.DescendantFocus) -> None:
        # The whole field is shown, and not only the line that is typed into.
        self.call_after_refresh(self.scroll_visible, animate=False)

    def _help(self, text: str) -> str:
        return self._options.help(self.option, text or self._options.empty(self.option))

    @on(Input.Changed)
    @on(TextArea.Changed)
    @on(ChoiceLine.Changed)
    def _edited(self, event: Message) -> None:
        event.stop()
        self.post_message(self.Edited())


class OptionsForm(GuardedDialog[dict[str, Any] | None]):
    """Edits options and gives a table of those that are not at their defaults; None where nothing changed."""

    HELP_TITLE = "Options"
    HELP_TOPIC = "layers"
    CSS_PATH = "options_form.tcss"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("ctrl+s,enter", "save", "Save", id="options.save"),
        Binding("escape", "close", "Back", id="options.close"),
    ]

    def __init__(self, options: OptionSet) -> None:
        super().__init__()
        self._options = options
        self._fields: list[OptionField] = []
        self._verdict: Verdict | None = None

    def compose(self) -> ComposeResult:
        self._fields = [OptionField(option, self._options) for option in self._options.options]
        with Vertical(id="box"):
            yield Static(Content(self._options.title), id="title")
            with VerticalScroll(id="fields", can_focus=False):
                yield from self._fields
            yield Static(id="status", markup=False)
            yield KeyBar()

    def on_mount(self) -> None:
        self._recheck()
        for field in [field for field in self._fields if field.display][:1]:
            field.enter()

    def on_resize(self, _: events.Resize) -> None:
        self.call_after_refresh(self._leave_room)

    def _leave_room(self) -> None:
        """Limit the height of the fields, so that what is below them stays on the screen."""
        box, fields = self.query_one("#box"), self.query_one("#fields")
        around = sum(
            child.outer_size.height for child in box.children if child is not fields and child.display
        )
        fields.styles.max_height = max(3, self.size.height - around - box.gutter.height)
        for field in self._fields:
            if field.has_focus_within:
                self.call_after_refresh(field.scroll_visible, animate=False)

    @property
    def texts(self) -> dict[str, str]:
        """The texts of all options, by key."""
        return {field.option.key: field.text for field in self._fields}

    @on(OptionField.Edited)
    def _recheck(self) -> None:
        texts = self.texts
        shown = self._options.shown(texts)
        self._verdict = self._options.check(texts)
        problems = self._verdict.problems
        for field in self._fields:
            field.display = field.option.key in shown
            field.mark(problems.get(field.option.key))
        # The problem of an option that is not shown can be read nowhere else.
        hidden = [problem for key, problem in problems.items() if key not in shown]
        status = self.query_one("#status", Static)
        status.display = bool(hidden)
        status.set_class(bool(hidden), "-wrong")
        status.update(Content(f"✗ {hidden[0]}" if hidden else ""))
        self.call_after_refresh(self._leave_room)

    @on(Input.Submitted)
    def action_save(self) -> None:
        """Give the options if they are valid; else focus the first that is not."""
        self._recheck()
        verdict = self._verdict
        if verdict is None or self.texts == self._options.texts:
            self.dismiss(None)
        elif verdict.problems and not verdict.wants_other_agents:
            wrong = [field for field in self._fields if field.option.key in verdict.problems]
            wrong[0].enter()
        else:
            self.dismiss(dict(verdict.table))

    @property
    def unsaved(self) -> str | None:
        """See `GuardedScreen`."""
        is_changed = self.texts != self._options.texts
        return "These options were changed and are not saved." if is_changed else None

    def action_close(self) -> None:
        """Leave the form; ask first if changes would be lost."""

        def leave(drop: bool | None) -> None:
            if drop:
                self.dismiss(None)

        if (words := self.unsaved) is not None:
            self.open(DropScreen(words), leave)
        else:
            self.dismiss(None)
