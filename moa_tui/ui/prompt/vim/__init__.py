"""Vim's keys for the prompt, without a widget: keys and a text go in, an edit and a cursor come out.

Way in: `machine.Machine`, which is handed one key after the other. Texts are plain strings, places in them
are numbers of characters, and every command changes one piece of the text at most, so that it is one step of
undo. What a terminal sends and how a text is drawn, it does not know.
"""
