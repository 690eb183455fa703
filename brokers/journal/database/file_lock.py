"""One writer per journal file, held by the operating system: it ends with the process, however that ends."""

from __future__ import annotations

import errno
import fcntl
import os
import socket
import stat
from datetime import datetime
from pathlib import Path

from config.errors import Refusal
from config.private_files import private_folder


class FileLock:
    """Hold ``<file>-lock`` until released, beside the file that is really opened: links to it are followed.

    Raises
    ------
    Refusal
        Another process (or this one) holds it, its folder cannot be written, or the lock's own name is a link: what
        it leads to would be written over.
    """

    def __init__(self, path: Path) -> None:
        try:
            private_folder(path.parent)
            real = path.resolve()
            lock = real.with_name(f"{real.name}-lock")
            flags = os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK
            self._handle: int | None = os.open(lock, flags, 0o600)
        except (OSError, RuntimeError) as error:
            if isinstance(error, RuntimeError) or error.errno in (errno.ELOOP, errno.EMLINK):
                raise Refusal(
                    f"{path}: it or its lock is a link that leads elsewhere or nowhere; remove the link, no orders "
                    "until then"
                ) from None
            raise Refusal(
                f"{path}: its folder cannot be written ({error.strerror}); make it writable, no orders until then"
            ) from error
        if not stat.S_ISREG(os.fstat(self._handle).st_mode):
            self.release()
            raise Refusal(f"{lock}: is no ordinary file; remove it, no orders until then")
        try:
            fcntl.flock(self._handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            holder = os.read(self._handle, 200).decode(errors="replace").split()
            self.release()
            who = "another process"
            if holder and holder[0].isdigit():
                who = f"process {holder[0]}" + (f" on {holder[1]} since {holder[2]}" if len(holder) == 3 else "")
            raise Refusal(f"{path}: {who} writes this journal; stop it first, no orders until then") from error
        try:
            # Who holds it is a courtesy: on a full disk, the journal itself says what is wrong.
            os.ftruncate(self._handle, 0)
            since = datetime.now().astimezone().isoformat(timespec="seconds")
            os.write(self._handle, f"{os.getpid()} {socket.gethostname()} {since}\n".encode())
        except OSError:
            pass

    def release(self) -> None:
        """Let others write. The file stays: deleting it would let two processes lock two files."""
        if self._handle is not None:
            os.close(self._handle)
            self._handle = None
