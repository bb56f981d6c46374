"""Models: how they are reached, what is known of them, and the border their text crosses."""
