"""The one table of a benchmark: medians with their spread, and ratios.

Processor time stands beside wall time. On a machine that is shared it is the one that
repeats. A ratio is given for both, wall time first.
"""

import statistics
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from rich.console import Console
from rich.table import Table

from benchmarks.measure import Measurement


@dataclass(frozen=True, slots=True)
class Case:
    """What is run, and what it is compared with.

    Attributes:
        group: The heading that it stands under.
        name: What is run; unique.
        images: Number of images that a run works on.
        run: Runs it once.
        time_of: Names of cases whose times its own is a multiple of. Times and rates
            are those of an image.
        rate_of: Names of cases whose rates its own is a multiple of.
        once: Whether it takes so long that one round is enough.
    """

    group: str
    name: str
    images: int
    run: Callable[[], Measurement]
    time_of: tuple[str, ...] = ()
    rate_of: tuple[str, ...] = ()
    once: bool = False


Results = Mapping[str, Sequence[Measurement]]


def run_cases(
    cases: Sequence[Case], rounds: int, results: dict[str, list[Measurement]]
) -> None:
    """Runs each case once a round, so that a slow minute hits them all.

    Args:
        cases: What to run.
        rounds: How often.
        results: Gets what each case took, by its name.
    """
    for number in range(rounds):
        for case in cases:
            if number and case.once:
                continue
            print(f"round {number + 1}: {case.name} ...", flush=True)
            results.setdefault(case.name, []).append(case.run())


def print_table(title: str, cases: Sequence[Case], results: Results) -> None:
    """Prints a line for each case that was run."""
    table = Table(title=title)
    table.add_column("run")
    columns = ("rounds", "s", "s of CPU", "µs of CPU an image", "peak MB", "ratio")
    for column in columns:
        table.add_column(column, justify="right")
    by_name = {case.name: case for case in cases}
    group = ""
    for case in [case for case in cases if case.name in results]:
        if case.group != group:
            table.add_row(f"[bold]{case.group}[/bold]")
            group = case.group
        table.add_row(*_row(case, by_name, results))
    Console(width=120).print(table)


def median_cpu(runs: Sequence[Measurement]) -> float:
    """Returns the median of the processor time of runs, in seconds."""
    return statistics.median(run.cpu for run in runs)


def _row(case: Case, cases: Mapping[str, Case], results: Results) -> list[str]:
    runs = results[case.name]
    peak = max(run.peak_bytes for run in runs)
    return [
        case.name,
        str(len(runs)),
        _spread([run.seconds for run in runs]),
        _spread([run.cpu for run in runs]),
        f"{1e6 * median_cpu(runs) / case.images:,.0f}",
        f"{peak / 1e6:,.0f}" if peak else "",
        _ratios(case, cases, results),
    ]


def _spread(values: Sequence[float]) -> str:
    middle = f"{statistics.median(values):.1f}"
    if len(values) == 1:
        return middle
    return f"{middle} ({min(values):.1f}-{max(values):.1f})"


def _ratios(case: Case, cases: Mapping[str, Case], results: Results) -> str:
    """Returns ratios of wall time and of processor time, a line for each other case."""
    lines = []
    for name in (*case.time_of, *case.rate_of):
        if name not in results:
            continue
        ratios = []
        for attribute in ("seconds", "cpu"):
            ours, theirs = (
                statistics.median(getattr(run, attribute) for run in results[each.name])
                / each.images
                for each in (case, cases[name])
            )
            ratios.append(ours / theirs if name in case.time_of else theirs / ours)
        word = "time" if name in case.time_of else "rate"
        lines.append(f"{ratios[0]:.2f}, {ratios[1]:.2f} x the {word} of {name}")
    return "\n".join(lines)
