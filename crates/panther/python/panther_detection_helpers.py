"""Holds `panther_detection_helpers.caching`."""
