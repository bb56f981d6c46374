"""The chat in a terminal, drawn with Textual.

Way in: `app.MoaApp`, which is handed the chat, the recipe catalog, the library and the settings. From top
to bottom: `app`, `chat` (the chat screen), `screens`, `widgets`, and what those are made of in `run`,
`rows`, `prompt` and `terminal`. An upper package may import a lower one, never the other way round. Screens
draw and pass keys on; decisions are made in `moa_tui.chat`. Only this package imports Textual, and it never
imports the store or the gateway.
"""

import os

# Textual paints at most so many times a second, by default 60: a key that comes just behind a frame would
# wait for 16 ms. It reads this when it is imported, and paints nothing that has not changed.
os.environ.setdefault("TEXTUAL_FPS", "250")
