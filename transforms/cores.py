"""How many cores a process may use: what a pool of threads is sized by."""

import os
from math import ceil
from pathlib import Path
from typing import Final

_CGROUPS: Final = Path("/sys/fs/cgroup")

# Most that this process is given of the machine's; None for all.
_share: int | None = None


def available_cores() -> int:
    """Returns on how many cores the threads of this process can run at once.

    These are those that the system lets it use (``taskset``, ``cpuset``), no more than
    its control group's quota allows (``docker run --cpus``), and in a worker process
    its share of them.
    """
    return min(_usable_cores(), quota(_CGROUPS), _share or _usable_cores())


def share_cores(share: int) -> None:
    """Limits this process to some of the cores, for the others belong to its siblings.

    Call it before there are pools.

    Args:
        share: The number of cores, 1 or more.
    """
    global _share
    _share = share


def quota(cgroups: Path) -> int:
    """Returns the quota of processor time of a control group, in cores, rounded up.

    Where there is none, more than any machine has. Sources: "cpu.max" in the kernel's
    admin-guide/cgroup-v2.rst, and scheduler/sched-bwc.rst for version 1.

    Args:
        cgroups: Where the control group of this process is mounted, as it is in a
            container.
    """
    unlimited = 1 << 16
    try:
        if (limits := cgroups / "cpu.max").exists():
            limit, period = limits.read_text().split()
        else:
            limit = (cgroups / "cpu/cpu.cfs_quota_us").read_text()
            period = (cgroups / "cpu/cpu.cfs_period_us").read_text()
        return max(1, ceil(int(limit) / int(period))) if int(limit) > 0 else unlimited
    except (OSError, ValueError):  # there is no file, or it says "max"
        return unlimited


def _usable_cores() -> int:
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1
