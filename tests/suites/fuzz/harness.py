"""Runs a check on bytes that a coverage-guided fuzzer makes up.

    python -m tests.suites.fuzz.fuzz_tar -max_total_time=600
    PYTHONHASHSEED=0 setarch -R python -m tests.suites.fuzz.fuzz_tar -runs=1000 -seed=1

Arguments are libFuzzer's. It begins with seeds that the target makes itself, and ends
with an error and a file in ``build/fuzz/<target>`` at the first input for which the
check raises. The first command goes on from what earlier ones kept in
``build/fuzz/<target>/corpus`` because it reached new code. The second one begins from
nothing, so that it tries the same inputs each time.
"""

import shutil
import sys
from collections.abc import Callable, Iterable
from pathlib import Path

import atheris


def fuzz(target: str, check: Callable[[bytes], None], seeds: Iterable[bytes]) -> None:
    """Runs a check until time is up, or it raises; does not return.

    Args:
        target: Names the directory of the corpus.
        check: Takes any bytes; whatever it raises is a finding.
        seeds: Inputs to begin with.
    """
    directory = Path("build", "fuzz", target)
    timed = any(each.startswith("-max_total_time=") for each in sys.argv)
    corpus = directory / ("corpus" if timed else "fixed")
    if not timed:
        shutil.rmtree(corpus, ignore_errors=True)
    for each in (corpus, directory / "seeds"):
        each.mkdir(parents=True, exist_ok=True)
    for number, seed in enumerate(seeds):
        (directory / "seeds" / f"{number:03d}").write_bytes(seed)
    arguments = [
        sys.argv[0],
        str(corpus),
        str(directory / "seeds"),
        "-reload=0",  # of the corpus, once a second: what time does is not repeatable
        f"-artifact_prefix={directory}/",
        "-print_final_stats=1",
        *sys.argv[1:],
    ]
    atheris.Setup(arguments, check)
    atheris.Fuzz()
