"""The chat in a terminal, drawn with Textual.

Way in: `app.MoaApp`, which is handed the chat, the recipe catalog, the library and the settings. From top
to bottom: `app`, `chat` (the chat screen), `screens`, `widgets`, and what those are made of in `run`,
`rows`, `prompt` and `terminal`. An upper package may import a lower one, never the other way round. Screens
draw and pass keys on; decisions are made in `moa_tui.chat`. Only this package imports Textual, and it never
imports the store or the gateway.
"""
