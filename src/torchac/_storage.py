"""Reading and writing the bytes of files. At a path there are all of them or none."""

from __future__ import annotations

import contextlib
import errno
import io
import mmap
import os
import re
import secrets
import stat
import sys
from pathlib import Path
from typing import Any, BinaryIO, TypeAlias

File: TypeAlias = str | os.PathLike[str] | BinaryIO


class Output:
    """Takes the bytes of a file.

    For a path, the file is written under a temporary name in the same directory, and renamed at the
    end. A pipe, or anything else that is not a regular file, is written to directly. Only the
    process that opened the output can write to it, close it, or delete something.

    Args:
        file: A path, or a file object.

    Raises:
        TypeError: It is neither.
        OSError: It cannot be written or replaced.
    """

    def __init__(self, file: File) -> None:
        self._process = os.getpid()
        self._path: Path | None = None
        self._temporary: Path | None = None
        self._file: Any = None
        if isinstance(file, (str, os.PathLike)):
            self._path = _absolute(file)
            self._open(self._path)
        elif callable(getattr(file, "write", None)):
            self._file = file
        else:
            raise TypeError(f"file is of type {type(file).__name__}: expected a path or a file")

    def __str__(self) -> str:
        return "a file object" if self._path is None else str(self._path)

    @property
    def inherited(self) -> bool:
        """Whether this process is a fork of the one that opened the output."""
        return os.getpid() != self._process

    def write(self, data: bytes | memoryview) -> None:
        """Writes all of the bytes, and flushes file objects.

        Raises:
            OSError: The file does not accept them.
            RuntimeError: Another process opened the file.
        """
        rest: bytes | memoryview = data
        while rest:
            self.check_process()
            rest = memoryview(rest)[self._taken(rest) :]
        flush = getattr(self._file, "flush", None)
        if callable(flush):  # otherwise a fork would write the same bytes again when it exits
            flush()

    def commit(self) -> None:
        """Ends the file. At a path it exists from now on, even after a power cut.

        Raises:
            OSError: The file cannot be written or renamed.
            RuntimeError: Another process opened the file.
        """
        self.check_process()
        if self._path is None:
            return
        if self._temporary is None:
            self._file.close()
            return
        _sync(self._file.fileno())
        self._file.close()
        try:
            self._temporary.replace(self._path)
        except OSError as error:
            raise _about(self._path, error, _OBJECT) from None
        self._temporary = None
        with contextlib.suppress(PermissionError):  # the directory is unreadable, or on Windows
            directory = os.open(self._path.parent, os.O_RDONLY)
            try:
                _sync(directory)
            finally:
                os.close(directory)

    def abandon(self) -> None:
        """Deletes an incomplete file at a path. A fork only closes its copy."""
        if self._path is None:
            return
        with contextlib.suppress(OSError):
            self._file.close()  # it has no buffer, so nothing is written now
        if self._temporary is not None and not self.inherited:
            with contextlib.suppress(OSError):
                self._temporary.unlink()

    def check_process(self) -> None:
        """Raises RuntimeError in a fork."""
        if self.inherited:
            raise RuntimeError(
                f"process {self._process} opened the file, and this one is a fork of it: "
                "write and close there, or open a Writer here"
            )

    def _taken(self, data: bytes | memoryview) -> int:
        """Writes once, and returns how many bytes the file took."""
        taken = self._file.write(data)
        if taken is None:
            if isinstance(self._file, io.RawIOBase):
                raise BlockingIOError(
                    errno.EAGAIN,
                    "the file is non-blocking, and takes no bytes now: expected one that waits",
                )
            return len(data)  # file objects need not return a count
        if not isinstance(taken, int) or isinstance(taken, bool):
            raise TypeError(
                f"file.write returns {type(taken).__name__}: expected the number of bytes, or None"
            )
        if not 0 < taken <= len(data):
            raise OSError(f"the file took {taken} of {len(data)} bytes")
        return taken

    def _open(self, path: Path) -> None:
        try:
            found = path.stat()
        except FileNotFoundError:
            found = None
        if found is not None and stat.S_ISSOCK(found.st_mode):
            raise OSError(
                errno.ENXIO, "it is a socket: expected a file object of it, by makefile", str(path)
            )
        if _is_descriptor(path) or (found is not None and not stat.S_ISREG(found.st_mode)):
            self._file = path.open("wb", buffering=0)
            return
        path = self._path = Path(os.path.realpath(path))  # a link stays, and its target changes
        if found is not None:
            _check_replaceable(path, found)
        temporary = path.with_name(f".{secrets.token_hex(8)}.tmp")
        mode = 0o666 if found is None else found.st_mode & 0o777

        def opener(name: str, flags: int) -> int:
            return os.open(name, flags, mode)

        try:
            self._file = io.FileIO(temporary, "x", opener=opener)
        except OSError as error:
            raise _about(path, error, "" if found is None else _OBJECT) from None
        self._temporary = temporary
        if found is not None:
            _keep_owner_and_mode(self._file.fileno(), found)


def _absolute(file: str | os.PathLike[str]) -> Path:
    """The path as `open` reads it: pathlib reads "" as the directory, and drops a last slash."""
    name = os.fsdecode(file)
    wrong = errno.EISDIR if name.endswith(os.sep) else 0 if name else errno.ENOENT
    if wrong:
        raise OSError(wrong, os.strerror(wrong), name)
    return Path(name).absolute()


