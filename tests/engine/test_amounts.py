"""Which numbers from outside are believed."""

from __future__ import annotations

import math

import pytest

from moa_tui.engine.amounts import MOST_DOLLARS, MOST_TOKENS, dollars, token_count, wait_seconds
from moa_tui.engine.values import Finish, Reply, Usage, paid

NONSENSE = [-1, -0.5, math.nan, math.inf, -math.inf, 1e308, 2**63, 10**5000, True, "x", [1], {}, None, 1 + 2j]


@pytest.mark.parametrize(
    "value", NONSENSE, ids=lambda value: repr(value)[:20] if value != 10**5000 else "huge"
)
def test_what_cannot_be_meant_is_unknown(value: object) -> None:
    assert (token_count(value), dollars(value), wait_seconds(value)) == (None, None, None)


def test_what_can_be_meant_is_kept() -> None:
    assert [token_count(value) for value in (0, 7, 7.0, MOST_TOKENS)] == [0, 7, 7, MOST_TOKENS]
    assert token_count(2.5) is None
    assert [dollars(value) for value in (0, 0.25, MOST_DOLLARS)] == [0.0, 0.25, MOST_DOLLARS]
    assert math.copysign(1.0, dollars(-0.0) or 0.0) == 1.0
    assert [wait_seconds(value) for value in ("1.5", 2, "nan", "-3", "inf", "soon")] == [1.5, 2.0] + [
        None
    ] * 4


def test_a_finish_holds_no_number_that_cannot_be_meant() -> None:
    assert Finish("stop", Usage(3, 4), 0.5) == Finish("stop", Usage(3, 4), 0.5)
    assert Finish("stop", Usage(3, -4), math.nan) == Finish("stop")
    assert Finish("stop", Usage(2**70, 4), -1.0) == Finish("stop")


def test_a_sum_counts_a_cost_that_cannot_be_meant_as_unknown() -> None:
    replies = [Reply("a", "m", "done", cost=cost) for cost in (0.25, -5.0, math.nan, math.inf)]
    assert (paid(replies).known_cost, paid(replies).cost) == (0.25, None)
