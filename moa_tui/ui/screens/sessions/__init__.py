"""Screens about the kept conversations: the list and its search, the questions it asks, the figures.

Way in: `sessions_screen.SessionsScreen` and `stats_screen.StatsScreen`; `fork_screen` asks what to do with
a conversation that is open elsewhere. `session_list` fills the list and `session_changes` renames, archives,
deletes and exports. All of them work on `moa_tui.chat.library`, never on the store.
"""
