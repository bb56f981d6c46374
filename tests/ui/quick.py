"""Textual's own tools for tests, made quick: what they wait for is asked for, and nothing is done twice.

Of the processor's time of a key in a test most went into messages to idle widgets, and of an app's start a
quarter into parsing the same stylesheets again.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from textual._context import active_app
from textual.app import ScreenStackError
from textual.css.parse import parse
from textual.css.tokenize import tokenize_values
from textual.pilot import Pilot

if TYPE_CHECKING:
    import pytest
    from textual.app import App
    from textual.css.model import RuleSet
    from textual.css.tokenize import Token
    from textual.css.types import CSSLocation

_ROUNDS = 4
_MOST_ROUNDS = 30
"""Of looking whether the app is done: something may be drawn without end."""

_tokens: dict[tuple[tuple[str, str], ...], dict[str, list[Token]]] = {}
_rules: dict[tuple[object, ...], list[RuleSet]] = {}
_wait_for_messages = Pilot._wait_for_screen


def make_quick(patch: pytest.MonkeyPatch) -> None:
    """Put what is here into the place of Textual's own."""
    patch.setattr(Pilot, "_wait_for_screen", wait_for_screen)
    patch.setattr("textual.app.wait_for_idle", wait_until_done)
    patch.setattr("textual.pilot.wait_for_idle", wait_until_done)
    patch.setattr("textual.css.stylesheet.tokenize_values", parsed_values)
    patch.setattr("textual.css.stylesheet.parse", parsed_rules)
    # Beside thousands of tests, to look for a run's garbage takes far longer than in the program.
    patch.setattr("moa_tui.ui.chat.following.collect", lambda: None)


async def wait_for_screen(pilot: Pilot[Any], *seconds: float) -> bool:
    """Wait until the screen and its widgets have dealt with the messages that they have.

    Textual's own sends each of them one more and waits for that; here only where one is not at rest.
    """
    # Of an app that is leaving, a widget may be gone that was sent a message a moment ago.
    if not pilot.app._exit and not is_at_rest(pilot.app):
        return await _wait_for_messages(pilot, *seconds)
    await asyncio.sleep(0)
    return True


async def wait_until_done(*_: float) -> None:
    """Wait until the app has nothing to do and has drawn what changed.

    Textual's own waits for an idle processor, which is never seen while a run goes on, or beside other tests.
    """
    app = active_app.get()
    pilot = Pilot(app)
    for number in range(1, _MOST_ROUNDS + 1):
        await wait_for_screen(pilot)
        await asyncio.sleep(0.002)
        if number >= _ROUNDS and not has_put_off(app):
            break


def is_at_rest(app: App[Any]) -> bool:
    """True where the app and all of its screen wait for messages, and none has been sent to them."""
    try:
        pumps = (app, *app.screen.walk_children(with_self=True))
    except ScreenStackError:
        return False
    queues = (pump._message_queue for pump in pumps)
    return all(queue.ready_event._waiters and not queue.values for queue in queues)


def has_put_off(app: App[Any]) -> bool:
    """True where Textual will lay out or draw what has changed at the next tick of a timer."""
    try:
        screen = app.screen
    except ScreenStackError:
        return False
    flags = (
        screen._layout_required,
        screen._scroll_required,
        screen._repaint_required,
        screen._recompose_required,
    )
    return not app._exit and (app._resize_event is not None or any(flags) or bool(screen._dirty_widgets))


def parsed_values(values: dict[str, str]) -> dict[str, list[Token]]:
    """What `tokenize_values` makes of a theme's variables: the same object for the same variables."""
    key = tuple(values.items())
    if key not in _tokens:
        _tokens[key] = tokenize_values(values)
    return _tokens[key]


def parsed_rules(
    scope: str, css: str, read_from: CSSLocation, *, variable_tokens: dict[str, list[Token]], **more: Any
) -> list[RuleSet]:
    """What `parse` makes of a stylesheet; the rules are only read from then on."""
    if not any(variable_tokens is each for each in _tokens.values()):  # An app from before `make_quick`.
        return list(parse(scope, css, read_from, variable_tokens=variable_tokens, **more))
    key = (scope, css, read_from, id(variable_tokens), *more.items())
    if key not in _rules:
        _rules[key] = list(parse(scope, css, read_from, variable_tokens=variable_tokens, **more))
    return _rules[key]
