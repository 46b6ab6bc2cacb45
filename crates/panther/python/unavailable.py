"""Stands for a package that rules import and that does not exist here: the import works, the first use raises."""


class Unavailable:
    """A name of the package."""

    def __init__(self, name):
        self._name = name

    def __getattr__(self, name):
        if name.startswith("__"):
            raise AttributeError(name)
        return Unavailable(f"{self._name}.{name}")

    def __call__(self, *args, **kwargs):
        raise NotImplementedError(f"{self._name} is not available to rules here")

    def __iter__(self):
        raise NotImplementedError(f"{self._name} is not available to rules here")

    def __or__(self, other):
        return self

    __ror__ = __or__


def __getattr__(name):
    if name.startswith("__"):
        raise AttributeError(name)
    return Unavailable(f"{__name__}.{name}")
