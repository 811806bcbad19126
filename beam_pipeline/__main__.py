"""All commands under one name: ``imagenet2012-subset run``, ``verify`` and ``demo``."""

import sys
from importlib import import_module
from typing import Final

from transforms.fields import nearest

_USAGE_ERROR: Final = 2

_COMMANDS: Final = {
    "run": "builds a dataset",
    "verify": "rereads a dataset and reports everything that is wrong with it",
    "demo": "makes small archives to try it with",
}


def main() -> int:
    """Runs the command that the first argument names; returns its exit code."""
    name, *arguments = sys.argv[1:] or ["--help"]
    if name in _COMMANDS:
        code: int = import_module(f"beam_pipeline.{name}").main(arguments)
        return code
    if name in ("-h", "--help"):
        print("usage: imagenet2012-subset COMMAND ...\n")
        for command, meaning in _COMMANDS.items():
            print(f"  {command:8}{meaning}")
        print("\nimagenet2012-subset COMMAND --help lists the flags of a command.")
        return 0
    print(
        f"error: Unknown command {name}. {nearest(name, list(_COMMANDS))}",
        file=sys.stderr,
    )
    return _USAGE_ERROR


if __name__ == "__main__":
    sys.exit(main())
