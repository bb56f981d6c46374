"""Keys in what servers say, in whatever form they repeat them."""

from __future__ import annotations

import base64
import json
import time
from typing import Any
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from moa_tui.gateway.masking import without_keys

KEY = "sk-Canary_0123456789abcdef"
KEYS = {KEY: "LAB_KEY", "sk-Canary_0123456789abcdef-longer": "LONG_KEY", "hunter": "SHORT_KEY"}

FORMS: dict[str, str] = {
    "plain": KEY,
    "upper": KEY.upper(),
    "lower": KEY.lower(),
    "spaced": " ".join(KEY),
    "newline": f"{KEY[:9]}\n{KEY[9:]}",
    "tab": f"{KEY[:9]}\t{KEY[9:]}",
    "tag": f"{KEY[:9]}<b class='x'>{KEY[9:]}</b>",
    "entity": KEY.replace("-", "&#45;").replace("C", "&#x43;"),
    "percent": "".join(f"%{ord(letter):02X}" for letter in KEY),
    "quoted": quote(KEY, safe=""),
    "json": KEY.replace("-", "\\u002d").replace("C", "\\u0043"),
    "json twice": json.dumps(json.dumps({"key": f"{KEY[:9]}\n{KEY[9:]}"})),
    "soft hyphen": f"{KEY[:9]}\u00ad{KEY[9:]}",
    "base64": base64.b64encode(KEY.encode()).decode(),
    "base64 of a header": base64.b64encode(f"Bearer {KEY}".encode()).decode(),
    "base64 of a login": base64.urlsafe_b64encode(f"me:{KEY}:x".encode()).decode(),
}


@pytest.mark.parametrize("form", FORMS)
def test_a_key_is_hidden_in_every_form(form: str) -> None:
    masked = without_keys(f"Incorrect key {FORMS[form]} given.", KEYS)
    assert masked.startswith("Incorrect key ")
    assert "[LAB_KEY]" in masked
    assert "given." in masked
    plain = "".join(masked.replace("\n", "").split()).lower()
    for part in (KEY[3:11], KEY[-8:], FORMS[form][9:17]):
        assert part.lower() not in plain


@pytest.mark.parametrize("length", range(10, len(KEY)))
@pytest.mark.parametrize("end", ["", " [cut: the server sent more than 16,384 bytes]"])
def test_the_beginning_of_a_key_is_hidden_where_a_text_is_cut(length: int, end: str) -> None:
    masked = without_keys(f"Bad {KEY[:length]}{end}", {KEY: "LAB_KEY"})
    assert masked.replace("_", "") == f"Bad [LABKEY]{end}"


@pytest.mark.parametrize(
    "text", ["", "no key", "sk-Canar", "the sk-Canary_01234 of old", "a % b &c; <d", "HUNTER", "100%", "\\"]
)
def test_other_text_stays(text: str) -> None:
    assert without_keys(text, KEYS) == text


def test_the_longer_of_two_keys_is_hidden_whole_and_a_short_one_as_it_stands() -> None:
    assert without_keys("SK-CANARY_0123456789ABCDEF-LONGER", KEYS) == "[LONG_KEY]"
    assert without_keys("sk-Canary_0123456789abcdef-longer hunter", KEYS) == "[LONG_KEY] [SHORT_KEY]"


@given(st.text(), st.text())
def test_whatever_stands_around_a_key_it_is_hidden(before: str, after: str) -> None:
    assert KEY not in without_keys(f"{before}{KEY}{after}", KEYS)


@pytest.mark.parametrize("piece", ["<", "\\", "&", "%", "sk-Canary", "a", "&#1", "\\u00", KEY[:-1], "[cut: "])
def test_the_work_grows_with_the_text_alone(piece: str) -> None:
    many: dict[str, Any] = {f"{KEY}{number}": f"K{number}_KEY" for number in range(30)}
    began = time.process_time()
    without_keys(piece * (20_000 // len(piece)), many)
    assert time.process_time() - began < 1.0
