"""Builds a dataset: ``python -m beam_pipeline.run --config 1pct --manual_dir DIR``."""

import sys
from collections.abc import Sequence
from functools import cache, partial

from rich.console import Console

from beam_pipeline.console import run_command
from beam_pipeline.engines import engine_flags, load_beam
from beam_pipeline.flags import make_parser


def main(argv: Sequence[str]) -> int:
    """Builds a dataset as the command line says.

    Args:
        argv: Arguments without the program's name.

    Returns:
        The exit code: 0 when the dataset is there, 1 when the build failed, 2 when
        the command line or a config is wrong, 130 when interrupted.
    """
    arguments, beam_arguments = make_parser().parse_known_args(argv)

    def work(console: Console) -> int:
        # A misspelled flag is reported before NumPy and Arrow are loaded.
        from beam_pipeline.configure import configure

        config = configure(arguments)
        flags = beam_arguments
        if arguments.engine:
            flags = engine_flags(arguments.engine, beam_arguments)
        from beam_pipeline.console import find_unfinished

        find = cache(partial(find_unfinished, config))
        # Beam takes seconds to load, so it comes last where it has no flag to check.
        if beam_arguments or find():
            load_beam(flags)
            from beam_pipeline.build import build

            build(config, find, flags, arguments, console)
        return 0

    return run_command(work, verbose=arguments.verbose, quiet=arguments.quiet)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
