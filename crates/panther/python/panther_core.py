"""The names that rules import to annotate and test their arguments."""

from panther_core.enriched_event import PantherEvent

__all__ = ["PantherEvent"]
