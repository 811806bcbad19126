"""What the links in a tar lead to.

As in Python's ``tarfile`` and in a folder that GNU tar unpacked: a hard link is the
file of that name that comes before it, a symbolic link the last file of the name that
its own directory makes of its target.
"""

import posixpath
from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from transforms.archives.tar.members import TarMember

HARD: Final = "hard link"
SYMBOLIC: Final = "symbolic link"
_LINKS: Final = frozenset({HARD, SYMBOLIC})


@dataclass(frozen=True, slots=True)
class Lead:
    """Where a link leads.

    Attributes:
        member: What it stands for, no link itself; None where it leads nowhere.
        fault: Why it leads nowhere, as the end of a sentence about its target.
    """

    member: TarMember | None
    fault: str = ""


_CIRCLE: Final = Lead(None, "which leads back to it")
_OUTSIDE: Final = Lead(None, "which lies outside of the tar")
_NOT_BEFORE: Final = Lead(None, "which does not come before it in the tar")
_ELSEWHERE: Final = Lead(None, "which is a symbolic link of another directory")
_NOWHERE: Final = Lead(None, "which is not in the tar")


def follow_links(members: Sequence[TarMember]) -> dict[int, Lead]:
    """Returns where each link leads, by its position among a tar's members.

    Args:
        members: All of the tar's, in its order.
    """
    if not any(member.kind in _LINKS for member in members):
        return {}
    last: dict[str, int] = {}
    nexts = _nexts_of_hard(members, last)
    names = sorted(last)
    for position, member in enumerate(members):
        if member.kind == SYMBOLIC:
            nexts[position] = _next_of_symbolic(member, last, names)
    known: dict[int, Lead] = {}
    for position in nexts:
        _follow(position, nexts, members, known)
    return known


def _nexts_of_hard(
    members: Sequence[TarMember], last: dict[str, int]
) -> dict[int, int | Lead]:
    """Returns the position of what each hard link names, or where else it leads.

    Args:
        members: All of the tar's.
        last: Is given the last position of each name.
    """
    nexts: dict[int, int | Lead] = {}
    read_from: dict[
        int, str
    ] = {}  # directories of symbolic links, by any of their names
    for position, member in enumerate(members):
        name = posixpath.normpath(member.name)
        directory = posixpath.dirname(name)
        if member.kind == SYMBOLIC:
            read_from[position] = directory
        elif member.kind == HARD:
            target = posixpath.normpath(member.target)
            found = last.get(target)
            if found is None:
                nexts[position] = _OUTSIDE if _leads_out(target) else _NOT_BEFORE
            elif read_from.get(found, directory) != directory:
                nexts[position] = _ELSEWHERE
            else:
                nexts[position] = found
                if found in read_from:
                    read_from[position] = directory
        last[name] = position
    return nexts


def _next_of_symbolic(
    member: TarMember, last: dict[str, int], names: list[str]
) -> int | Lead:
    """Returns the position of what a symbolic link names, or where else it leads."""
    directory = posixpath.dirname(member.name)
    target = posixpath.normpath(posixpath.join(directory, member.target))
    if member.target.startswith("/") or _leads_out(target):
        return _OUTSIDE
    if not member.target:
        return _NOWHERE
    if target in last:
        return last[target]
    # A directory may have no header, but files.
    place = bisect_left(names, f"{target}/")
    below = names[place : place + 1]
    if target == "." or (below and below[0].startswith(f"{target}/")):
        return Lead(TarMember(target, 0, 0, "directory"))
    return _NOWHERE


def _follow(
    position: int,
    nexts: dict[int, int | Lead],
    members: Sequence[TarMember],
    known: dict[int, Lead],
) -> None:
    """Adds where a link leads to what is known, and every link on the way."""
    passed: dict[int, None] = {}
    at: int | Lead = position
    while not isinstance(at, Lead):
        if at in passed:
            at = _CIRCLE
        elif at in known:
            at = known[at]
        elif at not in nexts:
            at = Lead(members[at])
        else:
            passed[at] = None
            at = nexts[at]
    known.update(dict.fromkeys(passed, at))


def _leads_out(target: str) -> bool:
    return target == ".." or target.startswith(("/", "../"))
