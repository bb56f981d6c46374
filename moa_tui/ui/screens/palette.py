"""The list of commands, which is Textual's own."""

from __future__ import annotations

from textual.command import CommandPalette

from moa_tui.ui.screens.guard import GuardedScreen


class Palette(CommandPalette, GuardedScreen[None]):
    """Textual's command palette, which runs its command once however many keys come in one read."""
