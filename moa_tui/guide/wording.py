"""The words of questions and of the manual in one form: stems, keys, and what newcomers call otherwise."""

from __future__ import annotations

import difflib
import re
from functools import cache

from moa_tui.engine import likeness
from moa_tui.engine.words import words

_LONGEST_QUESTION = 2_000
"""Characters that are read at the beginning and at the end of a question: a paste may have a million."""
_MOST_WORDS = 64
_EMPTY_LIKENESS = 0.85

# Words that are in nearly every question, whatever it is about; and the program's own name.
EMPTY_WORDS = frozenset(
    words(
        "a about again all also am an and any anything anywhere are as at be been but by can could did do "
        "does done else every explain for from get gets give given gives had has have he her him his how "
        "i if in instead into is it its itself just let like lot make makes may me mean meaning means "
        "might moa most much must my no now of okay on one only or our ours out please shall she should "
        "so some somebody something still such take takes taking tell than that the their them then there "
        "these they thing things this those to too understand up us use used uses using very want wants "
        "was way we were what when where whether which while who whom whose why will with without work "
        "works would you your yours"
    )
)

# Forms that no ending tells.
_IRREGULAR = {
    **{"went": "go", "goes": "go", "gone": "go", "written": "write", "wrote": "write", "chose": "choose"},
    **{"chosen": "choose", "kept": "keep", "spent": "spend", "left": "leave", "found": "find", "ran": "run"},
    **{"sent": "send", "said": "say", "says": "say", "seen": "see", "saw": "see", "paid": "pay"},
    **{"lost": "lose", "shown": "show", "taken": "take", "took": "take", "thought": "think", "hid": "hide"},
    **{
        "better": "good",
        "best": "good",
        "faster": "fast",
        "fastest": "fast",
        "slower": "slow",
        "slowest": "slow",
    },
    **{"cheaper": "cheap", "cheapest": "cheap", "sooner": "soon", "bigger": "large", "smaller": "small"},
    **{"proxies": "proxy", "does": "do", "analyses": "analysis", "dies": "die", "died": "die"},
}

# What newcomers call a thing, and the manual's words for it. Only words that differ: what the manual itself
# says needs no entry, and a word that is also used for something else has none.
OTHER_NAMES = {
    "abort": "stop",
    "api": "provider",
    "background": "colour",
    "backup": "export copy",
    "bash": "shell",
    "bill": "cost price",
    "blind": "red green alike",
    "bring": "import",
    "cancel": "stop",
    "cap": "limit",
    "charge": "cost price",
    "color": "colour theme",
    "combine": "mixture merge",
    "company": "network gateway",
    "computer": "machine",
    "continue": "resume go last",
    "crash": "fault damaged",
    "dark": "colour theme",
    "desktop": "machine",
    "directory": "folder",
    "discard": "delete",
    "document": "file",
    "dollar": "cost budget",
    "download": "export",
    "erase": "delete",
    "exclude": "leave",
    "exit": "quit",
    "expensive": "cost price",
    "fast": "speed",
    "forever": "slow speed",
    "free": "cost",
    "group": "layer",
    "hide": "close",
    "history": "conversation",
    "hotkey": "key keyboard",
    "icon": "sign",
    "ignore": "leave",
    "image": "picture",
    "instal": "install",
    "internet": "web",
    "interrupt": "stop",
    "keybind": "key keyboard",
    "keybinding": "key keyboard",
    "laptop": "machine",
    "light": "theme colour",
    "local": "machine",
    "mac": "machine",
    "math": "arithmetic",
    "maximum": "limit",
    "mix": "mixture",
    "money": "cost price",
    "monthly": "month",
    "offline": "local",
    "old": "earlier",
    "online": "web",
    "open": "resume",
    "pause": "stop",
    "pay": "cost price",
    "pc": "machine",
    "phone": "machine",
    "photo": "picture",
    "pic": "picture",
    "pick": "choose",
    "price": "cost",
    "program": "code",
    "programm": "code",
    "quick": "speed",
    "recover": "rescue restore",
    "remove": "delete",
    "revert": "undo back",
    "safe": "safety",
    "save": "export keep",
    "secret": "private",
    "secure": "safety",
    "session": "conversation",
    "share": "export",
    "shortcut": "key keyboard",
    "slow": "speed",
    "spend": "budget cost",
    "spy": "telemetry",
    "store": "keep disk folder",
    "study": "research",
    "switch": "choose change",
    "symbol": "sign",
    "track": "telemetry",
    "trash": "bin",
    "undelete": "restore bin",
    "upload": "attach",
    "yesterday": "last",
}

