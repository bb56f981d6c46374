"""A chat view without a screen, for tests of single controllers."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence
    from typing import Any

    from moa_tui.chat.prompt_text import PromptText
    from moa_tui.chat.session import NewTurn
    from moa_tui.conversation import Turn
    from moa_tui.errors import MoaTuiError
    from moa_tui.ui.run.run_view import RunView


@dataclass
class FakePrompt:
    """The prompt; `text` is what was put back into it."""

    text: str = ""
    earlier: list[str] = field(default_factory=list)

    def put_back(self, text: str) -> None:
        self.text = text


@dataclass
class FakeBox:
    prompt: FakePrompt = field(default_factory=FakePrompt)
    draft: PromptText | None = None


@dataclass
class FakePanel:
    run: RunView | None = None


@dataclass
class FakeTranscript:
    """Turns that are over, by the views of their runs."""

    ended: list[tuple[RunView, Turn]] = field(default_factory=list)

    @property
    def last_run(self) -> RunView | None:
        return self.ended[-1][0] if self.ended else None

    def turn_of(self, run: RunView) -> Turn | None:
        return next((turn for view, turn in self.ended if view is run), None)


class FakeView:
    """What controllers ask of a `ChatView`, kept in lists. Dialogs are not shown: a test answers them."""

    def __init__(self) -> None:
        self.box = FakeBox()
        self.panel = FakePanel()
        self.transcript = FakeTranscript()
        self.said: list[str] = []
        self.complaints: list[MoaTuiError] = []
        self.dialogs: list[tuple[object, Callable[[Any], None] | None]] = []
        self.started: list[Callable[[], Awaitable[object]]] = []
        self.copied: list[str] = []
        self.is_prompt_focused = False

    def say(self, text: str, **_: object) -> None:
        self.said.append(text)

    def complain(self, error: MoaTuiError) -> None:
        self.complaints.append(error)

    def show_dialog(self, dialog: object, on_result: Callable[[Any], None] | None = None) -> None:
        self.dialogs.append((dialog, on_result))

    def start(self, action: Callable[[], Awaitable[object]], group: str) -> None:
        self.started.append(action)

    def copy(self, text: str) -> None:
        self.copied.append(text)

    def focus_prompt(self) -> None:
        self.is_prompt_focused = True


class FakeFollowing:
    """Keeps the turns that were to be shown and the prompts that were put back."""

    def __init__(self) -> None:
        self.shown: list[NewTurn] = []
        self.returned: list[PromptText] = []

    async def show(self, new: NewTurn, *, jump: bool = True) -> None:
        self.shown.append(new)

    def put_back(self, prompts: Sequence[PromptText]) -> None:
        self.returned += prompts


class FakeLabels:
    """Counts how often each part of the words around the conversation is renewed."""

    def __init__(self) -> None:
        self.renewed: list[str] = []

    def renew_queue(self) -> None:
        self.renewed.append("queue")

    def renew_estimate(self) -> None:
        self.renewed.append("estimate")
