"""What every HTML page has: colours, escaped texts, and a head that allows no request and no script."""

from __future__ import annotations

from html import escape

from moa_tui.text.safe import one_line, safe_text

FOOT = "</main>\n</body>\n</html>\n"

_POLICY = "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'"
_STYLE = """
:root { color-scheme: light dark;
  --page: #fbfaf8; --card: #ffffff; --text: #1f2328; --muted: #59636e; --line: #d8d5cf; --code: #f1efeb;
  --accent: #1a5fb4; --good: #1a7f37; --bad: #c01c28; --warn: #8a5a00; --bar: #b9cfe9; }
@media (prefers-color-scheme: dark) { :root {
  --page: #16181b; --card: #1e2125; --text: #e3e6ea; --muted: #9aa4af; --line: #363b42; --code: #272b31;
  --accent: #78aeed; --good: #57c774; --bad: #ff7b72; --warn: #e5b25d; --bar: #3b5675; } }
* { box-sizing: border-box; }
body { margin: 0; background: var(--page); color: var(--text); overflow-wrap: anywhere;
  font: 16px/1.55 system-ui, -apple-system, "Segoe UI", Roboto, sans-serif; }
main { max-width: 78rem; margin: 0 auto; padding: 2rem 1.25rem 4rem; }
h1 { font-size: 1.7rem; line-height: 1.25; margin: 0 0 .4rem; }
"""


def head(title: str, style: str) -> str:
    """The beginning of a page, up to its content; `title` is escaped already, `style` is the page's own."""
    return "\n".join(
        [
            '<!DOCTYPE html>\n<html lang="und">\n<head>\n<meta charset="utf-8">',
            f'<meta http-equiv="Content-Security-Policy" content="{_POLICY}">',
            '<meta name="referrer" content="no-referrer">',
            '<meta name="viewport" content="width=device-width, initial-scale=1">',
            f"<title>{title}</title>\n<style>{_STYLE}{style}</style>\n</head>\n<body>\n<main>",
        ]
    )


def escaped_text(text: str) -> str:
    """`text` escaped, with its lines."""
    return escape(safe_text(text))


def escaped_line(text: str) -> str:
    """`text` escaped, on one line."""
    return escape(one_line(safe_text(text)))
