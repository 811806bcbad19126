"""Leases: one run for each directory in object storage, as long as it renews its lease.

Object storage has no locks that end with their process. A lease is a small object in
the directory that says which run writes there. It is created only if there is none
(``Swapping``; on gs:// the service guarantees it), renewed every minute, and removed
when its run ends. It expires five minutes after the last renewal, so a dead run does
not block others for long; the clocks of the machines have to agree within a few
minutes. On the machine of a dead run its lease ends at once.
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
from typing import Final

from transforms.errors import BuildError, StorageError, printable
from transforms.fields import convert
from transforms.storage import files, system
from transforms.storage.backend import Swapping
from transforms.storage.uris import join

NAME: Final = ".lease.json"

_RENEWED_EVERY: Final = 60.0  # seconds
_LASTS: Final = 300.0  # seconds after the last renewal
_PATIENCE: Final = 5.0  # seconds to wait at the end for a renewal that is under way
_ATTEMPTS: Final = 5  # if the lease changes while it is read

_LOGGER = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Holder:
    """The run that has a lease.

    Attributes:
        run: A unique name of the run.
        host: The name of its machine.
        machine: ``system.machine()`` there.
        process: The number of its process there.
        user: The user that it runs as.
        since: When the run began, as text.
        renewed: When the lease was last renewed, in seconds since 1970.
    """

    run: str
    host: str
    machine: str
    process: int
    user: str
    since: str
    renewed: int

    def is_dead(self) -> bool:
        """Returns whether the lease has expired, or its process here is dead."""
        if time.time() - self.renewed > _LASTS:
            return True
        here = bool(self.machine) and self.machine == system.machine()
        return here and not _is_running(self.process)

    def in_words(self) -> str:
        """Returns the process, its user and machine, and since when it runs."""
        return printable(
            f"process {self.process} of {self.user} on {self.host}, since {self.since}"
        )


class Lease:
    """The lease of this process on a directory; a thread renews it."""

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
        self._uri = join(directory, NAME)
        self._holder = _ourselves()
        self._generation = self._take()
        self._lost = False
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._keep, name="lease", daemon=True)
        self._thread.start()

    def release(self) -> None:
        """Removes the lease, if this run still has it."""
        self._ended.set()
        self._thread.join(_PATIENCE)
        if self._lost:
            return
        with suppress(StorageError):  # it will expire
            _swapping(self._uri).discard(self._uri, self._generation)

    def renew(self) -> bool:
        """Renews the lease; returns whether this run still has it.

        Raises:
            StorageError: The storage fails.
        """
        holder = replace(self._holder, renewed=int(time.time()))
        generation = _swapping(self._uri).swap(
            self._uri, _encode(holder), self._generation
        )
        if generation is None:  # another run's, or ours if an answer was lost
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
                    "%s: the run of %s is dead; this run takes its place.",
                    self._directory,
                    holder.in_words(),
                )
            taken = _swapping(self._uri).swap(
                self._uri, data, there[0] if there else ""
            )
            if taken is not None:
                return taken
        raise StorageError(
            f"{self._uri} keeps changing: several runs want this directory. Start one "
            "of them."
        )

    def _look(self) -> tuple[str, Holder] | None:
        """Returns the present lease with its generation, or an older generation."""
        for attempt in range(_ATTEMPTS):
            if not files.exists(self._uri):
                return None
            try:
                generation = files.file_info(self._uri).generation
                data = files.read_bytes(self._uri)
                break
            except StorageError:  # it may just have been renewed or released
                if attempt + 1 == _ATTEMPTS:
                    raise
        try:
            holder = convert(Holder, json.loads(data), "", self._uri)
        except (ValueError, BuildError) as error:
            raise StorageError(f"{self._uri} is not a lease. Remove it.") from error
        assert isinstance(holder, Holder)
        return generation, holder

    def _taken(self, holder: Holder) -> StorageError:
        age = max(time.time() - holder.renewed, 0)
        return StorageError(
            f"Another run is writing to {self._directory}: {holder.in_words()}. It "
            f"renewed its lease {age:.0f} seconds ago. Wait for it to end, or stop it "
            "and rerun; the shards that it finished are kept. If it is dead, its lease "
            f"{self._uri} expires in {max(_LASTS - age, 0):.0f} seconds."
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
                    "Another run has taken %s, because this one could not renew its "
                    "lease in time. This run ends.",
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
        machine=system.machine(),
        process=os.getpid(),
        user=_user(),
        since=time.strftime("%Y-%m-%d %H:%M:%S UTC", time.gmtime(now)),
        renewed=int(now),
    )


def _user() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # the user of a container may have no name
        return str(os.getuid())


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
