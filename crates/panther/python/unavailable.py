"""Stands for a package that rules import and that does not exist here: the import works, the first use raises."""


class Unavailable:
    """A name of the package."""

    def __init__(self, name):
        self._name = name

    def __getattr__(self, name):
        if name.startswith("__"):
            raise AttributeError(name)
        return Unavailable(f"{self._name}.{name}")

    def _refuse(self):
        package = self._name.partition(".")[0]
        raise NotImplementedError(f"the package `{package}` is not available here, and the rule uses {self._name}")

    def __call__(self, *args, **kwargs):
        self._refuse()

    def __iter__(self):
        self._refuse()

    def __or__(self, other):
        return self

    __ror__ = __or__


def __getattr__(name):
    if name.startswith("__"):
        raise AttributeError(name)
    return Unavailable(f"{__name__}.{name}")
