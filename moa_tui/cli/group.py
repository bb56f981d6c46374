"""How `moa-tui` runs a command: errors become one message, bugs go to the log of faults, and how it exits."""

from __future__ import annotations

import errno
import os
import sys
from functools import wraps
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, Literal, NoReturn, ParamSpec, TextIO, TypeVar, cast

import click

from moa_tui.cli.streams import ClosedOutput, make_tolerant
from moa_tui.errors import FileError, MoaTuiError, UsageError
from moa_tui.text.safe import safe_text

if TYPE_CHECKING:
    from collections.abc import Callable

ASK_CLICK = "_MOA_TUI_COMPLETE"
"""The variable by which a shell asks what can be completed."""

_UNWRITABLE = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO, errno.EBADF)

P = ParamSpec("P")
R = TypeVar("R")


class CommandGroup(click.Group):
    """A click group that reports moa-tui's errors, and output that cannot be written, as one message."""

    def main(self, *arguments: Any, **extra: Any) -> Any:
        """Run the program. Output that cannot be written, that of `--help` too, ends it with a message.

        Where the reader of the output has left, click ends it without one.
        """
        if sys.stdout is None:
            sys.stdout = cast("TextIO", ClosedOutput())
        make_tolerant(sys.stdout, sys.stderr)
        try:
            # One name for it, whatever the program was started as: the scripts of shells know no other.
            return super().main(*arguments, **{"complete_var": ASK_CLICK, **extra})
        except OSError as error:
            if error.errno not in _UNWRITABLE:
                raise
            _drop_unwritable("stdout")
            reported = _ReportedError(UsageError(f"the output cannot be written: {error.strerror}"))
            reported.show()
            sys.exit(reported.exit_code)

    def invoke(self, ctx: click.Context) -> Any:
        """Run the command. Raises click's own exceptions alone, OSError, and bugs."""
        try:
            return super().invoke(ctx)
        except MoaTuiError as error:
            _drop_unwritable("stdout")
            raise _ReportedError(error) from error
        except KeyboardInterrupt:
            leave(130)


class CommandWithOthers(click.Group):
    """A command with arguments of its own, below which stand others: `batch INPUT` and `batch merge`.

    Where the first word names one of the others, that one is run; a file of its name is given as ./NAME.
    """

    # As a plain command has them: options may stand behind arguments, and nothing may be left over.
    allow_extra_args = False
    allow_interspersed_args = True

    def make_context(
        self, info_name: str | None, args: list[str], parent: click.Context | None = None, **extra: Any
    ) -> click.Context:
        """The context of the command that the words name. Raises click's exceptions."""
        if args and (command := self.commands.get(args[0])) is not None:
            return command.make_context(f"{info_name} {args[0]}", args[1:], parent, **extra)
        return super().make_context(info_name, args, parent, **extra)

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Read the words as those of a plain command."""
        return click.Command.parse_args(self, ctx, args)

    def invoke(self, ctx: click.Context) -> Any:
        """Run the command itself."""
        return click.Command.invoke(self, ctx)

    def collect_usage_pieces(self, ctx: click.Context) -> list[str]:
        """The pieces of the usage of a plain command."""
        return click.Command.collect_usage_pieces(self, ctx)


class _ReportedError(click.ClickException):
    """An error of moa-tui as click shows it; the exit code is 2 where the call was wrong, else 1."""

    def __init__(self, error: MoaTuiError) -> None:
        super().__init__(safe_text(str(error)))
        self.exit_code = 2 if isinstance(error, UsageError | FileError) else 1  # type: ignore[misc]

    def show(self, file: IO[Any] | None = None) -> None:
        click.echo(f"moa-tui: {self.message}", file=file or sys.stderr)


def with_fault_log(command: Callable[P, R]) -> Callable[P, R]:
    """Make `command` run with the log of faults open; a bug that ends the command is written there."""

    @wraps(command)
    def run_logged(*arguments: P.args, **options: P.kwargs) -> R:
        from moa_tui.settings import fault_log

        with fault_log.opened():
            try:
                return command(*arguments, **options)
            except (MoaTuiError, click.ClickException, click.Abort, click.exceptions.Exit):
                raise
            except Exception as error:
                fault_log.record_bug(error)
                raise

    return run_logged


def leave(code: int) -> NoReturn:
    """End the program with the exit code `code`, at once where litellm is loaded.

    Python's own exit takes more than a second with litellm loaded, and does nothing that is needed.
    """
    _drop_unwritable("stderr")
    if code > 1 or "moa_tui.gateway.litellm_stream" in sys.modules:
        sys.stdout.flush()
        os._exit(code)
    sys.exit(code)


def _drop_unwritable(name: Literal["stdout", "stderr"]) -> None:
    """Drop what a standard stream holds and cannot write: Python tries again at exit, and fails with 120."""
    stream = getattr(sys, name)
    if stream is None:
        return
    try:
        stream.flush()
    except OSError:
        setattr(sys, name, Path(os.devnull).open("w"))  # noqa: SIM115 - open until the program ends
