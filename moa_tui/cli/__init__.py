"""The command line: one module for each `moa-tui` command, and the place where the parts are joined.

Way in: `main`, the click group that the installed command and `python -m moa_tui` call. `wiring` alone builds
the settings, the gateway, the catalogs, the store, the chat and the app that a command runs on. Only this
package imports click, and no other package imports this one. A command decides nothing about conversations,
which is the work of `chat`. It imports what it needs when it runs, so that `moa-tui --version` stays quick.
"""

from moa_tui.cli.main import main

__all__ = ["main"]
