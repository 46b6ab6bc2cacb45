"""The log record that a rule is called with."""

from collections.abc import Mapping
from datetime import datetime, timezone

from panther_core.immutable import ImmutableCaseInsensitiveDict, ImmutableList, fold, held, wrap

_ENRICHMENT = "p_enrichment"
_UNIFIED = "p_udm"


def _entry(mapping, key):
    """The value of a plain dict under a key of any ASCII case; None if it has none."""
    if key in mapping:
        return mapping[key]
    if isinstance(key, str):
        wanted = fold(key)
        for name, value in mapping.items():
            if isinstance(name, str) and fold(name) == wanted:
                return value
    return None


def _empty(value):
    return isinstance(value, (list, tuple)) and all(_empty(member) for member in value)


def _walk(value, keys, default, pick):
    """What stands under the keys. A list on the way is walked member by member, and of what is found below it the
    first, the last or all is taken (one alone stands for itself); a list at the end is taken as it is."""
    value = held(value)
    if not keys:
        return default if _empty(value) else value
    if isinstance(value, Mapping):
        member = _entry(value, keys[0])
        return default if member is None else _walk(member, keys[1:], default, pick)
    if not isinstance(value, (list, tuple)):
        return default
    found = _Distinct()
    for item in value:
        below = _walk(item, keys, default, pick)
        if isinstance(below, (list, tuple)):
            for member in below:
                found.add(member)
        elif below is not None:
            found.add(below)
    if not found.values:
        return default
    if pick == "first" or len(found.values) == 1:
        return found.values[0]
    return found.values[-1] if pick == "last" else found.values


class _Distinct:
    """Values in the order of their first appearance; they need not be hashable."""

    def __init__(self):
        self.values = []
        self._seen = set()

    def add(self, value):
        key = value if isinstance(value, str) else wrap(value)
        if key not in self._seen:
            self._seen.add(key)
            self.values.append(value)


class PantherEvent(ImmutableCaseInsensitiveDict):
    """A log record with the data model of its log type.

    `data_model` maps names to `("path", keys)` or `("method", function)`; None stands for no data model.
    """

    __slots__ = ("_model", "_unified")

    def __init__(self, event=None, data_model=None):
        super().__init__({} if event is None else event)
        object.__setattr__(self, "_model", data_model or {})
        object.__setattr__(self, "_unified", {})

    def deep_get(self, *keys, default=None):
        """The value under a walk of keys; the default if a step is missing, null or no mapping."""
        value = self
        for key in keys:
            if not isinstance(value, Mapping):
                return default
            value = value.get(key)
            if value is None:
                return default
        return value

    def deep_walk(self, *keys, default=None, return_val="all"):
        """As `deep_get`, through lists on the way; `return_val` says what is taken of several (`first`, `last`, `all`).

        What is found is plain, but for mappings.
        """
        found = _walk(self._held, keys, default, return_val)
        if found is default:
            return default
        if isinstance(found, (list, tuple)):
            return [wrap(member) if isinstance(member, dict) else member for member in found]
        return wrap(found)

    def udm(self, *keys, default=None):
        """The value that the data model maps a name to; without a mapping, what the record's unified fields hold."""
        if not keys:
            return default
        mapping = self._model.get(keys[0])
        if mapping is None:
            return self.deep_get(_UNIFIED, *keys, default=default)
        if keys[0] in self._unified:
            value = self._unified[keys[0]]
        else:
            kind, target = mapping
            value = self.deep_get(*target) if kind == "path" else wrap(target(self))
            self._unified[keys[0]] = value
        for key in keys[1:]:
            value = value.get(key) if isinstance(value, Mapping) else None
        return default if value is None else value

    def udm_path(self, name):
        """The path that the data model maps a name to, with dots, or its method's name; None if it maps nothing."""
        mapping = self._model.get(name)
        if mapping is None:
            return None
        kind, target = mapping
        return ".".join(target) if kind == "path" else target.__name__

    def lookup(self, table, *keys, default=None):
        """What an enrichment table added to the record, and below it the value under the keys."""
        return self.deep_get(_ENRICHMENT, table, *keys, default=default)

    def event_time_epoch(self):
        """The time of the record in seconds since 1970-01-01 UTC, a whole number; 0 if it has none that can be read."""
        text = self.get("p_event_time")
        if not isinstance(text, str):
            return 0
        text = text.strip().replace("T", " ", 1).rstrip("Z")
        whole = text.partition(".")[0]
        try:
            moment = datetime.strptime(whole, "%Y-%m-%d %H:%M:%S")
        except ValueError:
            return 0
        return int(moment.replace(tzinfo=timezone.utc).timestamp())

    @staticmethod
    def json_encoder(value):
        """What `json.dumps(…, default=PantherEvent.json_encoder)` makes of views."""
        if isinstance(value, (ImmutableCaseInsensitiveDict, ImmutableList)):
            return value.copy()
        raise TypeError(f"Object of type {type(value).__name__} is not JSON serializable")