_OBJECT = "; to write into the file that is there, pass a file object, such as open(path, 'wb')"


def _about(path: Path, error: OSError, advice: str = "") -> OSError:
    """The error, with the final path instead of that of the temporary file."""
    return type(error)(error.errno, f"{error.strerror}{advice}", str(path))


def _check_replaceable(path: Path, found: os.stat_result) -> None:
    """Raises early if the file cannot be opened for writing or replaced."""
    os.close(os.open(path, os.O_WRONLY))
    if _is_mounted(path):
        error = OSError(errno.EBUSY, "it is mounted as a single file, which cannot be replaced")
        raise _about(path, error, _OBJECT)
    if sys.platform == "win32":
        return
    directory = path.parent.stat()
    owners = (0, found.st_uid, directory.st_uid)
    if directory.st_mode & stat.S_ISVTX and os.geteuid() not in owners:
        error = PermissionError(
            errno.EPERM, "its directory has the sticky bit, so only owners can replace files"
        )
        raise _about(path, error, _OBJECT)


def _is_mounted(path: Path) -> bool:
    """Whether a single file is mounted at that path, as in containers."""
    try:
        mounts = _MOUNTS.read_bytes().splitlines()
    except OSError:  # other systems than Linux
        return os.path.ismount(path)
    escaped = re.sub(rb"[\\ \t\n]", lambda match: b"\\%03o" % match[0][0], os.fsencode(path))
    return any(mount.split(b" ")[4] == escaped for mount in mounts)


_MOUNTS = Path("/proc/self/mountinfo")


def _is_descriptor(path: Path) -> bool:
    """Whether the path names an open file, as /dev/stdout does, directly or by links."""
    for _ in range(40):  # the longest chain of links that systems allow
        parent = os.path.realpath(path.parent)
        if re.fullmatch("/dev/fd|/proc/.*/fd", parent):
            return True
        path = Path(parent, path.name)
        if not path.is_symlink():
            return False
        path = path.parent / path.readlink()
    return False


def _keep_owner_and_mode(descriptor: int, found: os.stat_result) -> None:
    """Gives a file the mode of the one that it replaces, and if possible its owner and group."""
    if sys.platform == "win32":
        return
    with contextlib.suppress(OSError):
        os.fchown(descriptor, -1, found.st_gid)
    with contextlib.suppress(OSError):
        os.fchown(descriptor, found.st_uid, -1)
    mode = found.st_mode & 0o777
    if os.fstat(descriptor).st_gid != found.st_gid:  # another group gets the rights of others
        mode = mode & 0o707 | (mode & 7) << 3
    with contextlib.suppress(OSError):  # some file systems have no modes
        os.fchmod(descriptor, mode)


def _sync(descriptor: int) -> None:
    """Waits until all of a file or a directory is on the disk."""
    try:
        os.fsync(descriptor)
    except OSError as error:
        if error.errno not in (errno.EINVAL, errno.ENOTSUP):  # some file systems cannot sync
            raise


def read(file: File) -> tuple[memoryview, str | None]:
    """All bytes of a file. A large file at a path is mapped, so its bytes are read when needed.

    Args:
        file: A path, or a file object, which is read up to its end.

    Returns:
        The bytes, which change only if the file is overwritten in place; and the path by which the
        file can be opened again, if there is one.

    Raises:
        TypeError: It is neither, or a text file.
        OSError: It cannot be read.
    """
    if isinstance(file, (str, os.PathLike)):
        path = _absolute(file)
        with path.open("rb", buffering=0) as opened:
            lasts = stat.S_ISREG(os.fstat(opened.fileno()).st_mode) and not _is_descriptor(path)
            data = (_mapped(opened) if lasts else None) or memoryview(opened.readall())
            return data, str(path) if lasts else None
    if not callable(getattr(file, "read", None)):
        raise TypeError(f"file is of type {type(file).__name__}: expected a path or a file")
    parts = []
    while part := _given(file):
        parts.append(part)
    return memoryview(b"".join(parts)), None


def _given(file: BinaryIO) -> bytes | bytearray | memoryview:
    """The bytes of one call of `file.read`, which are none at the end."""
    part: Any = file.read()
    if part is None:
        raise BlockingIOError(
            errno.EAGAIN,
            "the file is non-blocking, and gives no bytes now: expected one that waits",
        )
    if not isinstance(part, (bytes, bytearray, memoryview)):
        raise TypeError(f"file.read returns {type(part).__name__}: expected a file in binary mode")
    return part


def _mapped(file: io.FileIO) -> memoryview | None:
    """The mapped bytes of a regular file; None if it is too small, or cannot be mapped."""
    size = os.fstat(file.fileno()).st_size
    if size < _LEAST_TO_MAP:
        return None
    try:
        return memoryview(mmap.mmap(file.fileno(), size, access=mmap.ACCESS_READ))
    except (OSError, ValueError):  # the file system cannot map, or the file was cut meanwhile
        return None


# Smaller files are read as quickly, and then hold no descriptor.
_LEAST_TO_MAP = 1 << 20


def was_cut(data: memoryview) -> bool:
    """Whether a mapped file was shortened: reading beyond its end would kill the process."""
    return isinstance(data.obj, mmap.mmap) and data.obj.size() < len(data)
