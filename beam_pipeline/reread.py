"""A verification from the flags of Beam's to what each split came to."""

import secrets
import tempfile
from collections.abc import Callable, Iterator
from contextlib import (
    AbstractContextManager,
    ExitStack,
    contextmanager,
    nullcontext,
)

from apache_beam.options.pipeline_options import GoogleCloudOptions, PipelineOptions
from rich.console import Console

from beam_pipeline.console import (
    FAILED,
    VERIFYING,
    shown_progress,
    silenced_workers,
)
from beam_pipeline.engines import supervised
from beam_pipeline.engines.runners import is_local, make_options, make_pipeline
from beam_pipeline.inputs import VerifyInputs
from beam_pipeline.pipeline import verify_dataset
from transforms import storage
from transforms.errors import ConfigError
from transforms.shards import ShardProgress
from transforms.verification import (
    Conclusion,
    archives_label,
    conclusion_uri,
    read_conclusion,
    unread_files,
)


def reread(
    find: Callable[[], VerifyInputs],
    flags: list[str],
    refuse: Callable[[], None],
    console: Console,
    *,
    verbose: bool,
) -> list[Conclusion]:
    """Rereads a dataset; returns what each split came to.

    Args:
        find: Returns what is read, and what it is held against.
        flags: Beam's flags.
        refuse: Raises if one of them is not Beam's.
        console: For what is said meanwhile.
        verbose: Whether all of Beam's log is shown.

    Raises:
        BuildError: A flag is wrong, an input, or a file can't be read.
    """
    options = make_options(flags)
    if is_local(options):
        refuse()
    inputs = find()
    splits = dict.fromkeys((file.config, file.split) for file in inputs.files)
    if not splits:
        return []
    files = unread_files(inputs.files)
    with ExitStack() as stack:
        directory = stack.enter_context(_scratch(options))
        pipeline = make_pipeline(options)
        watched_at = ""
        if is_local(options):
            display = stack.enter_context(ExitStack())
            stack.enter_context(_supervised(directory, console, display))
            if console.is_terminal:
                shown = shown_progress(
                    console, VERIFYING, [*files.values(), *_unread_archives(inputs)]
                )
                watched_at = display.enter_context(shown)
        verify_dataset(pipeline, inputs, directory, files, watched_at)
        with nullcontext() if verbose else silenced_workers():
            pipeline.run().wait_until_finish()
        return [
            read_conclusion(conclusion_uri(directory, config, split))
            for config, split in splits
        ]


def _unread_archives(inputs: VerifyInputs) -> Iterator[ShardProgress]:
    """Yields how far the archives of each split are before their plan is made."""
    wanted = {s.name: s.examples for h in inputs.holdings for s in h.splits}
    for split in inputs.archives.options if inputs.archives else ():
        number = wanted.get(split, 0)
        yield ShardProgress(archives_label(split), 0, 1, number, number)


def _supervised(
    directory: str, console: Console, display: ExitStack
) -> AbstractContextManager[None]:
    def stop(message: str) -> None:
        display.close()
        storage.remove_tree(directory)
        console.print(message)

    return supervised(
        lambda: stop("Interrupted."),
        lambda reason: stop(f"error: A worker process died ({reason})."),
        FAILED,
    )


@contextmanager
def _scratch(options: PipelineOptions) -> Iterator[str]:
    """Gives a directory that the workers write to and this process reads.

    Raises:
        ConfigError: The workers are elsewhere, and no such place is named.
    """
    if is_local(options):
        with tempfile.TemporaryDirectory() as directory:
            yield directory
        return
    place = options.view_as(GoogleCloudOptions).temp_location
    if not place:
        raise ConfigError(
            "On this engine --temp_location has to name a directory that its workers "
            "and this machine share."
        )
    directory = storage.join(place, f"verify-{secrets.token_hex(8)}")
    storage.make_directory(directory)
    try:
        yield directory
    finally:
        storage.remove_tree(directory)
