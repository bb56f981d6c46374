"""What of the terminal and of Textual the widgets are built on.

Messages as frozen dataclasses, and what leans on private parts of Textual. Nothing here knows a widget, a
screen or the app.
"""
