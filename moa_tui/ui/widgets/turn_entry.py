"""A turn in the list of a conversation, whether or not it is mounted."""

from __future__ import annotations

import weakref
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from moa_tui.ui.run import run_view
from moa_tui.ui.widgets.turn_view import TurnView

if TYPE_CHECKING:
    from moa_tui.conversation import Turn


@dataclass
class TurnEntry:
    """A turn of the list, with its view while it is mounted.

    The run of a turn that is over lives as long as somebody shows it; later it is made anew from the turn.
    """

    turn: Turn
    view: TurnView | None = None
    place: tuple[int, int] = (1, 1)
    replaced: list[TurnEntry] = field(default_factory=list)
    """The entries that this one replaced; they come back if its run never begins."""
    _going: run_view.RunView | None = None
    """The run until its turn is settled: nothing else holds what came of it."""
    _shown: weakref.ref[run_view.RunView] | None = None

    @property
    def run(self) -> run_view.RunView | None:
        """The run, where the turn has been mounted and its run is still shown, here or elsewhere."""
        return self._going or (self._shown() if self._shown is not None else None)

    def begin(self, run: run_view.RunView) -> None:
        """Note that `run` answers the turn from now on."""
        self._going = run if self.turn.outcome is None else None
        self._shown = weakref.ref(run)

    def settle(self, turn: Turn) -> None:
        """Note that the run is over, and has come to `turn`."""
        self.turn, self._going, self.replaced = turn, None, []

    def make_view(self) -> TurnView:
        """A new view of the turn, to be mounted."""
        run = self.run or run_view.RunView.of(self.turn)
        self._shown = weakref.ref(run)
        self.view = TurnView(self.turn, run, place=self.place)
        return self.view
