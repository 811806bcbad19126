"""What a command prints: progress, tables, summaries and errors."""

from beam_pipeline.console.command import FAILED, refuse_unknown, run_command
from beam_pipeline.console.finished import without_finished
from beam_pipeline.console.progress import VERIFYING, counted_progress, shown_progress
from beam_pipeline.console.summary import Counters, print_summary
from beam_pipeline.console.terminal import print_table, silenced_workers

__all__ = [
    "FAILED",
    "VERIFYING",
    "Counters",
    "counted_progress",
    "print_summary",
    "print_table",
    "refuse_unknown",
    "run_command",
    "shown_progress",
    "silenced_workers",
    "without_finished",
]
