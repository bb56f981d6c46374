"""The chat as lines of text: for screen readers, simple terminals, serial lines and logs.

The way in is `chat.PlainChat`. It calls the same `moa_tui.chat` as the screens do and says what comes of it:
nothing is drawn over, moved or coloured, and states are words. `reader.Reader` reads what is typed, with
readline where there is one, and `voice.Voice` writes. Nothing but text leaves through it.

Nothing here may import the screens, the store or the gateway.
"""
