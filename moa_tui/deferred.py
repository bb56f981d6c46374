"""The registry of what is loaded on first use: modules that the chat's first frame does without.

A module that is named here is imported as any other, at the top of a file, but as a module: `from
moa_tui.ui.screens import theme_screen`, and `theme_screen.ThemeScreen` where it is used. After `install` such
an import gives a stand-in, which loads the module when something of it is asked for. Without `install` every
import is an ordinary one, so mypy, import-linter and most tests see what they always see. This is the one
place where loading is put off; `load_rest` makes up for it once the first frame is drawn.
"""

from __future__ import annotations

import importlib
import sys
import threading
import time
from contextlib import suppress
from importlib.machinery import ModuleSpec
from types import ModuleType
from typing import TYPE_CHECKING, Any, cast

if TYPE_CHECKING:
    from collections.abc import Sequence
    from importlib.abc import Loader

MODULES = (
    # Libraries for the disk, the clipboard, and a bug that ends the program.
    "filelock",
    "html",
    "pyperclip",
    "rich.traceback",
    # What a run needs, and what shows one.
    "moa_tui.engine.events",
    "moa_tui.engine.prompts",
    "moa_tui.chat.run_handle",
    "moa_tui.ui.run.run_view",
    "moa_tui.engine.run",
    "moa_tui.engine.layer_result",
    "moa_tui.gateway.demo",
    "moa_tui.gateway.refusals",
    "moa_tui.gateway.sanitize",
    "moa_tui.gateway.think",
    "moa_tui.gateway.tls",
    "moa_tui.ui.rows.markdown_rows",
    # What becomes of a paste.
    "moa_tui.chat.dropped",
    # Vim's keys.
    "moa_tui.ui.prompt.vim_keys",
    # What changes a turn, a recipe or a conversation.
    "moa_tui.chat.changes",
    "moa_tui.chat.command_words",
    "moa_tui.chat.full_synthesis",
    "moa_tui.chat.write_with",
    "moa_tui.engine.left_out",
    "moa_tui.chat.left_out",
    "moa_tui.engine.recipe_edit",
    "moa_tui.engine.answer_form",
    "moa_tui.gateway.discovery",
    "moa_tui.settings.schemas",
    "moa_tui.formats.export",
    "moa_tui.formats.importer",
    "moa_tui.stats.preferences",
    "moa_tui.store.figures",
    "moa_tui.store.reader",
    "moa_tui.store.search_text",
    # What a key opens.
    "moa_tui.guide",
    "moa_tui.ui.screens.guide_hits",
    "moa_tui.ui.screens.guide_screen",
    "moa_tui.ui.screens.help_screen",
    "moa_tui.ui.screens.palette",
    "moa_tui.ui.screens.recipes.model_screen",
    "moa_tui.ui.screens.recipes.recipe_screen",
    "moa_tui.ui.screens.sessions.sessions_screen",
    "moa_tui.ui.screens.history_screen",
    "moa_tui.ui.screens.inspect.inspector_screen",
    "moa_tui.ui.screens.trust_screen",
    "moa_tui.ui.screens.checklist_screen",
    "moa_tui.ui.screens.left_out_screen",
    "moa_tui.ui.screens.compare.compare_screen",
    "moa_tui.ui.screens.compare.compare_panes",
    "moa_tui.ui.screens.link_screen",
    "moa_tui.ui.screens.theme_screen",
    "moa_tui.ui.screens.recipes.recipe_editor",
    "moa_tui.ui.screens.recipes.options_form",
    "moa_tui.ui.screens.sessions.fork_screen",
    "moa_tui.ui.screens.sessions.session_dialogs",
    "moa_tui.ui.screens.sessions.stats_screen",
)
"""The modules, in the order in which `load_rest` loads them: what others need first, for small steps."""

# Between two modules, so that a key that is typed meanwhile is drawn.
_PAUSE_SECONDS = 0.01

_put_off: set[str] = set()
"""The modules whose import gives a stand-in."""
_loaded: dict[str, ModuleType] = {}
_replacing = threading.Lock()


class _StandIn(ModuleType):
    """Stands for a module until something of it is asked for; what the module has is then found through it.

    The import system does the loading, as always: once, whatever threads ask at the same time, and anew at
    the next use where the module's code has raised an error, which is raised here.
    """

    def __getattr__(self, name: str) -> Any:
        return getattr(_loaded.get(self.__name__) or _load(self.__name__), name)


class _Finder:
    """Finds stand-ins for the modules that are put off, and leaves others to the finders behind it.

    It is a finder and a loader by its methods: to import their base classes takes milliseconds.
    """

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        return ModuleSpec(fullname, cast("Loader", self)) if fullname in _put_off else None

    def create_module(self, spec: ModuleSpec) -> None:
        """Have the import system make an empty module."""

    def exec_module(self, module: ModuleType) -> None:
        """Make the empty module a stand-in. No earlier, as the import system asks it for attributes first."""
        module.__class__ = _StandIn


def install(modules: Sequence[str] = MODULES) -> None:
    """Put the loading of these modules off, but for those that are loaded already."""
    if not any(isinstance(finder, _Finder) for finder in sys.meta_path):
        sys.meta_path.insert(0, _Finder())
    _put_off.update(name for name in modules if name not in sys.modules)


def load_rest() -> None:
    """Load what is still put off, and put the modules in the place of their stand-ins.

    Meant for a thread in the background, which other threads wait for as little as can be. A module that
    cannot be loaded is passed over: its error is raised where something of it is used.
    """
    for name in MODULES:
        if name in _put_off:
            with suppress(Exception):
                _load(name)
            time.sleep(_PAUSE_SECONDS)
    for importer in list(sys.modules.values()):
        # None stands for a forbidden import, and some libraries put objects of their own there.
        for name, value in list(getattr(importer, "__dict__", {}).items()):
            if type(value) is _StandIn and value.__name__ in _loaded:
                setattr(importer, name, _loaded[value.__name__])


def _load(name: str) -> ModuleType:
    """The module behind a stand-in. Raises what the module's code raises."""
    with _replacing:
        is_first = name in _put_off
        if is_first:
            _put_off.discard(name)
            sys.modules.pop(name, None)
    module = importlib.import_module(name)
    if is_first:  # Any other call may be from the module's own code, before it has come to its end.
        _loaded[name] = module
    return module
