"""The search for a model among those of litellm, of local servers and of the config's endpoints."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, ClassVar

from textual import on, work
from textual.binding import Binding
from textual.containers import Vertical
from textual.content import Content
from textual.widgets import Input, OptionList, Static

from moa_tui.recipes.models import ModelChoice
from moa_tui.text.cells import fit
from moa_tui.text.safe import one_line
from moa_tui.ui.screens.guard import GuardedDialog
from moa_tui.ui.widgets.key_bar import KeyBar

if TYPE_CHECKING:
    from collections.abc import Sequence

    from textual import events
    from textual.app import ComposeResult
    from textual.binding import BindingType

    from moa_tui.recipes.models import ModelCatalog

# More rows than anybody reads; each row takes a little time at every key.
MOST_SHOWN = 200


class ModelScreen(GuardedDialog[ModelChoice | None]):
    """Finds models by name, provider or server; gives the chosen one, None where none was chosen."""

    HELP_TITLE = "Models"
    HELP_TOPIC = "recipes"
    CSS_PATH = "model_screen.tcss"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("up", "move(-1)", "Up", id="models.up", show=False),
        Binding("down", "move(1)", "Down", id="models.down", show=False),
        Binding("pageup", "page(-1)", "Page up", id="models.page_up", show=False),
        Binding("pagedown", "page(1)", "Page down", id="models.page_down", show=False),
        Binding("enter", "choose", "Choose", id="models.choose", priority=True),
        Binding("escape", "close", "Close", id="models.close"),
    ]

    def __init__(self, catalog: ModelCatalog, current: str = "") -> None:
        super().__init__()
        self._catalog = catalog
        self._current = current
        self._models: Sequence[ModelChoice] = ()
        self._shown_models: list[ModelChoice] = []

    def compose(self) -> ComposeResult:
        with Vertical(id="box"):
            yield Static("Choose a model", id="title", markup=False)
            yield Input(placeholder="type part of a name, provider or server", id="filter", compact=True)
            yield Static(id="columns", markup=False)
            yield OptionList(id="models", markup=False, compact=True)
            yield Static("Looking for models…", id="about", markup=False)
            yield KeyBar()

    def on_mount(self) -> None:
        self.query_one(Input).focus()
        self._look()

    @work(exclusive=True)
    async def _look(self) -> None:
        try:
            self._models = await asyncio.to_thread(self._catalog.models)
        except Exception as error:
            words = f"✗ the models could not be listed: a fault of moa-tui's ({type(error).__name__})"
            self.query_one("#about", Static).update(Content(words))
            raise
        self._show()

    @on(Input.Changed)
    def _narrow(self) -> None:
        if self._models:
            self._show()

    def on_resize(self, _: events.Resize) -> None:
        if self._models:
            self.call_after_refresh(self._show)

    def _show(self) -> None:
        words = self.query_one(Input).value.casefold().split()
        matches = [
            model
            for model in self._models
            if all(word in f"{model.name} {model.where}".casefold() for word in words)
        ]
        if words:
            # Who types "gpt" means gpt-5 sooner than ft:gpt-4.
            matches.sort(key=lambda model: not model.name.rsplit("/", 1)[-1].casefold().startswith(words[0]))
        self._shown_models = matches[:MOST_SHOWN]
        options = self.query_one(OptionList)
        width = options.size.width - 2  # the scrollbar
        self.query_one("#columns", Static).update(
            Content(_columns("model", "where", "context", "$/M in", "out", width))
        )
        options.set_options(Content(_row(model, width)) for model in self._shown_models)
        names = [model.name for model in self._shown_models]
        options.highlighted = (names.index(self._current) if self._current in names else 0) if names else None
        title = f"Choose a model: {len(self._shown_models)} of {len(self._models):,} shown"
        self.query_one("#title", Static).update(Content(title))
        if not self._shown_models:
            self._show_about(
                "Nothing matches. The model field takes any name typed into it, as litellm writes it."
            )

    @on(OptionList.OptionHighlighted)
    def _describe(self, event: OptionList.OptionHighlighted) -> None:
        if event.option_index < len(self._shown_models):
            self._show_about(about(self._shown_models[event.option_index]))

    @on(OptionList.OptionSelected)
    def action_choose(self) -> None:
        """Give the highlighted model."""
        index = self.query_one(OptionList).highlighted
        if index is not None:
            self.dismiss(self._shown_models[index])

    def action_move(self, by: int) -> None:
        """Move the highlight by rows while the keys typed go on to the filter."""
        options = self.query_one(OptionList)
        if options.highlighted is not None:
            options.highlighted = max(0, min(options.highlighted + by, options.option_count - 1))

    def action_page(self, by: int) -> None:
        """Move the highlight by pages while the keys typed go on to the filter."""
        self.action_move(by * self.query_one(OptionList).size.height)

    def action_close(self) -> None:
        """Leave without a model."""
        self.dismiss(None)

    def _show_about(self, text: str) -> None:
        self.query_one("#about", Static).update(Content(text))


def about(model: ModelChoice) -> str:
    """The lines on a model: its name, server, context window, price, and the key that is missing."""
    where = f"{model.where} at {model.api_base}" if model.api_base else model.where
    window = f"{model.context_tokens:,} tokens of context" if model.context_tokens else "context unknown"
    if model.prompt_price is None or model.completion_price is None:
        price = "price unknown"
    elif model.prompt_price == model.completion_price == 0:
        price = "free"
    else:
        price = (
            f"${_million(model.prompt_price)} in, ${_million(model.completion_price)} out per million tokens"
        )
    # What a provider charges for its cache is told where it differs from the price of any other token.
    cache = [
        f"${_million(cached)} {words}"
        for words, cached in (("out of its cache", model.cached_price), ("into it", model.cache_write_price))
        if cached and cached != model.prompt_price
    ]
    price += f" ({', '.join(cache)})" if cache else ""
    key = f"{model.missing_key} is not set" if model.missing_key else ""
    return "\n".join(filter(None, [one_line(model.name), f"{where} · {window} · {price}", key]))


def _row(model: ModelChoice, width: int) -> str:
    window = f"{model.context_tokens / 1000:,.0f}k" if model.context_tokens else "?"
    name = f"{one_line(model.name)}{'  (no key)' if model.missing_key else ''}"
    return _columns(
        name, model.where, window, _million(model.prompt_price), _million(model.completion_price), width
    )


def _columns(name: str, where: str, window: str, prompt: str, completion: str, width: int) -> str:
    numbers = f" {fit(window, 7, right=True)} {fit(prompt, 7, right=True)} {fit(completion, 7, right=True)}"
    place = 14 if width >= 70 else 0
    return fit(name, width - len(numbers) - place) + (fit(f" {where}", place)) + numbers


def _million(price: float | None) -> str:
    """A price per token as US dollars per million tokens; "?" where the price is unknown."""
    if price is None:
        return "?"
    dollars = price * 1_000_000
    return f"{dollars:,.2f}" if dollars < 1000 else f"{dollars:,.0f}"
