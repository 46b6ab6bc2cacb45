"""The importer of modules that are held in memory."""

import sys
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


def install(sources):
    importer = Importer(sources)
    for name in importer.sources:
        sys.modules.pop(name, None)
    sys.meta_path.insert(0, importer)
