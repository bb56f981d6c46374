"""`moa-tui` itself: the group that holds every command, and opens the chat where none is given.

Each command stands in a module of its own, and what it needs is imported inside it: `moa-tui --version` must
not wait for what it does not use.
"""

from __future__ import annotations

from typing import Any

import click

from moa_tui import __version__
from moa_tui.cli.ask import ask
from moa_tui.cli.batch import batch
from moa_tui.cli.chat import ChatOptions, chat, open_chat
from moa_tui.cli.completion import completion
from moa_tui.cli.config import config
from moa_tui.cli.doctor import doctor
from moa_tui.cli.grade import grade
from moa_tui.cli.group import CommandGroup
from moa_tui.cli.guide import guide
from moa_tui.cli.options import (
    continue_option,
    plain_option,
    private_option,
    recipe_option,
    session_option,
    system_option,
)
from moa_tui.cli.recipes import recipes
from moa_tui.cli.schema import schema
from moa_tui.cli.select import select
from moa_tui.cli.sessions import sessions
from moa_tui.cli.stats import stats
from moa_tui.cli.streams import fill_closed_descriptors


@click.group(
    cls=CommandGroup, invoke_without_command=True, context_settings={"help_option_names": ["-h", "--help"]}
)
@click.version_option(__version__, message="moa-tui %(version)s")
@recipe_option
@system_option
@continue_option
@session_option
@private_option
@plain_option
@click.pass_context
def main(ctx: click.Context, /, **options: Any) -> None:
    """Several models answer side by side, read each other's answers, and one of them writes yours.

    Without a command the chat opens. Without any key: moa-tui -r demo
    """
    fill_closed_descriptors()
    if ctx.invoked_subcommand is None:
        open_chat(ChatOptions(**options))


for _command in (
    ask,
    batch,
    grade,
    select,
    chat,
    sessions,
    stats,
    recipes,
    doctor,
    config,
    guide,
    completion,
    schema,
):
    main.add_command(_command)
