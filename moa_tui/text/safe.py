"""Functions that make text of unknown origin safe to show or to send.

A terminal obeys control characters; direction controls and invisible characters deceive a reader. How they
are treated depends on where a text goes:

    without_controls        a label on a screen: they are removed
    with_blanked_controls   a line that is laid out already: each becomes a space, so that columns hold
    with_replaced_controls  a text that is compared: each becomes U+FFFD, newlines stay
    safe_line               a name in a table or sentence: one line, in which each becomes U+FFFD
    one_line                a name or message in a line on a screen: one line, in which they are removed
    quoted_name             a name of anybody's in a sentence: as safe_line, short and between quotes
    safe_row                a line of a report, laid out already: each becomes its picture
    safe_text               a message in a terminal or file: each becomes its picture, newlines and tabs stay
    spelled_out             an address: each is written out, as in <U+202E>
    without_escapes         text that is typed, pasted or read to be sent: escape sequences are removed whole
    as_unicode              text that is stored or written as UTF-8: only lone surrogates are replaced
    as_json_unicode         JSON text that is written as UTF-8: lone surrogates are escaped
"""

from __future__ import annotations

import re

# The C0 and C1 controls, direction controls and invisible characters. The joiners U+200C and U+200D are not
# among them: some scripts and emoji need them, and they do no harm.
_UNSAFE = re.compile(
    "[\x00-\x1f\x7f-\x9f\u061c\u200b\u200e\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb\ud800-\udfff"
    "\U000e0000-\U000e001f]"
)

_QUOTES = re.compile('["\u00ab\u00bb\u201c-\u201f\u2033\u2036\uff02]')
_LONGEST_QUOTED = 40  # characters

_SURROGATES = re.compile("[\ud800-\udbff][\udc00-\udfff]|[\ud800-\udfff]")
_LINE_ENDS = re.compile("\r\n|[\r\x85\u2028\u2029]")
_CONTROLS = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]")
_DIRECTION_MARKS = re.compile("[\u061c\u200e\u200f]")
_CONTROL_PICTURES = 0x2400

_INPUT_LINE_ENDS = re.compile("\r\n|[\r\v\f\x85\u2028\u2029]")
_ESCAPES = re.compile(
    r"\x1b\[[0-?]{0,256}[ -/]{0,8}[@-~]"  # colours and cursor movement
    r"|\x1b[\]PX^_][^\x07\x1b]{0,4096}(?:\x07|\x1b\\)"  # titles, links, clipboard
    r"|[\x00-\x08\x0b-\x1f\x7f-\x9f\ud800-\udfff]"
)


def without_controls(text: str) -> str:
    """`text` without control, direction and invisible characters; line ends and tabs go as well."""
    return _UNSAFE.sub("", text) if _UNSAFE.search(text) else text


def with_blanked_controls(text: str) -> str:
    """`text` with a space for each character that `without_controls` leaves out; its length is the same."""
    # No printable character is unsafe, and isprintable is far faster than the expression.
    if text.isprintable() or not _UNSAFE.search(text):
        return text
    return _UNSAFE.sub(" ", text)


def with_replaced_controls(text: str) -> str:
    """`text` with U+FFFD for each character that `without_controls` leaves out, except newlines."""
    return _UNSAFE.sub(lambda match: "\n" if match[0] == "\n" else "\ufffd", text)


def safe_line(text: str) -> str:
    """`text` on one line, with each run of white space as one space and U+FFFD for unprintable characters.

    Unlike the other functions it also replaces joiners, soft hyphens and unassigned characters.
    """
    line = " ".join(text.split())
    if line.isprintable():
        return line
    return "".join(character if character.isprintable() else "\ufffd" for character in line)


def one_line(text: str) -> str:
    """`text` on one line: each run of white space is one space, and `without_controls` removes the rest.

    What prints a name, title, tag or message into a line calls this, `safe_line` or `safe_row`.
    """
    line = " ".join(text.split())
    return line if line.isprintable() else " ".join(without_controls(line).split())


def quoted_name(name: str) -> str:
    """A name that may be anybody's text, as part of a sentence: short, on one line, and between quotes.

    It holds no quotes of its own, so that nobody can take more than the name for the sentence.
    """
    line = _QUOTES.sub("'", safe_line(name))
    return f'"{line if len(line) <= _LONGEST_QUOTED else line[: _LONGEST_QUOTED - 1] + "…"}"'


def safe_row(text: str) -> str:
    """A line that is laid out already as `safe_text`; line ends and tabs become pictures too."""
    return safe_text(text).replace("\n", "\u240a").replace("\t", "\u2409")


def safe_text(text: str) -> str:
    """`text` in a form that is safe in a terminal or a file; tabs stay, line ends become newlines.

    Control characters become their pictures (from U+2400 on). Those that have none, like the controls that
    reverse the direction of writing, become U+FFFD. The direction marks, which are invisible and reverse
    nothing, are removed.
    """
    if text.isprintable():
        return text
    text = _LINE_ENDS.sub("\n", as_unicode(text))
    return _CONTROLS.sub(_picture, _DIRECTION_MARKS.sub("", text))


def spelled_out(text: str) -> str:
    """`text` with each character that cannot be printed written out by its number, as in `<U+202E>`."""
    return "".join(
        character if character.isprintable() else f"<U+{ord(character):04X}>" for character in text
    )


def without_escapes(text: str) -> str:
    """`text` without escape sequences and control characters except tabs; its line ends become newlines."""
    return _ESCAPES.sub("", _INPUT_LINE_ENDS.sub("\n", text))


def as_unicode(text: str) -> str:
    """`text` as UTF-8 can hold it: surrogates that make a pair are joined, lone ones become U+FFFD."""
    return _SURROGATES.sub(lambda match: _joined(match[0]) or "\ufffd", text)


def as_json_unicode(text: str) -> str:
    """JSON text as UTF-8 can hold it: lone surrogates become escapes like `\\ud800`, so that nothing is lost.

    Surrogates that make a pair are joined, as every reader of JSON would read them.
    """
    return _SURROGATES.sub(lambda match: _joined(match[0]) or f"\\u{ord(match[0]):04x}", text)


def _joined(surrogates: str) -> str:
    """The character that a pair of surrogates stands for; empty for one alone."""
    if len(surrogates) == 1:
        return ""
    return surrogates.encode("utf-16-le", "surrogatepass").decode("utf-16-le")


def _picture(match: re.Match[str]) -> str:
    code = ord(match[0])
    if code < 0x20:
        return chr(_CONTROL_PICTURES + code)
    return "\u2421" if code == 0x7F else "\ufffd"
