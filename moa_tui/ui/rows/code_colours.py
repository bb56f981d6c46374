"""Code in the colours of its language. Pure."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from pygments.lexers import get_lexer_by_name
from pygments.util import ClassNotFound
from rich.control import strip_control_codes
from textual.content import Content, Span
from textual.highlight import HighlightTheme

from moa_tui.ui.rows.text_rows import CODE

if TYPE_CHECKING:
    from pygments.token import _TokenType

    from moa_tui.text.markdown import Work

# A lexer is a list of patterns, which nobody can interrupt, and of many of them a row of one character takes
# time that grows with the third power of its length. People write neither such lines nor such gaps.
_LONGEST_CODE = 20_000
_LONGEST_LINE = 400
_MANY_BLANK_LINES = re.compile(r"\n(?:[^\S\n]*\n){20}")
# The languages whose lexers were measured on hostile code; code in others has one colour. A pattern holds the
# interpreter while it searches, and of some lexers one match takes seconds.
_MEASURED = frozenset(
    """
    bash c clojure console cpp csharp css dart diff docker elixir erlang fsharp go graphql groovy haskell html
    ini java javascript json jsx julia kotlin latex less lua make markdown matlab nginx nim objective-c
    ocaml perl php powershell protobuf pycon python r ruby rust scala scss sql swift terraform toml tsx
    typescript vbnet vim xml yaml zig
    """.split()  # noqa: SIM905
)

# Textual's colours, with the theme's foreground in place of a colour computed from the background, and strong
# enough to be read in every theme.
_STYLES: dict[_TokenType, str] = {
    kind: re.sub(r"(\$text-\w+) \d+%", r"\1", style)
    .replace("$text 60%", "$foreground 75%")
    .replace("$text ", "$foreground ")
    for kind, style in HighlightTheme.STYLES.items()
}


def highlighted(code: str, language: str, work: Work) -> Content:
    """The code in the colours of its language, or in one where the language is unknown or it could take long.

    Raises `TooMuchWorkError`.
    """
    if language in ("", "text") or not _can_be_read(code):
        return Content(code).stylize(CODE)
    code = "\n".join(strip_control_codes(code).splitlines())
    try:
        # Markdown's lexer would read a code block in it with the lexer of whatever language it names.
        lexer = get_lexer_by_name(language, stripnl=False, ensurenl=True, tabsize=8, handlecodeblocks=False)
    except ClassNotFound:
        return Content(code)
    if _MEASURED.isdisjoint(lexer.aliases):
        return Content(code).stylize(CODE)
    spans: list[Span] = []
    start = 0
    for kind, text in lexer.get_tokens(code):
        work.step()
        end = start + len(text)
        if style := _style(kind):
            spans.append(Span(start, end, style))
        start = end
    return Content(code, spans)


def _can_be_read(code: str) -> bool:
    """True for code of a shape that no lexer is known to take long for."""
    return (
        len(code) <= _LONGEST_CODE
        and max(map(len, code.split("\n"))) <= _LONGEST_LINE
        and _MANY_BLANK_LINES.search(code) is None
    )


def _style(kind: _TokenType | None) -> str:
    """The style of a kind of token, or of the next wider kind that has one."""
    while kind is not None and kind not in _STYLES:
        kind = kind.parent
    return "" if kind is None else _STYLES[kind]
