"""The screens of the program, each by the keys that open it from the chat while nothing goes on."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.helpers import wait_until

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from tests.ui.chat_app import Bench


async def press(bench: Bench, *keys: str) -> None:
    """Press keys, each once the screen has come to rest."""
    for key in keys:
        await bench.press(key)
        await at_rest(bench)


async def at_rest(bench: Bench) -> None:
    await wait_until(lambda: all(worker.is_finished for worker in bench.app.workers))
    await bench.settle()


async def opened(bench: Bench, act: Callable[[], object], *, is_screen: bool = True) -> None:
    """Do what opens a screen, and wait until it is there."""
    act()
    if is_screen:
        await wait_until(lambda: len(bench.app.screen_stack) > 1 and bench.app.screen.is_mounted)
    await at_rest(bench)


def give_notices(bench: Bench) -> None:
    """Show a notice of each kind."""
    bench.app.notify("it is so", title="A title", timeout=600)
    bench.app.notify("it may be wrong", severity="warning", timeout=600)
    bench.app.notify("it is wrong", severity="error", timeout=600)


SCREENS: dict[str, Callable[[Bench], Awaitable[None]]] = {
    "chat": at_rest,
    "completions": lambda bench: press(bench, "/"),
    "find": lambda bench: press(bench, "f3", "m"),
    "a turn": lambda bench: press(bench, "ctrl+up"),
    "panes": lambda bench: press(bench, "ctrl+l"),
    "inspector": lambda bench: press(bench, "ctrl+o"),
    "timeline": lambda bench: press(bench, "ctrl+o", "t"),
    "help": lambda bench: press(bench, "f1", "e"),
    "comparison": lambda bench: press(bench, "ctrl+o", "d"),
    "messages": lambda bench: press(bench, "ctrl+o", "3"),
    "numbers": lambda bench: press(bench, "ctrl+o", "4"),
    "influence": lambda bench: press(bench, "ctrl+o", "i"),
    "guide": lambda bench: press(bench, "f1", "enter", "tab"),
    "recipes": lambda bench: press(bench, "f2"),
    "recipe editor": lambda bench: press(bench, "f2", "ctrl+e"),
    "recipe options": lambda bench: press(bench, "f2", "ctrl+e", "r"),
    "sessions": lambda bench: press(bench, "ctrl+s"),
    "rename": lambda bench: press(bench, "ctrl+s", "f2"),
    "export": lambda bench: press(bench, "ctrl+s", "f5"),
    "history": lambda bench: press(bench, "ctrl+r"),
    "themes": lambda bench: opened(bench, bench.app.choose_theme),
    "link": lambda bench: opened(bench, lambda: bench.app.ask_to_open("https://moa.example/" + "x" * 200)),
    "statistics": lambda bench: opened(bench, bench.screen.controllers.switching.show_stats),
    "notices": lambda bench: opened(bench, lambda: give_notices(bench), is_screen=False),
    "palette": lambda bench: press(bench, "ctrl+p", "t"),
}
