"""Texts cut, folded and searched for what they are about."""

from __future__ import annotations

import re
from bisect import bisect_right
from typing import TYPE_CHECKING

from moa_tui.engine.token_estimate import estimate_tokens
from moa_tui.engine.words import words

if TYPE_CHECKING:
    from collections.abc import Sequence

_MARKUP = re.compile(r"[`*|<>\[\]\\~]|&(?=#?\w{1,31};)")
# Han text is cut at its commonest particles: no segmentation, but it reads well enough.
_PARTICLES = re.compile(r"为什么|什么|怎么|如何|请|的|了|是|在|和|与|吗|呢|我|你")
_TERM = re.compile(r"[㐀-鿿]{2,8}|[ァ-ヿ]{2,12}|[가-힣]{2,12}|[^\W\d_㐀-鿿ぁ-ヿ가-힣]{3,}")
STOP_WORDS = (
    " about after again all also and answer any are because been before but can compare could describe did "
    "does draft each every everyone explain find first for from get give good had has have help her here "
    "him his how into its just know last less let like make many may more most much must name need never "
    "not now off one only other our out over please prompt put say would she should show some started still "
    "such take tell than that the their them then there these they this those through too two under until "
    "use very want was were what when where whether which while who why will with without write you your "
)


def inert(text: str) -> str:
    """`text` on one line, without control characters or what Markdown would act on."""
    printable = "".join(char if char.isprintable() else " " for char in text.replace("**", ""))
    return " ".join(_MARKUP.sub(" ", printable).split()).translate({0x201C: "‘", 0x201D: "’"})


def shorten_to(text: str, most: int) -> str:
    """`text` in at most `most` characters (half that in wide scripts), with an ellipsis where it was cut."""
    most = most // 2 if len(text.encode()) > 2 * len(text) else most
    head = text[: most - 1]
    return text if len(text) <= most else (head.rpartition(" ")[0] or head).rstrip(" ,;:") + "…"


def cut_to(text: str, tokens: int) -> str:
    """The beginning of `text` that makes at most `tokens`, by the engine's estimate."""
    sizes = range(len(text) + 1)
    return text[: bisect_right(sizes, tokens, key=lambda size: estimate_tokens(text[:size])) - 1]


def key_terms(text: str, most: int) -> list[str]:
    """What `text` seems to be about: names, then long words, at most `most`."""
    runs = [run for run in _TERM.findall(_PARTICLES.sub(" ", text)) if len(run) <= 24]
    terms = {run.casefold(): run for run in reversed(runs) if folded(run) not in STOP_WORDS}
    rank = {term: (term.islower() or not at, -len(term), at) for at, term in reversed([*enumerate(runs)])}
    return sorted(terms.values(), key=rank.__getitem__)[:most]


def token_share(char: str) -> float:
    """About the share of a token that a character makes."""
    return 0.25 if char.isascii() else 1.0


def folded(text: str) -> str:
    """The words of `text` in lower case, a space around each, so that a search finds whole words only."""
    return f" {' '.join(words(text))} "


def in_bold(terms: Sequence[str]) -> str:
    """The terms as Markdown, each in bold, with commas between them."""
    return ", ".join(f"**{term}**" for term in terms)
