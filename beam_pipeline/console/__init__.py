"""What a command prints: progress, tables, summaries and errors."""

from typing import TYPE_CHECKING

from transforms.doors import lazy

if TYPE_CHECKING:
    from beam_pipeline.console.command import FAILED, refuse_unknown, run_command
    from beam_pipeline.console.finished import find_unfinished
    from beam_pipeline.console.progress import (
        VERIFYING,
        counted_progress,
        shown_progress,
    )
    from beam_pipeline.console.summary import Counters, print_summary
    from beam_pipeline.console.terminal import print_table, silenced_workers
    from beam_pipeline.console.verdict import print_verdict
else:
    __getattr__ = lazy(__name__)

__all__ = [
    "FAILED",
    "VERIFYING",
    "Counters",
    "counted_progress",
    "find_unfinished",
    "print_summary",
    "print_table",
    "print_verdict",
    "refuse_unknown",
    "run_command",
    "shown_progress",
    "silenced_workers",
]
