"""Prints what was found wrong with a dataset."""

import json
from collections.abc import Sequence
from dataclasses import asdict
from typing import Final

from rich.table import Table

from beam_pipeline.console.terminal import print_table
from transforms.verification import Findings, Problem, Total

_MENDED_BY: Final = (
    "To mend it, run the command that built it again: with --repair it builds again "
    "what is not as manifest.json says, with --overwrite everything."
)


def print_verdict(
    directory: str,
    totals: Sequence[Total],
    findings: Findings,
    remarks: Sequence[str],
    seconds: float | None,
    *,
    mendable: bool,
) -> None:
    """Prints what a dataset holds, and everything that is wrong with it.

    Args:
        directory: The directory that was verified.
        totals: What it holds, by split.
        findings: What is wrong.
        remarks: What was not verified, and why.
        seconds: How long it took; None for one JSON document instead.
        mendable: Whether a build knows what its files should be.
    """
    if seconds is None:
        print(_as_json(directory, totals, findings, remarks))
        return
    _print_table(directory, totals, findings)
    for problem in findings.listed:
        print(_in_words(problem))
    for file, number in findings.omitted.items():
        print(f"{file}: {number:,} more problems.")
    for remark in remarks:
        print(remark)
    print(f"Verified in {seconds:.1f} s.")
    if findings.total and mendable:
        print(_MENDED_BY)
    print(_last_line(directory, findings))


def _print_table(
    directory: str,
    totals: Sequence[Total],
    findings: Findings,
) -> None:
    table = Table(title=directory)
    for column in ("config", "format", "split"):
        table.add_column(column)
    for column in ("files", "examples", "bytes", "problems"):
        table.add_column(column, justify="right")
    for total in totals:
        numbers = total.files, total.examples, total.bytes, total.problems
        cells = (f"{number:,}" for number in numbers)
        table.add_row(total.config, total.format, total.split, *cells)
    others = findings.total - sum(total.problems for total in totals)
    table.add_row("", "other files", *[""] * 4, f"{others:,}")
    print_table(table)


def _in_words(problem: Problem) -> str:
    where = "" if problem.record is None else f", record {problem.record:,}"
    return f"{problem.file}{where} ({problem.check}): {problem.message}"


def _last_line(directory: str, findings: Findings) -> str:
    if not findings.total:
        return f"{directory} is whole."
    return f"{directory} has {findings.total:,} problem{'s'[: findings.total > 1]}."


def _as_json(
    directory: str,
    totals: Sequence[Total],
    findings: Findings,
    remarks: Sequence[str],
) -> str:
    document = {
        "directory": directory,
        "whole": not findings.total,
        "totals": [asdict(total) for total in totals],
        "problems": [asdict(problem) for problem in findings.listed],
        "omitted": dict(findings.omitted),
        "remarks": list(remarks),
    }
    return json.dumps(document, indent=2, ensure_ascii=False)
