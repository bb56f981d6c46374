"""An estimate of how many tokens a text has, from counts of its kinds of characters.

A tokenizer would be exact for one family of models only, and slow for all. The weights were fitted to the
geometric mean of two tokenizers that many models are near to, OpenAI's of 2023 and 2024 (cl100k and o200k);
`python -m tests.benchmarks tokens` measures the estimate against both. Scripts that the older one cuts into
bytes take it up to six times as many tokens as the newer one, and no single figure is right for both.
"""

from __future__ import annotations

from functools import lru_cache

# The kinds of bytes: small and capital letters, digits, blanks, line ends, signs, and all outside ASCII.
_SMALL, _CAPITAL, _DIGIT, _BLANK, _END, _SIGN, _OTHER = b"aA0 \n.x"
# Words up to this length are mostly one token.
_SHORT_WORD = 5
# The most characters that are counted, and in how many parts where a text is longer.
_MOST_COUNTED, _PARTS = 20_000, 20
# Signs that are drawn in rows: many of them are one token.
_ROWS = (b"----", b"====", b"****", b"____", b"....", b"####")

# Tokens for each character of a script, by the first bytes of its UTF-8; an entry of two bytes stands for
# those characters instead of the one for their first byte.
_SCRIPTS = {
    b"\xc2": 1.0,  # Latin-1 signs
    b"\xc3": 0.9,  # Western Latin letters
    **dict.fromkeys([b"\xc4", b"\xc5", b"\xc6", b"\xc7", b"\xc8", b"\xc9"], 1.5),  # other Latin letters
    **dict.fromkeys([b"\xca", b"\xcb", b"\xcc", b"\xcd"], 1.0),  # phonetic letters, marks
    **dict.fromkeys([b"\xce", b"\xcf"], 0.66),  # Greek
    **dict.fromkeys([b"\xd0", b"\xd1", b"\xd2", b"\xd3"], 0.4),  # Cyrillic
    **dict.fromkeys([b"\xd4", b"\xd5", b"\xd7"], 0.78),  # Armenian, Hebrew
    b"\xd6": 1.3,  # Hebrew points
    **dict.fromkeys([b"\xd8", b"\xd9", b"\xda", b"\xdb"], 0.57),  # Arabic
    **dict.fromkeys([b"\xdc", b"\xdd", b"\xde", b"\xdf"], 1.5),  # Syriac, Thaana, N'Ko
    b"\xe0": 0.95,  # scripts of India
    **dict.fromkeys([b"\xe0\xa4", b"\xe0\xa5"], 0.64),  # Devanagari
    **dict.fromkeys([b"\xe0\xa6", b"\xe0\xa7"], 0.74),  # Bengali
    **dict.fromkeys([b"\xe0\xae", b"\xe0\xaf"], 0.77),  # Tamil
    **dict.fromkeys([b"\xe0\xb8", b"\xe0\xb9"], 0.65),  # Thai
    **dict.fromkeys([b"\xe0\xba", b"\xe0\xbb", b"\xe0\xbc", b"\xe0\xbd", b"\xe0\xbe"], 1.9),  # Lao, Tibetan
    b"\xe1": 2.2,  # Ethiopic and rare scripts
    **dict.fromkeys([b"\xe1\x80", b"\xe1\x81"], 1.1),  # Burmese
    **dict.fromkeys([b"\xe1\x82", b"\xe1\x83"], 0.82),  # Georgian
    **dict.fromkeys([b"\xe1\x9e", b"\xe1\x9f"], 1.05),  # Khmer
    **dict.fromkeys([b"\xe1\xba", b"\xe1\xbb"], 1.4),  # Vietnamese letters
    b"\xe2": 1.5,  # symbols
    b"\xe2\x80": 0.8,  # dashes and quotation marks
    **dict.fromkeys([b"\xe2\x94", b"\xe2\x95"], 0.95),  # lines of boxes
    b"\xe2\x96": 1.7,  # blocks
    **dict.fromkeys([b"\xe3", b"\xe4", b"\xe5", b"\xe6", b"\xe7", b"\xe8", b"\xe9"], 0.95),  # kana, Han
    **dict.fromkeys([b"\xea", b"\xeb", b"\xec", b"\xed"], 0.95),  # Hangul
    b"\xef": 0.9,  # full width
    b"\xf0": 1.9,  # emoji
}


