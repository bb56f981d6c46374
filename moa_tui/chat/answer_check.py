"""The check of an answer that is to be JSON of a schema, and the one call that is made to repair it."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from moa_tui.engine import answer_form

if TYPE_CHECKING:
    from moa_tui.engine.recipe import Recipe
    from moa_tui.formats.answer_schema import AnswerSchema, CheckedAnswer


class AnswerCheck:
    """Checks the answers of one run against a schema."""

    def __init__(self, schema: AnswerSchema) -> None:
        self._schema = schema
        self._checked: dict[str, CheckedAnswer] = {}
        self.misfit = ""
        """Why the first answer did not fit; empty where it did, or none came."""

    def check(self, answer: str) -> CheckedAnswer:
        """What the answer holds, and whether it fits; the same answer is checked once."""
        if answer not in self._checked:
            self._checked[answer] = self._schema.check(answer)
        return self._checked[answer]

    async def amend(self, recipe: Recipe, answer: str) -> Recipe | None:
        """The recipe with a call more, which repairs the answer; None where that fits.

        A simulated model is not asked again: it writes no JSON, whatever it is told. Called on the engine's
        loop, and checks on a thread of its own.
        """
        checked = await asyncio.to_thread(self.check, answer)
        if checked.misfit is None or recipe.lineup[-1][0].model.startswith("demo/"):
            return None
        self.misfit = checked.misfit
        return answer_form.with_repair(recipe, checked.misfit)
