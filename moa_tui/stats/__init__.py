"""Figures over the stored conversations, and which recipes their user preferred.

`figures` holds the totals as values, `tables` lays them out as columns and bars, `preferences` adds up the
choices between compared answers and `preference_table` lays those out. Everything here is computed from
values that are handed in: the store counts over the database, and this package imports neither the store nor
the chat nor any widget.
"""
