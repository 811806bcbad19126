"""Runs a check on bytes that a coverage-guided fuzzer makes up.

    python -m tests.suites.fuzz.fuzz_tar -max_total_time=30 -seed=1

Arguments are libFuzzer's. It begins with seeds that the target makes itself, keeps
what reached new code in ``build/fuzz/<target>/corpus``, and ends with an error and a
file in ``build/fuzz/<target>`` at the first input for which the check raises.
"""

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
    for name in ("corpus", "seeds"):
        (directory / name).mkdir(parents=True, exist_ok=True)
    for number, seed in enumerate(seeds):
        (directory / "seeds" / f"{number:03d}").write_bytes(seed)
    arguments = [
        sys.argv[0],
        str(directory / "corpus"),
        str(directory / "seeds"),
        f"-artifact_prefix={directory}/",
        "-print_final_stats=1",
        *sys.argv[1:],
    ]
    atheris.Setup(arguments, check)
    atheris.Fuzz()
