"""A small `unittest.mock`: mocks that answer every attribute and call, and `patch` for names in modules."""

import functools

DEFAULT = object()


class _Call(tuple):
    args = property(lambda self: self[0])
    kwargs = property(lambda self: self[1])


def call(*args, **kwargs):
    return _Call((args, kwargs))


class Mock:
    def __init__(self, spec=None, side_effect=None, return_value=DEFAULT, name=None, **attributes):
        values = self.__dict__
        values["_children"] = {}
        values["_return_value"] = return_value
        values["_name"] = name
        values["_spec"] = None if spec is None else frozenset(spec if isinstance(spec, (list, tuple)) else dir(spec))
        values["side_effect"] = side_effect
        self.reset_mock()
        for key, value in attributes.items():
            setattr(self, key, value)

    def reset_mock(self):
        self.__dict__.update(called=False, call_count=0, call_args=None, call_args_list=[])

    def __getattr__(self, name):
        if name.startswith("__") and name.endswith("__"):
            raise AttributeError(name)
        spec = self.__dict__.get("_spec")
        if spec is not None and name not in spec:
            raise AttributeError(f"Mock object has no attribute {name!r}")
        children = self.__dict__["_children"]
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

    def __call__(self, *args, **kwargs):
        values = self.__dict__
        values["called"] = True
        values["call_count"] += 1
        values["call_args"] = call(*args, **kwargs)
        values["call_args_list"].append(values["call_args"])
        effect = self.side_effect
        if effect is not None:
            if isinstance(effect, BaseException) or (isinstance(effect, type) and issubclass(effect, BaseException)):
                raise effect
            if callable(effect):
                result = effect(*args, **kwargs)
                return self.return_value if result is DEFAULT else result
            if not hasattr(effect, "__next__"):
                values["side_effect"] = effect = iter(effect)
            return next(effect)
        return self.return_value

    def __repr__(self):
        return f"<{type(self).__name__} name={self.__dict__.get('_name')!r}>"

    def _expect(self, condition, text):
        if not condition:
            raise AssertionError(f"{self!r}: {text}")

    def assert_called(self):
        self._expect(self.called, "was not called")

    def assert_called_once(self):
        self._expect(self.call_count == 1, f"was called {self.call_count} times")

    def assert_not_called(self):
        self._expect(not self.called, f"was called {self.call_count} times")

    def assert_called_with(self, *args, **kwargs):
        self._expect(self.call_args == call(*args, **kwargs), f"was last called with {self.call_args!r}")

    def assert_called_once_with(self, *args, **kwargs):
        self.assert_called_once()
        self.assert_called_with(*args, **kwargs)


class NonCallableMock(Mock):
    __call__ = None


class MagicMock(Mock):
    def __bool__(self):
        return True

    def __len__(self):
        return 0

    def __iter__(self):
        return iter(())

    def __contains__(self, item):
        return False

    def __getitem__(self, key):
        return self.return_value

    def __setitem__(self, key, value):
        pass

    def __enter__(self):
        return self

    def __exit__(self, *_error):
        return False


class _Patch:
    def __init__(self, owner, name, new):
        self.owner, self.name, self.new = owner, name, new

    def __enter__(self):
        self.target = self.owner() if callable(self.owner) else self.owner[0]
        self.had = hasattr(self.target, self.name)
        self.old = getattr(self.target, self.name, None)
        self.value = MagicMock(name=self.name) if self.new is DEFAULT else self.new
        setattr(self.target, self.name, self.value)
        return self.value

    def __exit__(self, *_error):
        if self.had:
            setattr(self.target, self.name, self.old)
        else:
            delattr(self.target, self.name)
        return False

    start = __enter__

    def stop(self):
        self.__exit__()

    def __call__(self, function):
        @functools.wraps(function)
        def patched(*args, **kwargs):
            with self as value:
                return function(*args, *((value,) if self.new is DEFAULT else ()), **kwargs)

        return patched


class _PatchDict:
    def __init__(self, mapping, values=(), clear=False):
        self.mapping, self.values, self.clear = mapping, dict(values), clear

    def __enter__(self):
        self.old = dict(self.mapping)
        if self.clear:
            self.mapping.clear()
        self.mapping.update(self.values)
        return self.mapping

    def __exit__(self, *_error):
        self.mapping.clear()
        self.mapping.update(self.old)
        return False

    def __call__(self, function):
        @functools.wraps(function)
        def patched(*args, **kwargs):
            with self:
                return function(*args, **kwargs)

        return patched


def _resolve(path):
    first, *rest = path.split(".")
    found = __import__(first)
    for index, part in enumerate(rest):
        if not hasattr(found, part):
            __import__(".".join([first, *rest[: index + 1]]))
        found = getattr(found, part)
    return found


def patch(target, new=DEFAULT, return_value=DEFAULT, side_effect=None):
    owner, _, name = target.rpartition(".")
    if new is DEFAULT and (return_value is not DEFAULT or side_effect is not None):
        new = MagicMock(return_value=return_value, side_effect=side_effect)
    return _Patch(lambda: _resolve(owner), name, new)


def _patch_object(target, attribute, new=DEFAULT, return_value=DEFAULT):
    if new is DEFAULT and return_value is not DEFAULT:
        new = MagicMock(return_value=return_value)
    return _Patch((target,), attribute, new)


patch.object = _patch_object
patch.dict = _PatchDict
