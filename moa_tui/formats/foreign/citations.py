"""Turns the marks by which ChatGPT cites its sources into plain ones, `[1](https://…)`.

The marks are private-use characters around names of sources, as `cite` and `turn0search1` between U+E200,
U+E202 and U+E201, or `【1†source】`. Which source is meant stands in the message's metadata.
"""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

from moa_tui.formats.foreign.values import first_text, key, label, listed, string, table

if TYPE_CHECKING:
    from collections.abc import Iterator

_MARKS = "\ue200-\ue20f"
_SOURCE = r"turn\d{1,6}[a-z_]{1,20}\d{1,6}"
# A mark ends at U+E201 or a relative of it; one that was cut off takes only names of sources with it. Every
# repetition is possessive, so that no text is read twice.
_MARK = re.compile(
    rf"\ue200(?P<kind>[a-z_]*+)(?P<rest>(?:[\ue202\ue203][^{_MARKS}]*+)*+)[\ue201\ue204\ue206\ue20b]"
    rf"|\ue200(?P<cut_kind>[a-z_]*+)(?P<cut>(?:[\ue202\ue203](?:{_SOURCE}|turn\d*|L\d+(?:-L\d+)?|$)?)*+)"
    rf"|(?P<anchors>(?:\ue202(?:{_SOURCE}|L\d+(?:-L\d+)?))++)[\ue201\ue206]?"
    rf"|(?<![A-Za-z0-9])(?P<plain>(?:file)?cite(?:{_SOURCE})++)(?:L\d+-L\d+)?"
    r"|【(?P<old>\d{1,6})(?::\d{1,6})?†[^【】\n]{0,300}】"
    rf"|[{_MARKS}]"
)
_SOURCES = re.compile(_SOURCE)
# A text with more of them than that is none that was written for somebody to read.
_MOST_MARKS = 20_000
_WITHOUT_MARKS = dict.fromkeys(range(0xE200, 0xE210))
_LONGEST_ADDRESS, _LONGEST_WORDS = 2_000, 300
_CITING = ("cite", "filecite", "memcite", "navlist", "link_title", "url", "i", "")
# What the page draws there: pictures, maps, cards. Nothing of it can be written as text.
_DRAWN = ("image_group", "i", "genui", "map", "products", "product", "video", "forecast", "finance", "sports")


def with_plain_citations(text: str, metadata: dict[str, Any]) -> str:
    """`text` with each mark as the numbers of its sources, each with its link where `metadata` has one."""
    if not _MARK.search(text):
        return text
    if sum(map(text.count, ("\ue200", "\ue202", "citeturn", "†"))) > _MOST_MARKS:
        return text.translate(_WITHOUT_MARKS)
    return _MARK.sub(_Sources(text, metadata).plain, text)


