"""What an interpreter runs first: the importer of modules that are held in memory, and streams without a host."""

import builtins
import sys

import _io
from _frozen_importlib import spec_from_loader


class Importer:
    """Finds the modules of `sources`; a name that has others beneath it is a package."""

    def __init__(self, sources):
        self.sources = sources
        self.packages = set()
        for name in list(sources):
            while "." in name:
                name = name.rpartition(".")[0]
                self.packages.add(name)
                sources.setdefault(name, "")

    def find_spec(self, name, path=None, target=None):
        if name not in self.sources:
            return None
        return spec_from_loader(name, self, origin=f"{name}.py", is_package=name in self.packages)

    def create_module(self, spec):
        return None

    def exec_module(self, module):
        name = module.__name__
        module.__file__ = f"{name}.py"
        exec(compile(self.sources[name], module.__file__, "exec"), module.__dict__)

    def get_source(self, name):
        return self.sources[name]


class FileIO(_io._RawIOBase):
    """A file that cannot be opened. `io` needs the class."""

    def __init__(self, *_args, **_kwargs):
        raise PermissionError(1, "files are not available to scripts")


class Nowhere:
    """A standard stream: it is empty, and what is written to it is gone."""

    encoding, errors, newlines, mode, closed = "utf-8", "strict", None, "w", False

    def __init__(self, name):
        self.name = name

    def write(self, text):
        return len(text)

    def writelines(self, lines):
        pass

    def flush(self):
        pass

    def close(self):
        pass

    def isatty(self):
        return False

    def readable(self):
        return self.name == "<stdin>"

    def writable(self):
        return self.name != "<stdin>"

    def seekable(self):
        return False

    def read(self, size=-1):
        return ""

    readline = read

    def __iter__(self):
        return iter(())


def install(sources):
    for name in ("stdin", "stdout", "stderr"):
        stream = Nowhere(f"<{name}>")
        setattr(sys, name, stream)
        setattr(sys, f"__{name}__", stream)
    # Modules of the standard library that come with the interpreter have no file, but `_strptime` asks for its name.
    builtins.__file__ = "lib/module.py"
    FileIO.__module__ = "_io"
    _io.FileIO = FileIO
    importer = Importer(sources)
    for name in importer.sources:
        sys.modules.pop(name, None)
    sys.meta_path.insert(0, importer)
