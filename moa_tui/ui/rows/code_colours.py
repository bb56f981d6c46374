"""Code in the colours of its language. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pygments.lexers import get_lexer_by_name
from pygments.util import ClassNotFound
from rich.control import strip_control_codes
from textual.content import Content, Span
from textual.highlight import HighlightTheme

if TYPE_CHECKING:
    from pygments.token import _TokenType

    from moa_tui.ui.rows.markdown_blocks import Work

# Textual's colours, with the theme's foreground in place of a colour computed from the background.
_STYLES: dict[_TokenType, str] = {
    kind: style.replace("$text ", "$foreground ") for kind, style in HighlightTheme.STYLES.items()
}


def highlighted(code: str, language: str, work: Work) -> Content:
    """The code in the colours of its language, or without any where the language is unknown.

    Raises `TooMuchWorkError`.
    """
    code = "\n".join(strip_control_codes(code).splitlines())
    try:
        lexer = get_lexer_by_name(language, stripnl=False, ensurenl=True, tabsize=8)
    except ClassNotFound:
        return Content(code)
    spans: list[Span] = []
    start = 0
    for kind, text in lexer.get_tokens(code):
        work.step()
        end = start + len(text)
        if style := _style(kind):
            spans.append(Span(start, end, style))
        start = end
    return Content(code, spans)


def _style(kind: _TokenType | None) -> str:
    """The style of a kind of token, or of the next wider kind that has one."""
    while kind is not None and kind not in _STYLES:
        kind = kind.parent
    return "" if kind is None else _STYLES[kind]