# The lines and blocks that are drawn in rows, and how many tokens fewer four of them in a row are.
_DRAWN_ROWS = tuple((character * 4).encode() for character in "─━═█░")
_FEWER_IN_ROW = 3.4


def _kind(code: int) -> int:
    """The kind of an ASCII character."""
    character = chr(code)
    if character.isalpha():
        return _SMALL if character.islower() else _CAPITAL
    if character.isdigit():
        return _DIGIT
    return _BLANK if character in " \t" else _END if character in "\r\n" else _SIGN


_KINDS = bytes(map(_kind, range(128))) + bytes([_OTHER]) * 128
_CORRECTIONS = {
    start: weight - (_SCRIPTS[start[:1]] if len(start) > 1 else 0.0) for start, weight in _SCRIPTS.items()
}


def estimate_tokens(text: str) -> int:
    """About how many tokens `text` has; 0 for an empty text, else at least 1.

    It takes some 40 microseconds for 1,000 characters; of a text beyond 20,000, parts are counted.
    """
    if len(text) <= _MOST_COUNTED:
        return max(min(len(text), 1), round(_counted(text)))
    step = len(text) / _PARTS
    size = _MOST_COUNTED // _PARTS
    parts = [text[int(part * step) : int(part * step) + size] for part in range(_PARTS)]
    return round(sum(map(_counted, parts)) * len(text) / (_PARTS * size))


@lru_cache(maxsize=256)
def _counted(text: str) -> float:
    """The tokens of a text that is counted whole. A conversation is estimated anew at every key."""
    raw = text.encode("utf-8", "replace")
    tokens = _in_ascii(raw)
    if not text.isascii():
        tokens += sum(weight * raw.count(start) for start, weight in _CORRECTIONS.items())
        tokens -= _FEWER_IN_ROW * sum(map(raw.count, _DRAWN_ROWS))
    return tokens


def _in_ascii(raw: bytes) -> float:
    """The tokens of the ASCII characters of `raw`. What counts is mostly where one kind follows another."""
    kinds = b"\n" + raw.translate(_KINDS)  # What begins the text begins after something.
    humps, capitals = kinds.count(b"aA") + kinds.count(b"AAa"), kinds.count(b"A")
    count = kinds.replace(b"A", b"a").count
    words = count(b" a") + count(b".a") + count(b"\na")
    letters_after_digit = count(b"0a")
    pieces = words + humps + letters_after_digit
    digits_after_letter, digits_after_blank = count(b"a0"), count(b" 0")
    digits_after_sign = count(b".0") + count(b"\n0") + count(b"x0")
    numbers = digits_after_letter + digits_after_blank + digits_after_sign
    blank_sign = count(b" .")
    signs = blank_sign + count(b"a.") + count(b"0.") + count(b"\n.") + count(b"x.")
    in_rows = len(_ROWS[0]) * sum(map(raw.count, _ROWS))
    ends = count(b"a\n") + count(b"0\n") + count(b".\n") + count(b" \n") + count(b"x\n")
    return (
        1.1 * words
        + 0.5 * max(0, count(b"a") - _SHORT_WORD * pieces)
        + 0.12 * capitals
        + 0.8 * humps
        + 1.13 * letters_after_digit
        + 0.97 * digits_after_letter
        + 1.7 * digits_after_blank
        + 1.35 * digits_after_sign
        + 0.32 * max(0, count(b"0") - numbers)
        + 0.25 * signs
        + 0.83 * blank_sign
        + 0.37 * max(0, count(b".") - signs - in_rows)
        + 0.05 * in_rows
        + 0.48 * ends
        + 0.09 * max(0, count(b"\n") - 1 - ends)
        + 0.84 * count(b"\n ")
    )
