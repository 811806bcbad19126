"""The machine that a benchmark runs on, and its instructions for SHA."""

import os
import platform
from pathlib import Path
from typing import Final

from transforms.cores import available_cores

# Keeps OpenSSL from using the SHA extensions of x86 (source: OPENSSL_ia32cap(3), bit 29
# of EBX of CPUID leaf 7).
NO_SHA: Final[dict[str, str]] = {"OPENSSL_ia32cap": ":~0x20000000"}
_CPU_INFO: Final = Path("/proc/cpuinfo")


def has_sha() -> bool:
    """Returns whether the processor has the SHA extensions of x86."""
    return "sha_ni" in _cpu_info().get("flags", "").split()


def describe_machine() -> str:
    """Returns model, cores, flags and load of this machine, in a line."""
    model = _cpu_info().get("model name", platform.machine())
    cores = available_cores()
    flag = "with sha_ni" if has_sha() else "without sha_ni"
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 1e9
    return (
        f"{model}, {cores} cores, {flag}, {memory:.0f} GB; "
        f"Python {platform.python_version()}; load {os.getloadavg()[0]:.1f}"
    )


def _cpu_info() -> dict[str, str]:
    """Returns what Linux says of the first core, by name."""
    if not _CPU_INFO.exists():
        return {}
    first = _CPU_INFO.read_text().split("\n\n")[0]
    pairs = (line.partition(":") for line in first.splitlines())
    return {name.strip(): value.strip() for name, _, value in pairs}
