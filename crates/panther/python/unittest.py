"""Holds `unittest.mock`; rules import nothing else of it."""