# What newcomers say where the manual means something else by the same word.
_MEANT = {"chat": "conversation"}

# What "moa" stands for where nothing else is asked for; else it may be the program, a recipe, or a bird.
_MIXTURE = "mixture agents"
_PROGRAM = re.compile(r"\bmoa[- ]tui\b", re.IGNORECASE)
_KEY = re.compile(r"\b(ctrl|control|strg|shift|alt)[ +-]{1,3}(\w+|[↑↓←→])", re.IGNORECASE)
_KEY_NAMES = {"control": "ctrl", "strg": "ctrl", "↑": "up", "↓": "down", "←": "left", "→": "right"}
_VOWEL = re.compile("[aeiouy]")


def stems(text: str) -> list[str]:
    """The words of `text` that say what it is about, by their stems. A key such as ctrl+g is one word."""
    text = _KEY.sub(_key_word, _PROGRAM.sub(" ", text))
    return [
        stem(word)
        for word in words(text)
        if word not in EMPTY_WORDS and (len(word) > 1 or not word.isascii())
    ]


def question_stems(question: str) -> list[str]:
    """The different stems of a question, as many as a question can need; of a long text, of both its ends."""
    if len(question) > 2 * _LONGEST_QUESTION:
        question = f"{question[:_LONGEST_QUESTION]} {question[-_LONGEST_QUESTION:]}"
    asked = stems(question) or (stems(_MIXTURE) if "moa" in words(question) else [])
    return list(dict.fromkeys(_MEANT.get(each, each) for each in asked))[:_MOST_WORDS]


def other_names(of: str) -> tuple[str, ...]:
    """The stems by which the manual calls what newcomers call by the stem `of`; none for most words."""
    return _stemmed_names().get(of, ())


@cache
def stem(word: str) -> str:
    """`word` without the ending of a plural, a participle or a tense; it need not be a word itself."""
    if word in _IRREGULAR:
        return stem(_IRREGULAR[word])
    if len(word) < 4 or not (word.isascii() and word.isalpha()):
        return word[:-1] if len(word) == 4 and word.endswith("s") and not word.endswith("ss") else word
    if word.endswith("ies"):
        word = f"{word[:-3]}y"
    elif re.search(r"(?:ss|x|z|ch|sh)es$", word):
        word = word[:-2]
    elif word.endswith("s") and not word.endswith(("ss", "us", "is")):
        word = word[:-1]
    for ending in ("ing", "ed"):
        if word.endswith(ending) and len(word) - len(ending) >= 3 and _VOWEL.search(word[: -len(ending)]):
            word = word[: -len(ending)]
            if word[-1] == word[-2] and word[-1] not in "lsz":
                word = word[:-1]
            break
    return word[:-1] if word.endswith("e") and len(word) > 3 else word


def rarity(of: str) -> float:
    """How rare a stem is in texts in general: the inverse document frequency of its commonest word."""
    common = _common_stems().get(of)
    return likeness.rarity_by_length(of) if common is None else common


@cache
def is_empty(of: str) -> bool:
    """True for a stem that says nothing, because it is one of `EMPTY_WORDS` misspelled, such as "wher"."""
    return not is_common(of) and bool(difflib.get_close_matches(of, EMPTY_WORDS, 1, _EMPTY_LIKENESS))


def is_common(of: str) -> bool:
    """True for the stem of a word that is so common that it is no other word misspelled."""
    return of in _common_stems()


@cache
def _common_stems() -> dict[str, float]:
    rarest: dict[str, float] = {}
    for word, frequency in likeness.common_words().items():
        if word in EMPTY_WORDS:
            continue  # Else "theme" would be as common as "them".
        form = stem(word)
        rarest[form] = min(frequency, rarest.get(form, frequency))
    return rarest


@cache
def _stemmed_names() -> dict[str, tuple[str, ...]]:
    return {stem(name): tuple(map(stem, names.split())) for name, names in OTHER_NAMES.items()}


def _key_word(match: re.Match[str]) -> str:
    modifier, key = match[1].lower(), match[2].lower()
    return f"{_KEY_NAMES.get(modifier, modifier)}_{_KEY_NAMES.get(key, key)}"
