"""One spelling for a short text: without LaTeX, emphasis, accents, other digits and separators in numbers."""

from __future__ import annotations

import re
import unicodedata

_LONGEST = 960  # characters

_LATEX_WORDS = {
    **{rf"\{name}": "" for name in ("left", "right", "displaystyle", "(", ")", "[", "]", "!")},
    **{rf"\{name}": " " for name in (",", ";", ":", " ", "quad", "qquad")},
    **{"\\{": "{", "\\}": "}", "\\lvert": "|", "\\rvert": "|", "\\lbrace": "{", "\\rbrace": "}"},
    **{"\\cup": "∪", "\\cap": "∩", "\\in": "∈", "\\emptyset": "∅", "\\varnothing": "∅", "\\neq": "≠"},
    **{"\\le": "≤", "\\leq": "≤", "\\ge": "≥", "\\geq": "≥"},
    **{"\\times": "*", "\\cdot": "*", "\\pi": " pi ", "\\%": "%", "\\$": "$", "{,}": ","},
    **{"^{\\circ}": "°", "^\\circ": "°", "\\circ": "°", "\\infty": "∞", "\\pm": "±", "\\dots": "…"},
}
_SPELLED = {
    **dict.fromkeys("−–‒﹣－", "-"),
    **{"×": "*", "·": "*", "π": " pi ", "⁄": "/", "√": " sqrt ", "’": "'", "℃": "°c", "℉": "°f", "％": "%"},
}
_TO_PLAIN = re.compile("|".join(re.escape(word) for word in sorted(_LATEX_WORDS, key=len, reverse=True)))
_FRACTION = re.compile(r"\\[dtc]?frac\s*(?:\{([^{}]{1,40})\}\s*\{([^{}]{1,40})\}|(\d)\s*(\d))")
_ROOT = re.compile(r"\\sqrt\s*\{([^{}]{1,40})\}")
_WRAPPED = re.compile(r"\\(?:text|mathrm|mathbf|textbf|mathit|operatorname|mbox|rm)\s*\{([^{}]{0,60})\}")
_VULGAR = re.compile("[¼-¾⅐-⅞↉]")
_SUPERSCRIPTS = re.compile("[⁰¹²³⁴⁵⁶⁷⁸⁹⁻]+")
_GROUPED = re.compile(r"(?<![\d.,])(\d{1,3})((?:[,'\u00a0\u202f\u2009 ]\d{3})+)(?![\d,'/])")
EDGES = " .,;:!?*_`'\"()[]{}$。、，！？「」"
_MARKS = EDGES.translate({ord(bracket): None for bracket in "()[]{}"})
LISTED = re.compile(r"([(\[{])[^()\[\]{}]*[,;][^()\[\]{}]*([)\]}])")
"""A pair, an interval or a set in an answer: its brackets are part of it."""
_FACTORIAL = re.compile(r"(?:\d|\b[a-z]|\))!$")


def plain(text: str) -> str:
    """`text` in one spelling: no LaTeX, emphasis, accents or other digits; numbers without separators."""
    text = text[:_LONGEST]
    for _ in range(3):
        text = _ROOT.sub(lambda match: f" sqrt {_operand(match[1])}", text)
        text = _WRAPPED.sub(r"\1", _FRACTION.sub(_fraction, text))
    text = _TO_PLAIN.sub(lambda match: _LATEX_WORDS[match[0]], text)
    text = _SUPERSCRIPTS.sub(lambda m: "^" + unicodedata.normalize("NFKC", m[0]).replace("−", "-"), text)
    text = re.sub(r"([\^_])\s*\{([^{}]{1,10})\}", r"\1\2", text)
    text = "".join(
        f" {unicodedata.normalize('NFKC', character)}"
        if "VULGAR" in unicodedata.name(character, "")
        else character
        for character in text
    )
    text = unicodedata.normalize("NFKC", text).casefold()
    text = "".join(_spelled(character) for character in without_accents(text))
    text = " ".join(text.replace("a.m.", "am").replace("p.m.", "pm").replace("**", "").split())
    text = re.sub(r"^(?:#+|<answer>) ?|</answer>$|(?:です|でした|である|입니다)[。.]?$", "", text)
    text = re.sub(r"\b([a-z])\.(?=[a-z]\b)", r"\1", text)
    text = re.sub(
        r"\d{1,3}(?:\.\d{3})+,\d+|(?<![\d.])[1-9]\d{0,2}(?:\.\d{3}){2,}(?![\d.])", _from_decimal_comma, text
    )
    text = _GROUPED.sub(lambda match: match[1] + re.sub(r"\D", "", match[2]), text)
    text = re.sub(r"^(?:minus|negative)\s+(?=\d)", "-", text)
    if re.fullmatch(r"[+-]?\d+,\d{1,2}", text):
        text = text.replace(",", ".")  # A decimal comma; three digits behind it would be thousands.
    if text[:1] == "$" and text[-1:] == "$":
        text = text.strip("$")
    sign = text[0] if re.match(r"[$.]\d", text) else ""
    bare = text.strip(_MARKS)
    end = "!" if _FACTORIAL.search(text.rstrip(_MARKS.replace("!", ""))) else ""
    bare = sign + (bare if LISTED.search(bare) else text.strip(EDGES)) + end
    return f"{bare})" if bare.count("(") > bare.count(")") and not LISTED.search(bare) else bare


def _fraction(match: re.Match[str]) -> str:
    before = match.string[: match.start()]
    blank = " " if before[-1:].isdigit() else ""  # A mixed number.
    return f"{blank}{_operand(match[1] or match[3])}/{_operand(match[2] or match[4])} "


def _operand(term: str) -> str:
    """`term` with brackets around it where it is a sum."""
    return f"({term})" if "+" in term.strip()[1:] or "-" in term.strip()[1:] else term


def _from_decimal_comma(match: re.Match[str]) -> str:
    return match[0].replace(".", "").replace(",", ".")


def _spelled(character: str) -> str:
    if character.isdecimal():
        return str(unicodedata.decimal(character))
    return _SPELLED.get(character, character)


def without_accents(text: str) -> str:
    """`text` without the accents of Latin letters; in other scripts they are part of the word."""
    kept: list[str] = []
    for character in unicodedata.normalize("NFD", text):
        if not ("\u0300" <= character <= "\u036f" and kept and kept[-1] < "\u0250"):
            kept.append(character)
    return unicodedata.normalize("NFC", "".join(kept))
