"""Figures over the kept conversations, and which recipes their user preferred.

Way in: `figures` holds the totals as values, `tables` lays them out as columns and bars, `preferences` adds
up the choices between compared answers and `preference_table` lays those out. Everything here is computed
from values that are handed in. The counting over the database is the store's work, and this package does
not know the store, the chat or any widget.
"""
