"""Leases: a run has a directory in object storage for itself, as long as it renews it.

Object storage has no locks that end with their process. A lease is a small object in
the directory that says who is writing there. It is created only where there is none,
which on gs:// the storage sees to (``Swapping``), renewed every minute, and removed
when its run ends. Five minutes after the last renewal it counts for nothing, so that a
dead run keeps nobody out for long; the clocks of the machines have to agree within a
few minutes. On the machine of the dead run its lease ends at once.
"""

import getpass
import json
import logging
import os
import secrets
import signal
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Final

from transforms.errors import BuildError, StorageError, printable
from transforms.fields import convert
from transforms.storage import files
from transforms.storage.backend import Swapping

NAME: Final = ".lease.json"

_RENEWED_EVERY: Final = 60.0  # seconds
_LASTS: Final = 300.0  # seconds, since it was renewed
_PATIENCE: Final = 5.0  # seconds, with a renewal that is under way at the end
_ATTEMPTS: Final = 5  # where it changes hands while it is looked at

_LOGGER = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Holder:
    """Who has a lease.

    Attributes:
        run: A name of the run that no other has.
        host: The name of its machine.
        machine: Which start of which machine it is, and which of its containers.
        process: The process's number there.
        user: Whose process it is.
        since: When the run began, in words.
        renewed: When it last said that it lives, in seconds since 1970.
    """

    run: str
    host: str
    machine: str
    process: int
    user: str
    since: str
    renewed: int

    def is_dead(self) -> bool:
        """Returns whether the lease is over: by its age, or as its process is gone."""
        if time.time() - self.renewed > _LASTS:
            return True
        return self.machine == _machine() and not _is_running(self.process)

    def in_words(self) -> str:
        """Returns who it is, and since when."""
        return printable(
            f"process {self.process} of {self.user} on {self.host}, since {self.since}"
        )


class Lease:
    """A directory that this process has for itself; it is renewed by a thread."""

    def __init__(self, directory: str, renewed_every: float = _RENEWED_EVERY) -> None:
        """Takes the lease.

        Args:
            directory: A directory in object storage.
            renewed_every: Seconds between two renewals.

        Raises:
            StorageError: Another run has it, or the storage fails.
        """
        self._directory = directory
        self._renewed_every = renewed_every
        self._uri = files.join(directory, NAME)
        self._holder = _ourselves()
        self._generation = self._take()
        self._lost = False
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._keep, name="lease", daemon=True)
        self._thread.start()

    def release(self) -> None:
        """Removes the lease, if it is still this run's."""
        self._ended.set()
        self._thread.join(_PATIENCE)
        if self._lost:
            return
        with suppress(StorageError):  # it will end by itself
            _swapping(self._uri).discard(self._uri, self._generation)

    def renew(self) -> bool:
        """Says that this run lives; returns whether the lease is still its own.

        Raises:
            StorageError: The storage fails.
        """
        holder = replace(self._holder, renewed=int(time.time()))
        generation = _swapping(self._uri).swap(
            self._uri, _encode(holder), self._generation
        )
        if generation is None:  # another's, or ours where an answer was lost
            there = self._look()
            if there is None or there[1].run != self._holder.run:
                return False
            generation = there[0]
        self._generation = generation
        return True

    def _take(self) -> str:
        data = _encode(self._holder)
        for _ in range(_ATTEMPTS):
            there = self._look()
            if there is not None:
                generation, holder = there
                if holder.run == self._holder.run:
                    return generation
                if not holder.is_dead():
                    raise self._taken(holder)
                _LOGGER.warning(
                    "%s: the run of %s is dead; this one goes on.",
                    self._directory,
                    holder.in_words(),
                )
            taken = _swapping(self._uri).swap(
                self._uri, data, there[0] if there else ""
            )
            if taken is not None:
                return taken
        raise StorageError(f"{self._uri} changes all the time. Rerun when it is alone.")

    def _look(self) -> tuple[str, Holder] | None:
        """Returns the lease that is there, and its generation or an older one."""
        for attempt in range(_ATTEMPTS):
            if not files.exists(self._uri):
                return None
            try:
                generation = files.file_info(self._uri).generation
                data = files.read_bytes(self._uri)
                break
            except StorageError:  # it may have been renewed or released meanwhile
                if attempt + 1 == _ATTEMPTS:
                    raise
        try:
            holder = convert(Holder, json.loads(data), "", self._uri)
        except (ValueError, BuildError) as error:
            raise StorageError(f"{self._uri} is no lease. Remove it.") from error
        assert isinstance(holder, Holder)
        return generation, holder

    def _taken(self, holder: Holder) -> StorageError:
        age = max(time.time() - holder.renewed, 0)
        return StorageError(
            f"Another run is writing to {self._directory}: {holder.in_words()}. It "
            f"said so {age:.0f} seconds ago. Wait for it to end, or stop it and rerun; "
            f"what it has finished is kept. If it is dead, its lease {self._uri} ends "
            f"in {max(_LASTS - age, 0):.0f} seconds."
        )

    def _keep(self) -> None:
        while not self._ended.wait(self._renewed_every):
            try:
                ours = self.renew()
            except StorageError as error:
                _LOGGER.warning("%s", error)
                continue
            if not ours:
                self._lost = True
                _LOGGER.error(
                    "Another run has taken %s, for this one was silent too long. This "
                    "one ends.",
                    self._directory,
                )
                main = threading.main_thread().ident
                if main is not None:
                    signal.pthread_kill(main, signal.SIGINT)
                return


_HELD: Final[list[Lease]] = []


@contextmanager
def leased(directory: str) -> Iterator[None]:
    """Keeps a second run out of a directory in object storage.

    Raises:
        StorageError: Another run has it, or the storage fails.
    """
    lease = Lease(directory)
    _HELD.append(lease)
    try:
        yield
    finally:
        _HELD.remove(lease)
        lease.release()


def release_all() -> None:
    """Removes the leases of this process, which is about to end."""
    for lease in _HELD:
        lease.release()


def _swapping(uri: str) -> Swapping:
    storage: Swapping = files.storage_of(uri)
    return storage


def _ourselves() -> Holder:
    now = time.time()
    return Holder(
        run=secrets.token_hex(8),
        host=socket.gethostname(),
        machine=_machine(),
        process=os.getpid(),
        user=_user(),
        since=time.strftime("%Y-%m-%d %H:%M:%S UTC", time.gmtime(now)),
        renewed=int(now),
    )


def _user() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # a container's user may have no name
        return str(os.getuid())


def _machine() -> str:
    boot = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    return f"{boot} {os.readlink('/proc/self/ns/pid')}"


def _is_running(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        pass
    return True


def _encode(holder: Holder) -> bytes:
    return json.dumps(asdict(holder), indent=2).encode()
