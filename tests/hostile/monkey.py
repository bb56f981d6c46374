"""A monkey at the chat: random keys, clicks, sizes and replies from a seed, over every screen.

`python -m tests.hostile.monkey --seeds 100 --steps 500` plays longer than the tests do, from the seed that
`--first` names. What it finds is told with its seed and the last 30 things that were done.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import sys
import tempfile
import time
from collections import deque
from contextlib import suppress
from pathlib import Path
from random import Random
from typing import TYPE_CHECKING

import pytest
from textual import events
from textual.geometry import Size

from moa_tui.chat.prompt_text import PromptText
from moa_tui.engine.values import CallId, Chunk
from moa_tui.errors import MoaTuiError, ModelError
from moa_tui.ui.chat import commands
from moa_tui.ui.chat.screen import ChatScreen
from moa_tui.ui.prompt import prompt_box
from moa_tui.ui.terminal.textual_private import XTermParser
from tests.helpers import recipe
from tests.ui.chat_app import ALONE, DUO, HOSTILE, TRIO, chat_app

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from tests.fakes import Step
    from tests.ui.chat_app import Bench

KEPT = 30
"""How many of the last things done are told of a failure."""
_ESCAPES = 15
_QUIT_SECONDS = 2.0
"""Of this process' own work: a machine that is busy with other tests takes longer."""
_MOST_SECONDS = 60.0

POINTS = recipe(
    ["one", "two"], {"task": "checklist", "agents": ["three"]}, {"agents": ["judge"], "reads": "all"}
)
RECIPES = (ALONE, DUO, TRIO, POINTS)

WORDS = (
    *(
        "hello",
        "a",
        " ",
        "漢字かな",
        "e\u0301\u0302\u0327",
        "👩‍👩‍👧‍👦",
        "\u202eevil",
        "\t",
        "/",
        "@",
        "ｗｉｄｅ",
        "مرحبا",
    ),
    *("/recipe", "/stats", "x" * 300, "[bold]", "#" * 40, "`" * 7, "$x$", "0", "q", "\u200b", "é", "ß", "\\"),
)
KEYS = (
    *(
        "enter",
        "escape",
        "tab",
        "shift+tab",
        "up",
        "down",
        "left",
        "right",
        "pageup",
        "pagedown",
        "home",
        "end",
    ),
    *("backspace", "delete", "space", "shift+up", "shift+down", "shift+left", "shift+right", "ctrl+up"),
    *("ctrl+down", "ctrl+end", "ctrl+home", "ctrl+left", "ctrl+right", "ctrl+enter", "shift+enter"),
    *(f"ctrl+{letter}" for letter in "abdefgjklnoprstuvwxyz"),
    *(f"f{number}" for number in range(1, 13)),
    *"abcdefghijklmnopqrstuvwxyzDJKNSXY0123456789/?[]@ ",
)
BYTES = (
    *(
        "\r\r",
        "\x1b\x1b",
        "\x1b[",
        "\x1b[A\x1b[B\r",
        "\x1b[200~pasted\nlines\x1b[201~",
        "\x1b[<0;10;5M\x1b[<0;10;5m",
    ),
    *(
        "\x1b[<64;5;5M",
        "\x1b[13;2u",
        "\x10\r\r",
        "\x12\r\r",
        "\x13\r\r",
        "\x1bOQ\r\r",
        "\x1b[I",
        "\x1b[O",
        "\x0f\x1b",
    ),
    *(
        "\x00",
        "\x7f\x7f",
        "\x1b[99999;99999R",
        "\x1b]0;title\x07",
        "q\r",
        "\x0c\x0c\x0f",
        "漢\u0301",
        "\x1b[1;5A",
    ),
)
REPLIES = (
    *HOSTILE,
    "# Title\n\n- a\n- b\n\n| a | b |\n|---|---|\n| 1 | 2 |\n\n```python\nprint(1)\n```\n\n[link](https://moa.example)",
    *("", " ", "\n" * 50, "word " * 500, "漢字" * 200, "e\u0301" * 300, "x" * 5_000, "> " * 40 + "deep"),
    *(
        "- [ ] It was a bird.\n- [ ] It could fly.",
        "- point one\n- point two",
        "```\nnever closed",
        "| a |\n|" + "-|" * 90,
        "![i](http://a.)",
    ),
    *(
        "<think>hm</think>done",
        "[a](javascript:1) http://a. https://user@host:99999/",
        "\r\n\r\n\x0b\x0c\u2028\u0085",
    ),
    *(
        "1. a\n" * 60,
        "$$\\frac{1}{0}$$",
        "&amp;&#0;&#x110000;",
        "<b><i><script>",
        "# " * 300,
        "\ud83d"[:0] + "\ufeff",
    ),
)
KINDS = ("server", "rate_limit", "connection", "auth", "filtered", "malformed", "timeout", "empty", "cut_off")
SIZES = (
    *((20, 5), (40, 12), (60, 20), (80, 24), (100, 30), (1, 1), (80, 10)) * 2,
    (120, 40),
    (181, 50),
    (300, 100),
)


