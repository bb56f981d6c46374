"""Every error this program raises on purpose.

    MoaTuiError
    ├── UsageError            the command was called in a way that cannot work
    │   └── OpenElsewhereError    another moa-tui has the conversation open
    ├── FileError             a config, recipe or theme file cannot be used; names file and key
    ├── StoreError            the conversations that are kept cannot be read or written
    │   └── TakenError            a conversation of that id is there already
    ├── MissingKeyError       a model's API key is in no environment variable
    ├── NoLocalModelError     no local model server answered
    └── ModelError            one model call failed

A message says what happened, where, and what to do next. Anything else that is raised is a bug.
"""

from __future__ import annotations

from typing import Literal

FailureKind = Literal[
    "auth",  # 401: the key is wrong
    "payment",  # 402: no credit
    "forbidden",  # 403: the key may not use this model
    "not_found",  # 404: no such model or address
    "bad_request",  # 400, 413, 422: the request was refused as it stands
    "context",  # the messages are longer than the model's context window
    "rate_limit",  # 429: too many requests just now
    "quota",  # 429: the account's quota is used up; waiting does not help
    "server",  # 5xx, or an error sent inside the stream
    "connection",  # refused, reset, name not found
    "timeout",  # one of the recipe's limits passed
    "malformed",  # the reply was not what the protocol says
    "cut_off",  # the stream ended without saying why
    "filtered",  # the provider's content filter stopped the answer
    "empty",  # the model ended without an answer
    "too_long",  # the reply passed the size any answer can need
    "rested",  # its endpoint failed several times in a row, and others can answer
    "stopped",  # a person stopped it
    "interrupted",  # moa-tui ended before it did
    "left_behind",  # the layer went on without it
    "max_cost",  # the next layer would pass the spending cap
    "budget",  # the next layer would pass the conversation's or the day's budget
    "no_references",  # every agent of a layer failed
]


class MoaTuiError(Exception):
    """The root: catch it to tell a person what went wrong without a traceback."""


class UsageError(MoaTuiError):
    """The command was called in a way that cannot work; the exit code is 2."""


class OpenElsewhereError(UsageError):
    """Another moa-tui has the conversation open; two at once would pull it apart."""


class FileError(MoaTuiError):
    """A file the person keeps (config, recipe, theme) cannot be used as it stands."""


class StoreError(MoaTuiError):
    """The database of conversations cannot be read or written as it stands; it was left as it is."""


class TakenError(StoreError):
    """A conversation of that id is there already."""


class MissingKeyError(MoaTuiError):
    """One or more models need an API key that no environment variable holds."""


class NoLocalModelError(MoaTuiError):
    """The `local` recipe found no server with a model on this machine."""


class ModelError(MoaTuiError):
    """One model call failed; the engine decides whether to try again.

    `status_code` is the HTTP status where a server gave one. `retry_after` is in seconds, as the server
    asked.
    """

    def __init__(
        self,
        kind: FailureKind,
        message: str,
        status_code: int | None = None,
        retry_after: float | None = None,
    ) -> None:
        super().__init__(message)
        self.kind: FailureKind = kind
        self.message = message
        self.status_code = status_code
        self.retry_after = retry_after
