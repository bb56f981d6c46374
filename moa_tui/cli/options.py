"""The options that several commands take."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import click

from moa_tui.cli import completion
from moa_tui.cli.wiring import LAST_CONVERSATION
from moa_tui.errors import UsageError

# As `evaluation.benchmarks` has them, which a command's help does not load.
FORMATS = ("auto", "alpaca-eval", "mt-bench", "flask", "arena-hard", "jsonl", "csv")


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

# Of the commands for many prompts.

bulk_folder_option = click.option(
    "-o",
    "--output",
    "folder",
    metavar="FOLDER",
    type=click.Path(path_type=Path),
    help="Where everything is kept; the same command goes on with it.",
)
format_option = click.option(
    "--format",
    type=click.Choice(FORMATS),
    default="auto",
    show_default=True,
    help="What the input is.",
)
column_option = click.option("--column", metavar="NAME", help="The column of the prompts, in JSONL and CSV.")
limit_option = click.option(
    "--limit", type=click.IntRange(min=1), metavar="N", help="Only the first N prompts."
)
skip_bad_option = click.option(
    "--skip-bad", is_flag=True, help="Leave out rows that cannot be used, and say which."
)
concurrency_option = click.option(
    "--concurrency", type=click.IntRange(min=1), metavar="N", help="The most calls at once to a server."
)
schedule_option = click.option(
    "--schedule",
    type=click.Choice(["prompt", "model"]),
    default="prompt",
    show_default=True,
    help="Prompt by prompt; or model by model, for a server that loads one at a time.",
)
total_cost_option = click.option(
    "--max-cost",
    type=Dollars(),
    metavar="USD",
    help="Begin no call that would pass this price, all calls together.",
)
judge_option = click.option(
    "--judge",
    required=True,
    metavar="RECIPE|MODEL",
    shell_complete=completion.recipe_names,
    help="Who judges: a recipe's name, a path to one, or a model's name.",
)
report_option = click.option(
    "--out",
    metavar="FILE",
    type=click.Path(path_type=Path),
    help="Write the report too: an .html page with plots, or .json.",
)
dry_run_option = click.option(
    "--dry-run", is_flag=True, help="Print the calls and their price, and make none."
)
trust_recipes_option = click.option(
    "--trust-recipe", is_flag=True, help="Let these recipes send prompts to the servers they name, this once."
)
bulk_quiet_option = click.option("-q", "--quiet", is_flag=True, help="No progress on stderr.")


def conversation_name(go_on: bool, session: str | None) -> str | None:
    """The conversation that -c and -s name: an id or title, LAST_CONVERSATION, or None for a new one.

    Raises UsageError where both are given.
    """
    if go_on and session is not None:
        raise UsageError(
            "-c goes on with the last conversation and -s with the one it names: give one of them"
        )
    return LAST_CONVERSATION if go_on else session