class _Left(Exception):
    """The monkey has left the chat, as a user may."""


class Replies:
    """The scripts of every model, made from the seed; in the place of a dict of `FakeModels`."""

    def __init__(self, seed: int) -> None:
        self._seed = seed
        self._scripts: dict[str, list[list[Step]]] = {}
        self.gates: list[asyncio.Event] = []
        """What calls wait for; a gate that was opened is taken out."""

    def get(self, model: str, _: object = None) -> Sequence[Sequence[Step]]:
        if model not in self._scripts:
            random = Random(f"{self._seed} {model}")
            self._scripts[model] = [self._script(random) for _ in range(60)]
        return self._scripts[model]

    def _script(self, random: Random) -> list[Step]:
        steps: list[Step] = []
        for _ in range(random.randrange(1, 5)):
            text = random.choice(REPLIES)
            steps.append(Chunk("reasoning", text) if random.random() < 0.2 else text)
            if random.random() < 0.15:
                self.gates.append(asyncio.Event())
                steps.append(self.gates[-1])
        if random.random() < 0.2:
            steps.append(ModelError(random.choice(KINDS), random.choice(REPLIES)))
        return steps


class Monkey:
    """Plays `steps` random things on a running app and looks at what must hold after each."""

    def __init__(self, bench: Bench, seed: int, steps: int) -> None:
        self._bench = bench
        self._random = Random(seed)
        self._seed = seed
        self._steps = steps
        self._done: deque[str] = deque(maxlen=KEPT)
        self._parser = XTermParser(False)
        self._replies = Replies(seed)
        bench.models.scripts = self._replies  # type: ignore[assignment]
        self.screens: set[str] = set()
        """The names of all screens that were seen."""

    async def play(self) -> None:
        """Do everything. Raises AssertionError with the last things done where something does not hold."""
        try:
            for number in range(1, self._steps + 1):
                doing = self._choose()
                self._done.append(f"{number}: {doing.__doc__ or doing.__name__}"[:150])
                doing()
                await self._let_go_on()
                self._check()
                if number % 25 == 0:
                    await self._go_back()
            await self._go_back()
            await self._quit()
        except _Left:
            return
        except Exception as error:
            done = "\n".join(self._done)
            raise AssertionError(f"seed {self._seed}: {error!r} after\n{done}") from error

    async def _let_go_on(self) -> None:
        for _ in range(self._random.choice((0, 1, 3, 8))):
            await asyncio.sleep(0)
        if self._random.random() < 0.2:
            await self._bench.settle()

    # What is done

    def _choose(self) -> Callable[[], object]:
        random = self._random
        kinds = (self._keys, self._text, self._command, self._open, self._mouse, self._bytes)
        others = (self._resize, self._focus, self._paste, self._release, self._prompt)
        kind = random.choices((*kinds, *others), (30, 8, 8, 12, 10, 8, 6, 3, 3, 8, 8))[0]
        return kind()

    def _do(self, words: str, act: Callable[[], object]) -> Callable[[], object]:
        def doing() -> None:
            act()

        doing.__doc__ = words
        return doing

    def _post_keys(self, keys: Sequence[str]) -> None:
        for key in keys:
            character = key if len(key) == 1 else " " if key == "space" else None
            name = {"/": "slash", "?": "question_mark", "@": "at", " ": "space"}.get(key, key)
            name = {"[": "left_square_bracket", "]": "right_square_bracket"}.get(name, name)
            self._bench.app.post_message(events.Key(name, character))

    def _keys(self) -> Callable[[], object]:
        random = self._random
        if random.random() < 0.4:
            keys = [random.choice(("enter", "escape", "enter", "ctrl+p", "ctrl+r", "f1", "f2"))] * 2
        else:
            keys = random.choices(KEYS, k=random.randrange(1, 6))
        return self._do(f"keys {keys}", lambda: self._post_keys(keys))

    def _text(self) -> Callable[[], object]:
        text = "".join(self._random.choices(WORDS, k=self._random.randrange(1, 4)))[:200]
        return self._do(f"types {text!r}", lambda: self._post_keys(list(text)))

    def _paste(self) -> Callable[[], object]:
        text = "\n".join(self._random.choices((*WORDS, *REPLIES), k=self._random.choice((1, 3, 40))))
        return self._do(f"pastes {text!r}", lambda: self._bench.app.post_message(events.Paste(text)))

    def _bytes(self) -> Callable[[], object]:
        data = "".join(self._random.choices(BYTES, k=self._random.randrange(1, 4)))

        def feed() -> None:
            for event in self._parser.feed(data):
                self._bench.app.post_message(event)

        return self._do(f"sends {data!r}", feed)

    def _mouse(self) -> Callable[[], object]:
        random = self._random
        x, y = random.randrange(120), random.randrange(40)
        kinds = random.choice(
            [
                [events.MouseDown, events.MouseUp],
                [events.MouseDown, events.MouseUp] * 2,
                [events.MouseScrollUp],
                [events.MouseScrollDown] * 3,
                [events.MouseDown, events.MouseMove],
                [events.MouseMove],
                [events.MouseUp],
            ]
        )

        def act() -> None:
            width, height = self._bench.app.size
            column, row = min(x, max(0, width - 1)), min(y, max(0, height - 1))
            for number, kind in enumerate(kinds):
                self._bench.app.post_message(
                    kind(None, column + number // 3, row, 0, 0, 1, False, False, False, column, row)
                )

        return self._do(f"mouse {[kind.__name__ for kind in kinds]} at {x}, {y}", act)

    def _resize(self) -> Callable[[], object]:
        random = self._random
        # Drawing a large screen takes long.
        size = (
            random.choice(SIZES)
            if random.random() < 0.8
            else (random.randrange(20, 200), random.randrange(5, 60))
        )

        def act() -> None:
            self._bench.app._driver._size = Size(*size)  # type: ignore[union-attr]
            self._bench.app.post_message(events.Resize(Size(*size), Size(*size)))

        return self._do(f"size {size}", act)

    def _focus(self) -> Callable[[], object]:
        kind = self._random.choice((events.AppFocus, events.AppBlur))
        return self._do(kind.__name__, lambda: self._bench.app.post_message(kind()))

    def _release(self) -> Callable[[], object]:
        return self._do("lets the models go on", self.let_models_go_on)

    def let_models_go_on(self) -> None:
        """Open what calls wait for at the moment."""
        gates, self._replies.gates = self._replies.gates, []
        self._bench.open(*gates)

    def _prompt(self) -> Callable[[], object]:
        text = self._random.choice(WORDS)

        async def send() -> None:
            await self._bench.screen.view.attempt(
                self._bench.screen.controllers.asking.submit(PromptText(text))
            )

        return self._do(f"asks {text!r}", lambda: self._bench.screen.run_worker(send(), group="monkey"))

    def _command(self) -> Callable[[], object]:
        random = self._random
        name = random.choice([name for name in commands.COMMANDS if name not in ("quit", "private")])
        words = random.choice(
            ("", "", "1", "L1.1", "one hello", "moa-dark", "duo alone hi", "blind demo quick x")
        )
        command = commands.COMMANDS[name]

        async def obey() -> None:
            await self._bench.screen._obey(command, PromptText(words))

        return self._do(f"/{name} {words}", lambda: self._bench.screen.run_worker(obey(), group="monkey"))

    def _open(self) -> Callable[[], object]:
        """Open a screen as its key or command does, over whatever is open."""
        app, screen = self._bench.app, self._bench.screen
        chat = screen.controllers
        number = self._random.randrange(1, 3)

        def inspect() -> None:
            if (run := self._bench.state.run_view) is not None:
                chat.looking.inspect(run, CallId(1, min(number, len(run.layers[0]))))

        openers: list[tuple[str, Callable[[], object]]] = [
            ("theme", app.choose_theme),
            ("palette", app.action_command_palette),
            ("help", app.action_help),
            ("a link", lambda: app.ask_to_open("https://user@xn--moa.example/\u202epath?q=1")),
            ("links", lambda: chat.looking.choose_link([("a", "https://moa.example"), ("", "javascript:1")])),
            ("history", chat.asking.search_history),
            ("sessions", chat.switching.show_list),
            ("statistics", chat.switching.show_stats),
            ("recipes", chat.choosing.show_recipes),
            ("models", lambda: chat.choosing.use_aggregator("")),
            ("the inspector", inspect),
            ("panes", chat.looking.change_room),
        ]
        words, act = self._random.choice(openers)

        def tolerant() -> None:
            try:
                act()
            except MoaTuiError as error:
                screen.view.complain(error)

        return self._do(f"opens {words}", tolerant)

    # What must hold

    def _check_faults(self) -> None:
        if self._bench.app.faults:
            fault = self._bench.app.faults.pop()
            assert fault is not None
            raise fault

    def _check(self) -> None:
        app = self._bench.app
        self._check_faults()
        if app.is_leaving and app._exception is None:  # Chosen in the palette, or as /quit.
            raise _Left
        assert app.is_running, repr(app._exception)
        assert isinstance(app.screen_stack[0], ChatScreen)
        assert sum(isinstance(screen, ChatScreen) for screen in app.screen_stack) == 1
        self.screens.update(type(screen).__name__ for screen in app.screen_stack)
        focused = app.focused
        assert focused is None or focused.screen is app.screen, f"{focused} has the keys, not in {app.screen}"

    async def _go_back(self) -> None:
        """Go to the prompt by Esc alone, at a size at which there is one."""
        self.let_models_go_on()
        self._bench.app._driver._size = Size(80, 24)  # type: ignore[union-attr]
        self._bench.app.post_message(events.Resize(Size(80, 24), Size(80, 24)))
        await self._settle_all()
        draft = self._bench.prompt.expanded
        deadline = time.monotonic() + _MOST_SECONDS
        escapes = 0
        while len(self._bench.app.screen_stack) > 1:
            assert time.monotonic() < deadline, (
                f"{escapes} times Esc did not lead out of {self._bench.app.screen_stack}"
            )
            self._post_keys(["escape"])
            escapes += 1
            await self._settle_all()
            self.let_models_go_on()
            self._check()
        assert draft in self._bench.prompt.expanded, (
            f"{draft!r} was lost, now {self._bench.prompt.expanded!r}"
        )
        for _ in range(_ESCAPES):
            if self._bench.app.focused is self._bench.prompt:
                break
            self._post_keys(["escape"])
            await self._settle_all()
        self._check()
        assert self._bench.app.focused is self._bench.prompt, f"the keys stay with {self._bench.app.focused}"

    async def _settle_all(self) -> None:
        for _ in range(3):
            await self._bench.settle()

    async def _quit(self) -> None:
        self._post_keys(["ctrl+q"])
        worked, deadline = time.process_time() + _QUIT_SECONDS, time.monotonic() + _MOST_SECONDS
        while not self._bench.app.is_leaving:
            is_in_time = time.process_time() < worked and time.monotonic() < deadline
            assert is_in_time, f"ctrl+q did not end it: {self._bench.notices[-500:]}"
            await asyncio.sleep(0.005)


async def play(seed: int, steps: int) -> set[str]:
    """Let a monkey play on an app of its own; the names of the screens that it saw."""
    this = RECIPES[seed % len(RECIPES)]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(prompt_box, "edit", lambda app, text: text)  # No editor is started.
        patch.chdir(tempfile.gettempdir())
        async with chat_app(this) as bench:
            monkey = Monkey(bench, seed, steps)
            await bench.settle()
            try:
                await monkey.play()
            finally:
                monkey.let_models_go_on()
                with suppress(MoaTuiError):
                    bench.session.stop()
            worked = time.process_time()
        assert time.process_time() - worked < _QUIT_SECONDS, "it took long to leave"
    return monkey.screens


def main() -> None:
    """Play with one seed after the other, and tell what each came to."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, default=20)
    parser.add_argument("--first", type=int, default=0)
    parser.add_argument("--steps", type=int, default=500)
    options = parser.parse_args()
    failures, screens = 0, set[str]()
    for seed in range(options.first, options.first + options.seeds):
        started, worked = time.monotonic(), time.process_time()
        try:
            screens |= asyncio.run(play(seed, options.steps))
        except BaseException as error:
            if isinstance(error, KeyboardInterrupt):
                raise
            failures += 1
            _print_failure(error)
        seconds = f"{time.monotonic() - started:.1f} s, {time.process_time() - worked:.1f} s of CPU"
        print(f"seed {seed}: {seconds}; {failures} failures", flush=True)
    print(f"screens: {', '.join(sorted(screens))}")
    sys.exit(bool(failures))


def _print_failure(error: BaseException) -> None:
    import traceback

    print("".join(traceback.format_exception(error))[-6_000:], flush=True)


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as home:
        from tests.surroundings import surroundings

        environ = surroundings(os.environ, Path(home))
        os.environ.clear()
        os.environ.update(environ)
        main()
