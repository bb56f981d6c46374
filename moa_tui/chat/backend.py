"""What conversations run on: the models, the engine's thread, the disk and what has been spent."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from moa_tui.chat.ledger import Ledger
from moa_tui.engine.health import Health
from moa_tui.engine.limits import Endpoints
from moa_tui.settings.config import Budget

if TYPE_CHECKING:
    from moa_tui.gateway.gateway import Gateway
    from moa_tui.gateway.thread import EngineThread
    from moa_tui.store import Store
    from moa_tui.store.drafts import Drafts


def _no_budget() -> Ledger:
    return Ledger(Budget(), None)


@dataclass(frozen=True, slots=True)
class Backend:
    """The parts of the program that every conversation shares. All of them may be used from any thread.

    Without a store nothing is kept on disk, without `drafts` nothing of what was not sent. `health` is what
    runs have seen of the endpoints, and `endpoints` has the places for calls there; the engine's thread alone
    reads and changes them.
    """

    gateway: Gateway
    engine: EngineThread
    store: Store | None = None
    ledger: Ledger = field(default_factory=_no_budget)
    health: Health = field(default_factory=Health)
    endpoints: Endpoints = field(default_factory=Endpoints)
    drafts: Drafts | None = None
