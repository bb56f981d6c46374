"""Reading the verdict at the end of a judge's reply. Pure, and linear in the length of what is read.

The last line of a reply counts, in the form that the judge was asked for, whatever Markdown, letter case or
script's punctuation it is dressed in; or a JSON object at its end. All else is unreadable, and None: a reply
may repeat what the judged texts say, so nothing in it is guessed. For the same reason a reply is unreadable
where another line of the same form says something else.
"""

from __future__ import annotations

import json
import re
import unicodedata
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator, Sequence

Choice = Literal["A", "B", "tie"]
"""Which of two responses is the better one; `tie` where neither is."""

NOT_APPLICABLE = "n/a"
"""What a judge writes for a skill that a response gives no occasion for."""

# A verdict stands at the end of a reply; a longer one is read at its end only.
_READ_CHARACTERS = 50_000
_LONGEST_LINE = 200
# Each brace that does not begin the last object costs a try.
_MOST_TRIES = 20
_LONGEST_OBJECT = 4_000

_FENCE_LINE = re.compile(r"[`~]{3,}\w{0,20}|[-*_=]{3,}")
_VERDICT = re.compile(r"(?:my |the |final )*verdict(?: is\b| ?[:= ])(.+)", re.IGNORECASE)
_RATING = re.compile(r"(?:my |the |final |overall )*(?:rating|score)(?: is\b| ?[:= ])(.+)", re.IGNORECASE)
_SKILL = re.compile(r"(?:score ?:? ?)?([^:=]+)[:=]([^:=]+)", re.IGNORECASE)
_CHOICE = re.compile(r"(?:(?:response|answer|assistant|option) )?([ab])|(tie|draw|equal)", re.IGNORECASE)
_NUMBER = re.compile(r"(\d{1,3}(?:[.,]\d{1,3})?)(?: ?(?:/|of|out of) ?(\d{1,3}))?", re.IGNORECASE)
_NONE = re.compile(r"n[ /.]?a|not applicable", re.IGNORECASE)
# What stands in JSON, wherever in the reply.
_JSON_FIELD = r'"%s"\s{0,9}:\s{0,9}"?([^",}\n]{1,40})'
# What has a meaning in a line besides its words and numbers; and before a number alone.
_KEPT_MARKS = frozenset(":=/.,%")
_NEGATIONS = frozenset("!\u00ac")
_MARKS_OF_NUMBERS = frozenset("-\u2212<>\u2264\u2265\u2260\u00b1")


def parse_choice(reply: str) -> Choice | None:
    """Which response a reply prefers, as its last line `VERDICT: A` says; None where that cannot be read."""
    return _last_value(reply, _VERDICT, "verdict", _choice)


def parse_rating(reply: str, least: float = 1, most: float = 10) -> float | None:
    """The rating in the last line of a reply, `RATING: 7`; None where there is none in range."""
    return _last_value(reply, _RATING, "rating", lambda text: _number(text, least, most))


def parse_skills(
    reply: str, skills: Sequence[str], least: float = 1, most: float = 5
) -> dict[str, float | None] | None:
    """The score of each of `skills` in the last lines of a reply, `SCORE completeness: 4`.

    The value of a skill is None where the judge says that it does not apply. The reply is unreadable, and
    None, unless it gives each skill one score, and all of them at its end.
    """
    names = {_bare(skill).casefold(): skill for skill in skills}
    if (table := _last_object(reply)) is not None:
        given = [(name.replace("_", " "), _bare(str(value))) for name, value in table.items()]
    else:
        given = _skill_lines(reply, names)
    scores: dict[str, float | None] = {}
    for name, text in given:
        skill, value = names.get(_bare(name).casefold()), _number(text, least, most)
        if skill is None or (value is None and not _NONE.fullmatch(text)):
            continue  # It may be the reason for a score.
        if scores.setdefault(skill, value) != value:
            return None
    return scores if len(scores) == len(names) > 0 else None


def _skill_lines(reply: str, names: Collection[str]) -> list[tuple[str, str]]:
    """The name and score of every line that scores one of `names`; none unless such a line is the last."""
    scored = [_skill_line(line, names) for line in _lines(reply)]
    return [line for line in scored if line is not None] if scored and scored[-1] is not None else []


def _skill_line(line: str, names: Collection[str]) -> tuple[str, str] | None:
    match = _SKILL.fullmatch(line)
    if match is None or match[1].strip().casefold() not in names:
        return None
    return match[1], match[2].strip()


def _last_value(reply: str, form: re.Pattern[str], key: str, read: Callable[[str], Any | None]) -> Any | None:
    """What the last line of a reply says in a form, or a JSON object at its end under `key`."""
    lines = list(_lines(reply))
    last = None
    if (table := _last_object(reply)) is not None:
        last = read(_bare(str(table.get(key, ""))))
    elif lines and (match := form.fullmatch(lines[-1])) is not None:
        last = read(match[1].strip())
    if last is None:
        return None
    said = [match[1].strip() for line in lines if (match := form.fullmatch(line))]
    said += map(_bare, re.findall(_JSON_FIELD % key, reply[-_READ_CHARACTERS:]))
    return last if all(read(text) in (None, last) for text in said) else None


def _lines(reply: str) -> Iterator[str]:
    """The lines of the end of a reply that have words, bare of Markdown; an overlong one is empty.

    Quoted lines are left out: what a judge quotes are not its own words.
    """
    for line in reply[-_READ_CHARACTERS:].splitlines():
        text = line.strip()
        if text and not text.startswith(">") and not _FENCE_LINE.fullmatch(text):
            yield _bare(text) if len(text) <= _LONGEST_LINE else ""


def _bare(text: str) -> str:
    """`text` in plain letters, without Markdown, quotes, brackets and the punctuation of other scripts."""
    plain = unicodedata.normalize("NFKC", text)
    spaced = "".join(
        character if _is_kept(character, before, after) else " "
        for before, character, after in zip(f" {plain}", plain, f"{plain[1:]} ", strict=False)
    )
    return " ".join(spaced.split()).strip(" :=.,")


def _is_kept(character: str, before: str, after: str) -> bool:
    """True for a letter or digit, and for a mark that may change what is said."""
    if character.isalnum() or character in _KEPT_MARKS:
        return True
    if character in _NEGATIONS:
        return after.isalnum()
    return character in _MARKS_OF_NUMBERS and after.isdigit() and not before.isalnum()


def _choice(text: str) -> Choice | None:
    match = _CHOICE.fullmatch(text)
    if match is None:
        return None
    return "tie" if match[2] else ("A" if match[1].upper() == "A" else "B")


def _number(text: str, least: float, most: float) -> float | None:
    """A number in its range, as "7", "7.5" or "7/10"."""
    match = _NUMBER.fullmatch(text)
    if match is None or (match[2] is not None and float(match[2]) != most):
        return None
    value = float(match[1].replace(",", "."))
    return value if least <= value <= most else None


def _last_object(reply: str) -> dict[str, Any] | None:
    """The JSON object with which a reply ends; None where it ends with anything else."""
    text = reply[-_LONGEST_OBJECT:].rstrip().rstrip("`~").rstrip()
    if not text.endswith("}"):
        return None
    at = len(text)
    for _ in range(_MOST_TRIES):
        at = text.rfind("{", 0, at)
        if at < 0:
            return None
        try:
            value = json.loads(text[at:])
        except (ValueError, RecursionError):
            continue
        return value if isinstance(value, dict) else None
    return None
