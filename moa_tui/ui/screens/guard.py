"""What every screen above the chat is made of: it is left once, and what is late for it is dropped.

Keys that a terminal sends in one read are on their way to a screen before the first of them closes it, and
workers, timers and dialogs may end after it was closed. All of that would reach a screen that is gone.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

from textual.await_complete import AwaitComplete
from textual.screen import ModalScreen, Screen

from moa_tui.ui.terminal.textual_private import DeafScreen

if TYPE_CHECKING:
    from collections.abc import Callable

MOST_SCREENS = 7
"""The most screens above one another. Each is drawn through those below it, in some hundred calls deep."""

Result = TypeVar("Result")
DialogResult = TypeVar("DialogResult")


class GuardedScreen(DeafScreen[Result]):
    """A screen that gives its result once, and that ends its own work when it is left."""

    _deferred: tuple[Result | None] | None = None
    """The result to give once no other screen lies above this one."""

    @property
    def has_left(self) -> bool:
        """True once the screen has given its result. It is about to be removed, and nothing reaches it."""
        return self.is_deaf

    @property
    def unsaved(self) -> str | None:
        """What would be lost if the program were left now, as a sentence; None for nothing."""
        return None

    def dismiss(self, result: Result | None = None) -> AwaitComplete:
        """Leave the screen with `result`. Only the first call has an effect.

        Where another screen lies above, this one is left as soon as that one has been: Textual would take
        the uppermost away, whichever it is.
        """
        if self.has_left or self not in self.app.screen_stack:
            return AwaitComplete()
        if self.app.screen is not self:
            self._deferred = self._deferred or (result,)
            return AwaitComplete()
        self.is_deaf = True
        # Textual ends them only after it has removed the widgets that they are about to change.
        for worker in [worker for worker in self.workers if self in worker.node.ancestors_with_self]:
            worker.cancel()
        return super().dismiss(result)

    def on_screen_resume(self) -> None:
        if self._deferred is not None:
            self.dismiss(*self._deferred)
        elif len(self.app.screen_stack) > MOST_SCREENS:
            self.app.notify("too many screens are open: close one first", severity="warning", markup=False)
            self.dismiss(None)

    def call_after_refresh(self, callback: Callable[..., object], *args: object, **kwargs: object) -> bool:
        def call() -> object:
            return None if self.has_left else callback(*args, **kwargs)

        return super().call_after_refresh(call)

    def open(
        self,
        dialog: Screen[DialogResult],
        on_result: Callable[[DialogResult | None], None] | None = None,
    ) -> None:
        """Put `dialog` above this screen; `on_result` is called with its result while this one is there."""

        def deliver(result: DialogResult | None) -> None:
            if on_result is not None and not self.has_left:
                on_result(result)

        if not self.has_left:
            self.app.push_screen(dialog, deliver)


class GuardedDialog(ModalScreen[Result], GuardedScreen[Result]):
    """A guarded screen through which the one below can be seen."""
