"""What a recipe may pass on, and what looks like a key. The attempts are in `tests/hostile`."""

from __future__ import annotations

import pytest

from moa_tui.engine.parameters import KNOWN_PARAMETERS, key_like, problem_of, texts_of


@pytest.mark.parametrize("name", sorted(KNOWN_PARAMETERS))
def test_every_known_parameter_is_passed_on_at_any_depth(name: str) -> None:
    assert problem_of({name: {} if name == "extra_body" else 1}) is None
    assert problem_of({"extra_body": {name: 1}}) is None


def test_an_unknown_name_is_let_by_where_it_is_only_shown() -> None:
    assert problem_of({"quantum": 1}) is not None
    assert problem_of({"quantum": 1}, allow_unknown=True) is None
    assert problem_of({"quantum": {"api_base": 1}}, allow_unknown=True) is not None


def test_the_place_of_a_key_is_told_and_not_the_key() -> None:
    assert key_like({"agents": {"a": {"system": "sk-0123456789abcdefgh"}}}) == "agents.a.system"
    assert key_like([{"x": "sk-0123456789abcdefgh"}]) == "1.x"
    assert key_like({"sk-0123456789abcdefgh": {"x": 1}}) == "a name"
    assert key_like({"a": "ask-me-about-a-long-hyphenated-word-1"}) is None
    assert key_like({"a": "sk-learn-is-a-library-for-learning"}) is None


def test_texts_at_any_depth_are_found() -> None:
    deep: object = "end"
    for _ in range(5_000):
        deep = [deep]
    assert list(texts_of({"a": ["b", {"c": 1}], "d": deep})) == ["a", "d", "end", "c", "b"]
