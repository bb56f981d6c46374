"""Attempts to break the program, one file for each class of them."""
