"""Lets the door of a room list names without loading the modules that have them.

A command that is misspelled, or asked for its help, must answer before NumPy and Arrow
are loaded. So a door imports its names for type checkers alone, and Python takes each
name from its module when it is first asked for (PEP 562, module ``__getattr__``).
"""

import ast
import sys
from collections.abc import Callable
from functools import cache
from importlib import import_module
from pathlib import Path


def lazy(door: str) -> Callable[[str], object]:
    """Returns the ``__getattr__`` of a door.

    Args:
        door: The package's name. Its ``from`` imports are the table of its names.
    """

    def load(name: str) -> object:
        source = _sources(door).get(name)
        if source is None:
            raise AttributeError(f"module {door!r} has no attribute {name!r}")
        value: object = getattr(import_module(source), name)
        setattr(sys.modules[door], name, value)  # so it is not asked for again
        return value

    return load


@cache
def _sources(door: str) -> dict[str, str]:
    """Returns the module of each name that a door lists."""
    (folder,) = sys.modules[door].__path__
    tree = ast.parse(Path(folder, "__init__.py").read_text(encoding="utf-8"))
    return {
        alias.name: node.module
        for node in ast.walk(tree)
        if isinstance(node, ast.ImportFrom) and node.module is not None
        for alias in node.names
        if node.module.startswith(f"{door}.")
    }
