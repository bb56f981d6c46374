"""The screens of links: a whole link with its host before it is opened, and a list to choose a link from."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar
from urllib.parse import unquote, urlsplit

from textual import on
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, Vertical, VerticalScroll
from textual.content import Content
from textual.widgets import Button, OptionList, Static

from moa_tui.text.safe import spelled_out
from moa_tui.ui.screens.guard import GuardedDialog

if TYPE_CHECKING:
    from collections.abc import Sequence

    from textual.app import ComposeResult

SCHEMES = ("http", "https", "mailto")
LONGEST = 8_192
"""The most characters of a link that is opened: nobody reads a longer one before agreeing to it."""


@dataclass(frozen=True, slots=True)
class Destination:
    """Where a link leads: what the user has to know before opening it."""

    host: str
    """The host as it is written; empty where the link names none."""
    ascii_host: str
    """The host as looked up in the DNS (punycode) where that differs, else empty."""
    user: str
    """The user name, which stands before an @ and is often made to look like the host."""
    refused: str
    """Why the link is not opened; empty where it can be opened."""


def destination(url: str) -> Destination:
    """Take a link apart. Never raises: a link that cannot be understood is refused."""
    try:
        parts = urlsplit(url)
    except ValueError as error:
        return Destination("", "", "", f"it is not a valid link ({error})")
    if parts.scheme == "mailto":
        user = ""
        _, at, host = unquote(parts.path).rpartition("@")
        host = host if at else ""
    else:
        user = parts.netloc.rpartition("@")[0]
        host = parts.hostname or ""
    try:
        ascii_host = "" if host.isascii() else host.encode("idna").decode("ascii")
        is_understood = True
    except UnicodeError:
        ascii_host, is_understood = "", False
    if parts.scheme not in SCHEMES:
        scheme = f'"{parts.scheme}"' if parts.scheme else "none"
        refused = f"only http, https and mailto are opened from here, and its scheme is {scheme}"
    elif len(url) > LONGEST:
        refused = f"it is longer than {LONGEST:,} characters"
    elif not url.isprintable() or set(url) & set(' \\"<>') or set(host + ascii_host) & set("%,/"):
        # A browser may read another host from such a link than this screen shows.
        refused = "it holds characters that do not belong in a link"
    elif parts.scheme == "mailto" and "," in unquote(parts.path):
        refused = "it writes to more than one address"
    elif not host:
        refused = "it names no host"
    elif not is_understood:
        refused = "its host cannot be looked up"
    else:
        refused = ""
    return Destination(host, ascii_host, user, refused)


class LinkScreen(GuardedDialog[bool]):
    """Shows a whole link and asks whether to open it; gives True to open it.

    A link's text can say anything, so its host stands on a line of its own, in ASCII too where letters of
    another alphabet may look like Latin ones.
    """

    HELP_TITLE = "Link"
    HELP_TOPIC = "safety"
    CSS_PATH = "link_screen.tcss"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape", "answer(False)", "Cancel", id="link.cancel"),
        Binding("o", "answer(True)", "Open the link", id="link.open"),
        Binding("c,y", "copy", "Copy the link", id="link.copy"),
        Binding("up", "scroll(-1)", "Scroll up", show=False, id="link.up"),
        Binding("down", "scroll(1)", "Scroll down", show=False, id="link.down"),
        Binding("left", "app.focus_previous", "Button before", show=False, id="link.previous"),
        Binding("right", "app.focus_next", "Next button", show=False, id="link.next"),
    ]

    def __init__(self, url: str) -> None:
        super().__init__()
        self._url = url
        self._destination = destination(url)

    def compose(self) -> ComposeResult:
        where = self._destination
        with Vertical(id="link-dialog") as dialog:
            dialog.border_title = Content("Link" if where.refused else "Open this link?")
            with VerticalScroll(id="link-url", can_focus=False):
                shown, hidden = self._url[:LONGEST], len(self._url) - LONGEST
                more = f" … and {hidden:,} more characters" if hidden > 0 else ""
                yield Static(Content(spelled_out(shown) + more))
            if where.host:
                yield Static(Content.assemble("host  ", (spelled_out(where.host), "bold")), id="link-host")
            if where.ascii_host:
                yield Static(
                    Content.assemble("that is  ", (where.ascii_host, "bold"), "  in ASCII letters"),
                    id="link-ascii-host",
                )
            if where.user:
                yield Static(
                    Content(f'"{spelled_out(where.user)}" before the @ is a user name, not the host'),
                    id="link-user",
                )
            if where.refused:
                yield Static(Content(f"Not opened: {spelled_out(where.refused)}."), id="link-refused")
            with Horizontal(id="link-buttons"):
                if not where.refused:
                    yield Button("Open", id="open", compact=True, action="screen.answer(True)")
                yield Button("Copy", id="copy", compact=True, action="screen.copy")
                yield Button("Cancel", id="cancel", compact=True, action="screen.answer(False)")

    def on_mount(self) -> None:
        self.query_one("#cancel").focus()

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        return not (action == "answer" and parameters == (True,) and self._destination.refused)

    def action_answer(self, opened: bool) -> None:
        self.dismiss(opened)

    def action_scroll(self, rows: int) -> None:
        self.query_one("#link-url").scroll_relative(y=rows, animate=False)

    def action_copy(self) -> None:
        self.app.copy_to_clipboard(spelled_out(self._url))
        self.app.notify("the link was sent to the terminal's clipboard", markup=False)
        self.dismiss(False)


class LinkListScreen(GuardedDialog[str | None]):
    """Lists links by text and address; gives the address of the chosen one, None where none was chosen."""

    HELP_TITLE = "Links"
    HELP_TOPIC = "chat"
    CSS_PATH = "link_screen.tcss"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape", "cancel", "Cancel", id="links.cancel"),
    ]

    def __init__(self, links: Sequence[tuple[str, str]]) -> None:
        """`links` has the text and the address of each link."""
        super().__init__()
        self._links = links

    def compose(self) -> ComposeResult:
        with Vertical(id="link-dialog") as dialog:
            dialog.border_title = Content("Links" if self._links else "There are no links here")
            dialog.border_subtitle = Content(
                "enter picks · esc goes back" if self._links else "esc goes back"
            )
            yield OptionList(
                *(_link_row(text, url) for text, url in self._links), id="link-list", markup=False
            )

    @on(OptionList.OptionSelected)
    def _picked(self, event: OptionList.OptionSelected) -> None:
        event.stop()
        self.dismiss(self._links[event.option_index][1])

    def action_cancel(self) -> None:
        self.dismiss(None)


def _link_row(text: str, url: str) -> Content:
    """The text and the address of a link, on a line each."""
    title, address = (spelled_out(" ".join(part.split()))[:500] for part in (text, url))
    return Content.assemble((title or address, "bold"), "\n", address)
