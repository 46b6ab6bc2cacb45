"""Holds `dateutil.parser`."""
