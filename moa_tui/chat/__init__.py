"""Everything a person can do in a conversation, without a screen.

The way in is `session.ChatSession`: one person's use of a `chat.Chat`, which sends, queues, stops, changes
and compares; `conversations.Conversations` opens, forks and names what is kept. A screen, a command and a
server call the same methods and show what comes back.

This room must not know who shows it: nothing here imports `ui`, `cli` or `server`. A `Chat` belongs to the
thread that made it; see `run_handle` for what a run does on the engine's thread.
"""
