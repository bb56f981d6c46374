"""The conversations that are kept: an SQLite file with a full-text search over it.

The way in is `Store`: it records runs while they go, changes and finds conversations, and reads them back.
`check` looks into a file that may be damaged. `drafts` keeps what was written and not sent, in files of its
own. Conversations go in and come out as values; rows, SQL and the
JSON in the rows stay in this room. It must not know the formats of files that are exported or read in, nor
models, screens or budgets.
"""

from moa_tui.store.store import Store

__all__ = ["Store"]
