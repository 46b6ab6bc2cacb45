"""A stand-in for `os`: the names that other modules need when they are loaded. Nothing in it reaches the host."""

import abc
import sys

name = "posix"
curdir, pardir, sep, extsep, altsep, pathsep = ".", "..", "/", ".", None, ":"
linesep, devnull, defpath = "\n", "/dev/null", ""
error = OSError
environ = {}
supports_bytes_environ = False
supports_follow_symlinks = frozenset()
supports_dir_fd = frozenset()
supports_fd = frozenset()
O_RDONLY, O_WRONLY, O_RDWR, O_CREAT, O_EXCL, O_TRUNC, O_APPEND = 0, 1, 2, 64, 128, 512, 1024
F_OK, X_OK, W_OK, R_OK = 0, 1, 2, 4


def fspath(path):
    if isinstance(path, (str, bytes)):
        return path
    method = getattr(type(path), "__fspath__", None)
    if method is None:
        raise TypeError(f"expected str, bytes or os.PathLike object, not {type(path).__name__}")
    return method(path)


def fsencode(filename):
    filename = fspath(filename)
    return filename.encode("utf-8", "surrogateescape") if isinstance(filename, str) else filename


def fsdecode(filename):
    filename = fspath(filename)
    return filename.decode("utf-8", "surrogateescape") if isinstance(filename, bytes) else filename


def getenv(key, default=None):
    return environ.get(key, default)


def getcwd():
    return "/"


def getpid():
    return 1


def cpu_count():
    return 1


def process_cpu_count():
    return 1


def urandom(size):
    from _random import Random

    return Random().getrandbits(8 * size).to_bytes(size, "little") if size else b""


class PathLike(abc.ABC):
    __slots__ = ()

    @abc.abstractmethod
    def __fspath__(self):
        raise NotImplementedError

    @classmethod
    def __subclasshook__(cls, subclass):
        return hasattr(subclass, "__fspath__") if cls is PathLike else NotImplemented


class stat_result(tuple):
    __slots__ = ()


class DirEntry:
    __slots__ = ()


def _refused(function):
    def refuse(*_args, **_kwargs):
        raise PermissionError(1, f"os.{function} is not available to scripts")

    refuse.__name__ = function
    return refuse


for _function in ("stat", "lstat", "open", "listdir", "scandir", "readlink", "access", "walk"):
    globals()[_function] = _refused(_function)

import posixpath as path

sys.modules["os.path"] = path