class _Sources:
    """The sources that a message names, numbered in the order in which its text cites them."""

    def __init__(self, text: str, metadata: dict[str, Any]) -> None:
        self._numbers: dict[str, int] = {}
        self._by_mark: dict[str, list[str]] = {}
        self._names: dict[str, str] = {}
        self._by_source: dict[str, str] = {}
        for reference in map(table, listed(metadata.get("content_references"))):
            self._add_reference(reference)
        for citation in map(table, listed(metadata.get("citations"))):
            self._add_citation(text, citation)
        for group in map(table, listed(metadata.get("search_result_groups"))):
            for entry in map(table, listed(group.get("entries"))):
                self._add_source(entry.get("ref_id"), _address(entry))

    def plain(self, match: re.Match[str]) -> str:
        """What stands in the place of a mark."""
        mark = match[0]
        if match["old"] is not None:
            return self._cited(self._by_mark[mark]) if mark in self._by_mark else mark
        kind, rest = match["kind"], match["rest"] or match["cut"] or match["anchors"] or match["plain"] or ""
        words = [word for word in re.split("[\ue202\ue203]", rest) if word and not match["plain"]]
        if kind == "entity":
            return self._names.get(mark) or _entity("".join(words))
        if kind in _DRAWN:
            return ""
        addresses = self._by_mark.get(mark) or self._addresses_of(rest, words)
        if kind == "url" and words and not _SOURCES.fullmatch(words[0]):
            words_of_link = label(words[0], _LONGEST_WORDS)
            address = next((address for address in addresses if "://" in address), "")
            return f"[{words_of_link}]({address})" if address else words_of_link
        title = "" if not words or _is_source(words[0]) else label(words[0], _LONGEST_WORDS)
        if kind is not None and kind not in _CITING:
            return self._names.get(mark) or ("" if title.startswith(("{", "[")) else title)
        numbers = self._cited(addresses or _SOURCES.findall(rest))
        return " ".join(part for part in (title, numbers) if part)

    def _cited(self, sources: list[str]) -> str:
        """The numbers of sources, each an address or the name of a source without one."""
        numbers = []
        for source in dict.fromkeys(sources):
            number = self._numbers.setdefault(source, len(self._numbers) + 1)
            numbers.append(f"[{number}]({source})" if "://" in source else f"[{number}]")
        return " ".join(numbers)

    def _addresses_of(self, rest: str, words: list[str]) -> list[str]:
        """The sources that a mark names, as addresses where they are known."""
        named = [self._by_source.get(source, source) for source in _SOURCES.findall(rest)]
        return named or [word for word in words if _plain_address(word)]

    def _add_reference(self, reference: dict[str, Any]) -> None:
        """Take the sources of a `content_references` entry, of which each stands for one mark in the text."""
        addresses = []
        for item in (reference, *map(table, listed(reference.get("items")))):
            address = _address(item)
            addresses += [address] if address else []
            for ref in map(table, listed(item.get("refs"))):
                self._add_source(ref, address)
        if not addresses:
            addresses = [url for each in listed(reference.get("safe_urls")) if (url := _plain_address(each))][
                :1
            ]
        mark = string(reference.get("matched_text"))
        # Other entries stand for a whole sentence, or for the blank at the end.
        if _MARK.fullmatch(mark):
            if addresses:
                self._by_mark.setdefault(mark, addresses)
            if name := first_text(reference, "name", "title", "alt"):
                self._names.setdefault(mark, label(name, _LONGEST_WORDS))

    def _add_citation(self, text: str, citation: dict[str, Any]) -> None:
        """Take the source of a `citations` entry, which tells the place of its mark in the text."""
        start, end = (citation.get(f"{side}_ix", citation.get(f"{side}_idx")) for side in ("start", "end"))
        if isinstance(start, int) and isinstance(end, int) and 0 <= start < end <= start + 1_000:
            mark, address = text[start:end], _address(table(citation.get("metadata")))
            if address and _MARK.fullmatch(mark):
                self._by_mark.setdefault(mark, [address])

    def _add_source(self, ref: object, address: str) -> None:
        """Take the address of a source by the parts of its name."""
        parts = [key(table(ref).get(part)) for part in ("turn_index", "ref_type", "ref_index")]
        if address and all(parts):
            self._by_source.setdefault("turn{}{}{}".format(*parts), address)


def _entity(payload: str) -> str:
    """The name of a person, place or thing out of the mark's JSON: its second value."""
    for values in _json_lists(payload):
        names = [value for value in values[:2] if isinstance(value, str)]
        return label(names[-1], _LONGEST_WORDS) if names else ""
    return label(payload, _LONGEST_WORDS)


def _json_lists(text: str) -> Iterator[list[Any]]:
    """The list that a short text is in JSON; nothing where it is none."""
    if len(text) > _LONGEST_ADDRESS or not text.startswith("["):
        return
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):
        return
    if isinstance(value, list):
        yield value


def _is_source(word: str) -> bool:
    """True for the name of a source, or of lines in it."""
    return bool(_SOURCES.match(word) or re.match(r"turn\d*$|L\d", word) or _plain_address(word))


def _address(item: dict[str, Any]) -> str:
    """The web address of a source; empty where it has none that can be linked to."""
    return _plain_address(item.get("url")) or _plain_address(item.get("cloud_doc_url"))


def _plain_address(value: object) -> str:
    """A web address in a form that Markdown reads as one; empty where the value is none."""
    address = string(value)
    if not address.startswith(("https://", "http://")) or len(address) > _LONGEST_ADDRESS:
        return ""
    if any(character.isspace() or not character.isprintable() for character in address):
        return ""
    for character in "()<>[]\\":
        address = address.replace(character, f"%{ord(character):02X}")
    return address
