"""The part of mock objects that rules and their tests use."""

import sys

DEFAULT = object()


class NonCallableMock:
    """An object that has every attribute."""

    def __init__(self, spec=None, side_effect=None, return_value=DEFAULT, name=None, **attributes):
        own = self.__dict__
        own["_mock_name"] = name
        own["_children"] = {}
        own["_return_value"] = return_value
        own["side_effect"] = side_effect
        own["called"] = False
        own["call_count"] = 0
        own["call_args"] = None
        own["call_args_list"] = []
        for key, value in attributes.items():
            setattr(self, key, value)

    def __getattr__(self, name):
        if name.startswith("__") and name.endswith("__"):
            raise AttributeError(name)
        children = self.__dict__.setdefault("_children", {})
        if name not in children:
            children[name] = type(self)(name=name)
        return children[name]

    @property
    def return_value(self):
        if self._return_value is DEFAULT:
            self.__dict__["_return_value"] = type(self)(name="()")
        return self._return_value

    @return_value.setter
    def return_value(self, value):
        self.__dict__["_return_value"] = value

    def __repr__(self):
        return f"<{type(self).__name__} name={self._mock_name!r}>"

    def reset_mock(self):
        self.called = False
        self.call_count = 0
        self.call_args = None
        self.call_args_list = []


class Mock(NonCallableMock):
    """An object that can be called and tells how it was."""

    def __call__(self, *args, **kwargs):
        self.called = True
        self.call_count += 1
        self.call_args = (args, kwargs)
        self.call_args_list.append(self.call_args)
        effect = self.side_effect
        if effect is None:
            return self.return_value
        if isinstance(effect, BaseException) or (isinstance(effect, type) and issubclass(effect, BaseException)):
            raise effect
        if callable(effect):
            result = effect(*args, **kwargs)
            return self.return_value if result is DEFAULT else result
        if not hasattr(effect, "__next__"):
            effect = self.__dict__["side_effect"] = iter(effect)
        result = next(effect)
        if isinstance(result, BaseException):
            raise result
        return result

    def assert_called(self):
        if not self.called:
            raise AssertionError("expected a call")

    def assert_not_called(self):
        if self.called:
            raise AssertionError("expected no call")

    def assert_called_once(self):
        if self.call_count != 1:
            raise AssertionError(f"expected one call, had {self.call_count}")

    def assert_called_with(self, *args, **kwargs):
        if self.call_args != (args, kwargs):
            raise AssertionError(f"expected a call with {(args, kwargs)}, had {self.call_args}")

    def assert_called_once_with(self, *args, **kwargs):
        self.assert_called_once()
        self.assert_called_with(*args, **kwargs)


class MagicMock(Mock):
    """A mock that also passes as a container, a number and a context."""

    def __len__(self):
        return 0

    def __iter__(self):
        return iter(())

    def __contains__(self, member):
        return False

    def __getitem__(self, key):
        return self.__getattr__(f"[{key!r}]")

    def __setitem__(self, key, value):
        return None

    def __bool__(self):
        return True

    def __int__(self):
        return 1

    def __float__(self):
        return 1.0

    def __enter__(self):
        return self.__getattr__("__entered")

    def __exit__(self, *exception):
        return False


class _Patch:
    """Puts a value in the place of an attribute, as a context, a decorator or by start and stop."""

    def __init__(self, target, name, new, attributes):
        self.target = target
        self.name = name
        self.new = new
        self.attributes = attributes
        self.saved = []

    def __enter__(self):
        new = MagicMock(name=self.name, **self.attributes) if self.new is DEFAULT else self.new
        names = vars(self.target)
        self.saved.append((self.name in names, names.get(self.name)))
        setattr(self.target, self.name, new)
        return new

    def __exit__(self, *exception):
        existed, value = self.saved.pop()
        if existed:
            setattr(self.target, self.name, value)
        else:
            delattr(self.target, self.name)
        return False

    start = __enter__

    def stop(self):
        self.__exit__(None, None, None)

    def __call__(self, func):
        def patched(*args, **kwargs):
            with self as new:
                extra = (new,) if self.new is DEFAULT else ()
                return func(*args, *extra, **kwargs)

        patched.__name__ = getattr(func, "__name__", "patched")
        return patched


def patch(target, new=DEFAULT, **attributes):
    """Patches `module.name`."""
    module, _, name = target.rpartition(".")
    if module not in sys.modules:
        __import__(module)
    return _Patch(sys.modules[module], name, new, attributes)


def _patch_object(target, attribute, new=DEFAULT, **attributes):
    return _Patch(target, attribute, new, attributes)


patch.object = _patch_object


class _Any:
    def __eq__(self, other):
        return True

    def __ne__(self, other):
        return False

    def __repr__(self):
        return "<ANY>"


ANY = _Any()
