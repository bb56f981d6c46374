"""The options that several commands take."""

from __future__ import annotations

import math
from typing import Any

import click

from moa_tui.cli import completion
from moa_tui.cli.wiring import LAST_CONVERSATION
from moa_tui.errors import UsageError


class Dollars(click.FloatRange):
    """A price of more than nothing, in US dollars."""

    def __init__(self) -> None:
        super().__init__(min=0, min_open=True)

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        number = super().convert(value, param, ctx)
        if math.isnan(number):  # It passes every comparison, and a cap of it would cap nothing.
            self.fail(f"{value!r} is no price.", param, ctx)
        return number


recipe_option = click.option(
    "-r",
    "--recipe",
    "recipe_name",
    metavar="RECIPE",
    shell_complete=completion.recipe_names,
    help="A recipe's name, or a path to one.",
)
model_option = click.option(
    "-m",
    "--model",
    "aggregator",
    metavar="MODEL",
    shell_complete=completion.model_names,
    help="Another model for the aggregator, which writes the answer.",
)
system_option = click.option("--system", metavar="TEXT", help="A system prompt for every agent.")
continue_option = click.option(
    "-c", "--continue", "go_on", is_flag=True, help="Go on with the last conversation."
)
session_option = click.option(
    "-s",
    "--session",
    "session",
    metavar="ID|TITLE",
    shell_complete=completion.conversation_names,
    help="Open a kept conversation.",
)
private_option = click.option("--private", is_flag=True, help="Write nothing of the conversation to disk.")
plain_option = click.option(
    "--plain", is_flag=True, help="Lines of text instead of a screen, as for a screen reader."
)
json_option = click.option("--json", "as_json", is_flag=True, help="One JSON document, for scripts.")


def conversation_name(go_on: bool, session: str | None) -> str | None:
    """The conversation that -c and -s name: an id or title, LAST_CONVERSATION, or None for a new one.

    Raises UsageError where both are given.
    """
    if go_on and session is not None:
        raise UsageError(
            "-c goes on with the last conversation and -s with the one it names: give one of them"
        )
    return LAST_CONVERSATION if go_on else session
