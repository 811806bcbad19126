"""What a command says on standard error, apart from what Beam prints there."""

import io
import logging
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stderr
from typing import Any, Final, TextIO, cast

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.measure import Measurement
from rich.table import Table

_PIPE_WIDTH: Final = 200  # columns where there is no terminal


class Unbreakable:
    """A text stream that goes on where nobody reads it: a pipe may be closed early.

    What is written then is lost. Everything else is the stream's own.
    """

    def __init__(self, stream: TextIO) -> None:
        """Writes to a stream."""
        self._stream = stream

    def __getattr__(self, name: str) -> Any:
        """Returns what the stream has."""
        return getattr(self._stream, name)

    def write(self, text: str) -> int:
        """Writes a text; returns its length."""
        with self._unbroken():
            self._stream.write(text)
        return len(text)

    def flush(self) -> None:
        """Writes what is buffered."""
        with self._unbroken():
            self._stream.flush()

    @contextmanager
    def _unbroken(self) -> Iterator[None]:
        try:
            yield
        except BrokenPipeError:
            # The stream still holds what it could not write, and tries again at exit.
            nowhere = os.open(os.devnull, os.O_WRONLY)
            os.dup2(nowhere, self._stream.fileno())
            os.close(nowhere)


def open_console() -> Console:
    """Returns a console that still reaches the user where workers are silenced."""
    own = sys.stderr is sys.__stderr__  # and not what a test put in its place
    stream = sys.stderr
    if own:
        stream = os.fdopen(os.dup(2), "w", buffering=1, errors="backslashreplace")
    file = cast(TextIO, Unbreakable(stream))
    return Console(file=file, markup=False, highlight=False, soft_wrap=True)


@contextmanager
def logged_to(console: Console, *, verbose: bool, quiet: bool) -> Iterator[None]:
    """Sends the log to a console: our own part of it, all of Beam's, or warnings.

    After the block nothing is sent there, for the console may be closed by then.
    """
    handler = _ConsoleHandler(console)
    layout = "%(asctime)s %(name)s %(message)s" if verbose else "%(message)s"
    handler.setFormatter(logging.Formatter(layout))
    logging.basicConfig(
        handlers=[handler],
        level=logging.INFO if verbose else logging.WARNING,
        force=True,
    )
    for name in ("beam_pipeline", "transforms"):
        logging.getLogger(name).setLevel(logging.WARNING if quiet else logging.INFO)
    # A failure is reported once, as the command's error, not by every layer.
    for name in ("apache_beam", "google.auth"):
        logging.getLogger(name).setLevel(
            logging.NOTSET if verbose else logging.CRITICAL
        )
    logging.getLogger("PrismJobServer").disabled = not verbose
    if not verbose:  # what a job server says, Beam logs by the root logger
        handler.addFilter(lambda record: record.name != "root")
    try:
        yield
    finally:
        logging.getLogger().removeHandler(handler)


def print_table(table: Table) -> None:
    """Prints a table on standard output; a narrow terminal gets lines."""
    console = Console(markup=False, highlight=False)
    if not console.is_terminal:
        console.width = _PIPE_WIDTH
    # The title may be a long path: it does not decide how wide the table is.
    if table.title:
        console.print(table.title, style="bold", soft_wrap=True)
        table.title = None
    table.box, table.pad_edge = SIMPLE_HEAD, False
    free = console.options.update(max_width=_PIPE_WIDTH)
    if Measurement.get(console, free, table).maximum <= console.width:
        console.print(table)
        return
    heads = [str(column.header) for column in table.columns]
    for row in zip(*(column.cells for column in table.columns), strict=True):
        for head, cell in zip(heads, row, strict=True):
            if cell:
                console.print(f"{head}: {cell}", soft_wrap=True)
        console.print()


@contextmanager
def silenced_workers() -> Iterator[None]:
    """Hides what Beam prints when a worker fails, worker processes' output too.

    Beam prints the traceback at every level of its log. The error itself still reaches
    the caller, who reports it. What goes to a console of ``open_console`` is shown.
    """
    terminal, nowhere = os.dup(2), os.open(os.devnull, os.O_WRONLY)
    try:
        os.dup2(nowhere, 2)
        try:
            with redirect_stderr(io.StringIO()):
                yield
        finally:
            os.dup2(terminal, 2)
    finally:
        os.close(terminal)
        os.close(nowhere)


class _ConsoleHandler(logging.Handler):
    """Prints records on a console, above what is drawn live there."""

    def __init__(self, console: Console) -> None:
        super().__init__()
        self._console = console

    def emit(self, record: logging.LogRecord) -> None:
        """Prints a record."""
        self._console.print(self.format(record))
