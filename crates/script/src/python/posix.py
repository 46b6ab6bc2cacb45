"""A stand-in for `posix`: what `importlib` and `os.path` need to load. Every function fails."""

environ = {}


def _refused(function):
    def refuse(*_args, **_kwargs):
        raise PermissionError(1, f"posix.{function} is not available to scripts")

    return refuse


for _function in ("stat", "listdir", "open", "replace", "mkdir", "getcwd"):
    globals()[_function] = _refused(_function)
