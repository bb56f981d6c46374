"""What an answer left out, in lines."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tests.fakes import FakeModels
    from tests.plain.conftest import Lines

FIRST = "Cache whole pages for visitors without a basket. Redis keeps sessions for thirty minutes."
SECOND = "Cache whole pages for visitors without a basket. Invalidate the product pages by events."
FINAL = "Cache whole pages for visitors without a basket."


def answered(models: FakeModels) -> None:
    models.scripts = {"a": [[FIRST]], "b": [[SECOND]], "judge": [[FINAL]]}


def test_the_points_are_listed_by_number_with_their_agents(lines: Lines, models: FakeModels) -> None:
    answered(models)
    said = lines.piped("What should a shop cache?\n/left")
    assert "The answer left out 2 points of the others." in said
    assert "1, a: Redis keeps sessions for thirty minutes." in said
    assert "2, b: Invalidate the product pages by events." in said
    assert "/left and numbers, such as /left 1 3, writes the answer again: one call of judge" in said


def test_numbers_write_the_answer_again_with_these_points(lines: Lines, models: FakeModels) -> None:
    answered(models)
    lines.piped("What should a shop cache?\n/left 2")
    assert (len(models.asked["a"]), len(models.asked["judge"])) == (1, 2)
    asked = "\n".join(message["content"] for message in models.asked["judge"][-1])
    assert asked.count("Invalidate the product pages by events.") > 1
    assert asked.count("Redis keeps sessions for thirty minutes.") == 1


def test_another_number_is_refused(lines: Lines, models: FakeModels) -> None:
    answered(models)
    said = lines.piped("What should a shop cache?\n/left 3\n/left one")
    assert '"3" is no point: the answer left out points 1 to 2' in said
    assert '"one" is no point' in said
    assert len(models.asked["judge"]) == 1
