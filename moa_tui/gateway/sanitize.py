"""Cleans text from outside: what could steer a terminal or hide from a reader is removed.

Removed: escape sequences (CSI, OSC, DCS, APC, PM, SOS and the short ones, in 7- and 8-bit form), control
characters but tab and newline, bidirectional controls, zero-width and tag characters where no script or emoji
needs them, lone surrogates. Carriage returns and Unicode line ends become newlines.
"""

from __future__ import annotations

import re

# Characters of a string sequence (OSC, DCS and the like); no program sends a longer one.
_LONGEST_SEQUENCE = 4096

_STRING = r"(?:\x1b[\]PX^_]|[\x90\x98\x9d-\x9f])"
# The body ends where another sequence begins; otherwise a row of beginnings would take quadratic time.
_BODY = rf"[^\x07\x1b\x90\x98\x9c-\x9f\n]{{0,{_LONGEST_SEQUENCE}}}"
_CSI = r"(?:\x1b\[|\x9b)[0-?]{0,256}[ -/]{0,8}"

_INVISIBLE = (
    "[\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b-\u200f\u202a-\u202e\u2060-\u206f\u3164"
    "\ufe00-\ufe0f\ufeff\uffa0\ufff0-\ufffb\U0001bca0-\U0001bca3\U0001d173-\U0001d17a\U000e0000-\U000e0fff]"
)
_TAG = "[\U000e0020-\U000e007f]"
# England, Scotland and Wales, the only such flags Unicode recommends; other tags could spell any text.
_FLAGS = {"".join(chr(0xE0000 + ord(c)) for c in f"{name}\x7f") for name in ("gbeng", "gbsct", "gbwls")}
_PICTURE = re.compile(
    "[\u00a9\u00ae\u203c\u2049\u2122\u2139\u2194-\u2199\u21a9\u21aa\u231a-\u23ff\u24c2\u25aa\u25ab\u25b6\u25c0"
    "\u25fb-\u25fe\u2600-\u27bf\u2934\u2935\u2b05-\u2b07\u2b1b\u2b1c\u2b50\u2b55\u3030\u303d\u3297\u3299"
    "\U0001f000-\U0001faff]"
)
_KEYCAP = re.compile("[0-9#*]")
_IDEOGRAPH = re.compile("[\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U0003ffff]")
# Scripts whose spelling uses the joiners U+200C and U+200D: Arabic and its kin, Indic, Khmer, Mongolian.
_JOINING = re.compile("[\u0600-\u08ff\u0900-\u0dff\u1780-\u18af\ufb50-\ufdff\ufe70-\ufefc]")

_SUSPECT = re.compile(rf"[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]|{_INVISIBLE}")

_RULES = re.compile(
    r"(?P<newline>\r\n|[\r\x85\u2028\u2029])"
    r"|(?P<pair>[\ud800-\udbff][\udc00-\udfff])"
    rf"|(?P<invisible>{_TAG}+|{_INVISIBLE})"
    rf"|{_STRING}{_BODY}(?:\x07|\x9c|\x1b\\)"
    rf"|{_CSI}[@-~]"
    r"|\x1b[ -/]{1,8}[0-~]"
    rf"|{_CSI}|{_STRING}"  # a sequence that never ends: only its beginning is removed
    r"|\x1b[0-~]?"
    r"|[\x00-\x08\x0b-\x1f\x7f-\x9f\ud800-\udfff]"
)

# The end of a text that the next piece may complete to something that is removed, or stays, as a whole.
_UNFINISHED = re.compile(
    rf"(?:{_STRING}{_BODY}\x1b?"
    rf"|{_CSI}"
    r"|\x1b[ -/]{0,8}"
    r"|[\r\ud800-\udbff\u200c\u200d]"
    rf"|(?<!{_TAG}){_TAG}{{1,17}})\Z"
)


class Sanitizer:
    """Cleans a text that comes in pieces; a sequence that is cut between two pieces is removed as well."""

    def __init__(self) -> None:
        self._held = ""
        self._before = ""

    def feed(self, text: str) -> str:
        """The clean text that `text`, the next piece, completes; an unfinished sequence is held back."""
        if not self._held and not _SUSPECT.search(text):
            if text:
                self._before = text[-1]
            return text
        text = self._held + text
        unfinished = _UNFINISHED.search(text)
        end = unfinished.start() if unfinished else len(text)
        self._held = text[end:]
        return self._clean(text[:end])

    def flush(self) -> str:
        """The clean text that was held back, to be called when the last piece has come."""
        text, self._held = self._held, ""
        return self._clean(text)

    def _clean(self, text: str) -> str:
        clean: list[str] = []
        at = 0
        for match in _RULES.finditer(text):
            self._put(clean, text[at : match.start()])
            self._put(clean, _replacement(match, self._before))
            at = match.end()
        self._put(clean, text[at:])
        return "".join(clean)

    def _put(self, clean: list[str], text: str) -> None:
        if text:
            clean.append(text)
            self._before = text[-1]


def sanitize(text: str) -> str:
    """`text` without what could steer a terminal or hide from a reader."""
    if not _SUSPECT.search(text):
        return text
    sanitizer = Sanitizer()
    return sanitizer.feed(text) + sanitizer.flush()


def _replacement(match: re.Match[str], before: str) -> str:
    """The text that replaces a match of `_RULES`; `before` is the last clean character before it."""
    match match.lastgroup:
        case "newline":
            return "\n"
        case "pair":
            return match[0].encode("utf-16", "surrogatepass").decode("utf-16")
        case "invisible":
            after = match.string[match.end() : match.end() + 1]
            return match[0] if _is_needed(match[0], before, after) else ""
        case _:
            return ""


def _is_needed(invisible: str, before: str, after: str) -> bool:
    """True where an emoji or a script's spelling needs these invisible characters between its neighbours."""
    if invisible in ("\u200c", "\u200d") and _JOINING.match(before) and _JOINING.match(after):
        return True
    if invisible == "\u200d":
        return bool(before == "\ufe0f" or _PICTURE.match(before)) and bool(_PICTURE.match(after))
    if invisible in ("\ufe0e", "\ufe0f"):
        return bool(_PICTURE.match(before) or _KEYCAP.match(before))
    if "\U000e0100" <= invisible <= "\U000e01ef":
        return bool(_IDEOGRAPH.match(before))
    return before == "\U0001f3f4" and invisible in _FLAGS
