"""The program as a person starts it, in a terminal of its own."""
