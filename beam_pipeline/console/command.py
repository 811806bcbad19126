"""What the command lines share: exit codes, logging, and errors in one line."""

import argparse
import io
import os
import sys
from collections.abc import Callable, Collection
from contextlib import redirect_stdout
from typing import Final, TextIO, cast

from rich.console import Console

from beam_pipeline.console.terminal import Unbreakable, logged_to, open_console
from beam_pipeline.engines import worker_error
from transforms.errors import BuildError, ConfigError
from transforms.fields import nearest

FAILED: Final = 1
USAGE_ERROR: Final = 2
INTERRUPTED: Final = 130


def run_command(
    work: Callable[[Console], int], *, verbose: bool, quiet: bool = False
) -> int:
    """Runs a command, and reports an error in one line.

    Args:
        work: Does it; returns the exit code. It is given the console for what is said
            meanwhile.
        verbose: Whether all of Beam's log is shown, and an error of another kind with
            its traceback.
        quiet: Whether only warnings and errors are shown.

    Returns:
        The exit code: 1 for what failed, 2 for a wrong command line or config, 130
        where it was interrupted.
    """
    # NumPy would start a thread a core, to multiply matrices; here are none.
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    if isinstance(sys.stdout, io.TextIOWrapper):  # as standard error does it
        sys.stdout.reconfigure(errors="backslashreplace")
    output = cast(TextIO, Unbreakable(sys.stdout))
    with redirect_stdout(output):
        code = _run(work, verbose=verbose, quiet=quiet)
        output.flush()
    return code


def _run(work: Callable[[Console], int], *, verbose: bool, quiet: bool) -> int:
    console = open_console()
    try:
        with logged_to(console, verbose=verbose, quiet=quiet):
            return work(console)
    except BuildError as error:
        code = USAGE_ERROR if isinstance(error, ConfigError) else FAILED
        return _fail(worker_error(error), code)
    except KeyboardInterrupt as stop:
        return _fail(str(stop) or "Interrupted.", INTERRUPTED)
    except Exception as error:
        if verbose:
            raise
        known = worker_error(error)
        if isinstance(known, ConfigError):
            return _fail(known, USAGE_ERROR)
        last = (str(error).strip() or type(error).__name__).splitlines()[-1]
        return _fail(known or f"{last} (--verbose shows more)", FAILED)


def refuse_unknown(
    arguments: list[str],
    parser: argparse.ArgumentParser,
    of_engine: Collection[str] = (),
) -> None:
    """Refuses what no parser of ours, nor Beam, nor an engine knows: likely a typo.

    Args:
        arguments: What the parser did not know.
        parser: Knows our own flags.
        of_engine: Names of flags of the engine, some of which Beam knows too.

    Raises:
        ConfigError: One is unknown to all.
    """
    from beam_pipeline.engines.runners import make_beam_parser  # loads Beam

    beam_parser = make_beam_parser()
    of_beam = {flag for each in beam_parser._actions for flag in each.option_strings}
    for flag in {f"--{name}" for name in of_engine} - of_beam:
        beam_parser.add_argument(flag, nargs="?")
    _, unknown = beam_parser.parse_known_args(arguments)
    if unknown:
        name = unknown[0].partition("=")[0].lstrip("-")
        actions = [*parser._actions, *beam_parser._actions]
        known = [
            flag.lstrip("-") for action in actions for flag in action.option_strings
        ]
        raise ConfigError(f"Unknown flag --{name}. {nearest(name, known)}")


def _fail(error: object, code: int) -> int:
    print(f"error: {error}", file=sys.stderr)
    return code
