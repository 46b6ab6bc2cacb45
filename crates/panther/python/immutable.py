"""Read-only views of a log record, as rules see it.

A view never copies: it holds the plain dict or list and wraps what it hands out. Keys of mappings are found whatever
their ASCII case, the exact spelling first.
"""

from collections.abc import Mapping, Sequence

_UPPER = {code: code + 32 for code in range(ord("A"), ord("Z") + 1)}
_SCALARS = frozenset((str, int, float, bool, type(None)))


def fold(key):
    """The form of a key under which its spellings are the same: only ASCII letters are folded."""
    return key.lower() if key.isascii() else key.translate(_UPPER)


def wrap(value):
    """A read-only view of a plain value; scalars are themselves."""
    if type(value) in _SCALARS:
        return value
    if isinstance(value, dict):
        return ImmutableCaseInsensitiveDict(value)
    if isinstance(value, (list, tuple)):
        return ImmutableList(value)
    return value


def unwrap(value):
    """A plain copy of a value, all the way down, that the caller may change."""
    if type(value) in _SCALARS:
        return value
    if isinstance(value, ImmutableContainer):
        value = value._held
    if isinstance(value, Mapping):
        return {key: unwrap(member) for key, member in value.items()}
    if isinstance(value, (list, tuple)):
        return [unwrap(member) for member in value]
    return value


def held(value):
    """The plain value behind a view, not copied."""
    return value._held if isinstance(value, ImmutableContainer) else value


def _frozen(value):
    if isinstance(value, dict):
        return frozenset((key, _frozen(member)) for key, member in value.items())
    if isinstance(value, (list, tuple)):
        return tuple(_frozen(member) for member in value)
    return value


class ImmutableContainer:
    """What views of mappings and lists have in common."""

    __slots__ = ("_held", "_folded", "_wrapped")

    def __init__(self, container):
        held_value = held(container)
        object.__setattr__(self, "_held", held_value)
        object.__setattr__(self, "_folded", None)
        object.__setattr__(self, "_wrapped", {})

    def __setattr__(self, name, value):
        raise TypeError(f"'{type(self).__name__}' object does not support item assignment")

    def __delattr__(self, name):
        raise TypeError(f"'{type(self).__name__}' object does not support item deletion")

    def __len__(self):
        return len(self._held)

    def __bool__(self):
        return bool(self._held)

    def __repr__(self):
        return repr(self._held)

    __str__ = __repr__

    def __format__(self, spec):
        return format(str(self), spec)

    def __eq__(self, other):
        return self._held == held(other)

    def __ne__(self, other):
        return not self == other

    def __hash__(self):
        return hash(_frozen(self._held))

    def __copy__(self):
        return self.copy()

    def __deepcopy__(self, memo):
        return unwrap(self)

    def __reduce__(self):
        return (type(self), (self._held,))

    def copy(self):
        """A plain copy that may be changed."""
        return unwrap(self)


class ImmutableCaseInsensitiveDict(ImmutableContainer, Mapping):
    """A read-only view of a mapping."""

    __slots__ = ()

    def __init__(self, container=()):
        super().__init__(container if isinstance(held(container), dict) else dict(container))

    def _spelling(self, key):
        """The key as the record spells it; KeyError if it has none like it."""
        if key in self._held:
            return key
        if not isinstance(key, str):
            raise KeyError(key)
        if self._folded is None:
            index = {}
            for name in self._held:
                if isinstance(name, str):
                    index.setdefault(fold(name), name)
            object.__setattr__(self, "_folded", index)
        try:
            return self._folded[fold(key)]
        except KeyError:
            raise KeyError(key) from None

    def __getitem__(self, key):
        name = self._spelling(key)
        value = self._held[name]
        if type(value) in _SCALARS:
            return value
        wrapped = self._wrapped.get(name)
        if wrapped is None:
            wrapped = self._wrapped[name] = wrap(value)
        return wrapped

    def get(self, key, default=None):
        try:
            return self[key]
        except KeyError:
            return default

    def __contains__(self, key):
        try:
            self._spelling(key)
        except (KeyError, TypeError):
            return False
        return True

    def __iter__(self):
        return iter(self._held)

    def __reversed__(self):
        return reversed(list(self._held))

    def __or__(self, other):
        return {**unwrap(self), **unwrap(other)}

    def __ror__(self, other):
        return {**unwrap(other), **unwrap(self)}

    def to_dict(self):
        """A plain copy."""
        return unwrap(self)


class ImmutableList(ImmutableContainer, Sequence):
    """A read-only view of a list. It is equal to a list with the same members."""

    __slots__ = ()

    def __init__(self, container=()):
        super().__init__(container if isinstance(held(container), (list, tuple)) else list(container))

    def __getitem__(self, index):
        if isinstance(index, slice):
            return ImmutableList(self._held[index])
        value = self._held[index]
        if type(value) in _SCALARS:
            return value
        position = index if index >= 0 else index + len(self._held)
        wrapped = self._wrapped.get(position)
        if wrapped is None:
            wrapped = self._wrapped[position] = wrap(value)
        return wrapped

    def __iter__(self):
        for index in range(len(self._held)):
            yield self[index]

    def __contains__(self, value):
        return held(value) in self._held

    def __eq__(self, other):
        other = held(other)
        return isinstance(other, (list, tuple)) and list(self._held) == list(other)

    __hash__ = ImmutableContainer.__hash__

    def __add__(self, other):
        return unwrap(self) + unwrap(list(held(other)))

    def __radd__(self, other):
        return unwrap(list(held(other))) + unwrap(self)

    def __lt__(self, other):
        return list(self._held) < list(held(other))

    def __gt__(self, other):
        return list(self._held) > list(held(other))

    def to_list(self):
        """A plain copy."""
        return unwrap(self)
