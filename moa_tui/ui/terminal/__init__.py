"""The border between the program and the terminal it runs in.

`paste_guard` reads the keyboard, `clipboard` copies, `message` makes messages frozen dataclasses, and
`textual_private` holds every private part of Textual that this program relies on; no other module of `ui`
may reach into one. The room knows nothing of conversations, screens or widgets.
"""
