"""Every error that this program raises on purpose.

    MoaTuiError
    ├── UsageError                    the command was called in a way that cannot work
    │   ├── OpenElsewhereError        another moa-tui has the conversation open
    │   └── UntrustedServerError      a recipe would send prompts where nobody said it may
    ├── FileError                     a config, recipe or theme file cannot be used; names file and key
    ├── StoreError                    the stored conversations cannot be read or written
    │   ├── ConversationExistsError   a conversation with that id is stored already
    │   └── DatabaseLostError         the database was deleted or replaced while it was open
    ├── MissingKeyError               a model's API key is in no environment variable
    ├── NoLocalModelError             no local model server answered
    └── ModelError                    one model call failed

A message says what happened, where, and what to do next. Any other exception is a bug.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

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
    "tls",  # no safe connection: a certificate that is not believed, or no TLS at all
    "timeout",  # one of the recipe's time limits was exceeded
    "malformed",  # the reply was not what the protocol says
    "cut_off",  # the stream ended without saying why
    "length",  # the answer was cut at its token limit
    "filtered",  # the provider's content filter stopped the answer
    "empty",  # the model ended without writing an answer
    "too_long",  # the reply is longer than any answer can need to be
    "rested",  # the endpoint failed several times in a row, so another agent was asked
    "stopped",  # the user stopped the call or the run
    "interrupted",  # moa-tui ended before the call or the run did
    "left_behind",  # the layer went on without this call
    "max_cost",  # the next layer would exceed the recipe's own cap
    "budget",  # the next layer would exceed the budget of the conversation or the day
    "no_references",  # no answer of a layer can be used
]


class MoaTuiError(Exception):
    """The root of all errors whose message is meant for the user, to be shown without a traceback."""


class UsageError(MoaTuiError):
    """The command was called in a way that cannot work; the exit code is 2."""


class OpenElsewhereError(UsageError):
    """Another moa-tui has the conversation open; two programs must not write one conversation."""


class UntrustedServerError(UsageError):
    """A recipe would send prompts, and perhaps a key, to servers that the person has not set up.

    `servers` has each of them in words, by the mark under which an answer about it is kept. It is empty where
    the person has answered "never" already: then there is nothing to ask. `recipe` is the recipe's name, and
    `places` has each server with the variable of the key that goes there, None for no key.
    """

    def __init__(
        self,
        message: str,
        servers: Mapping[str, str],
        *,
        recipe: str = "",
        places: Sequence[tuple[str, str | None]] = (),
    ) -> None:
        super().__init__(message)
        self.servers = servers
        self.recipe = recipe
        self.places = places


class FileError(MoaTuiError):
    """A file of the user (config, recipe or theme) cannot be used as it is."""


class StoreError(MoaTuiError):
    """The database of conversations cannot be read or written; its file was left unchanged."""


class ConversationExistsError(StoreError):
    """A conversation with that id is stored already."""


class DatabaseLostError(StoreError):
    """The database was deleted, moved, replaced or overwritten while this program had it open."""


class MissingKeyError(MoaTuiError):
    """One or more models need an API key, and no environment variable holds it."""


class NoLocalModelError(MoaTuiError):
    """The `local` recipe found no server with a model on this machine."""


class ModelError(MoaTuiError):
    """One model call failed; the engine decides whether to try again.

    `status_code` is the HTTP status, None where no server gave one. `retry_after` is the wait in seconds that
    the server asked for, None where it asked for none. `refused` has the parameters that the server says it
    does not take, and `context_tokens` the size of the context window that it states, None for none.
    """

    def __init__(
        self,
        kind: FailureKind,
        message: str,
        status_code: int | None = None,
        retry_after: float | None = None,
        *,
        refused: frozenset[str] = frozenset(),
        context_tokens: int | None = None,
    ) -> None:
        super().__init__(message)
        self.kind: FailureKind = kind
        self.message = message
        self.status_code = status_code
        self.retry_after = retry_after
        self.refused = refused
        self.context_tokens = context_tokens
