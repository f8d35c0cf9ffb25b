"""Where the bytes of files are: at a path, which has all of them or none, or in a file object."""

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

    At a path, a regular file is written under another name beside it, which changes in the end.
    What else is there, such as a pipe, is written to. Only the process that opened the output can
    write to it, close it, or delete something.

    Args:
        file: A path, or a file object.

    Raises:
        TypeError: It is neither.
        OSError: It cannot be written to, or not be replaced.
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
        """Whether this process is a fork of the one that opened it."""
        return os.getpid() != self._process

    def write(self, data: bytes | memoryview) -> None:
        """Writes all of the bytes, and has file objects hand them on.

        Raises:
            OSError: The file does not take them.
            RuntimeError: Another process opened the file.
        """
        rest: bytes | memoryview = data
        while rest:
            self.check_process()
            rest = memoryview(rest)[self._taken(rest) :]
        flush = getattr(self._file, "flush", None)
        if callable(flush):  # or a fork would have the bytes too, and write them when it ends
            flush()

    def commit(self) -> None:
        """Ends the file; one at a path is there from now on, also after a power cut.

        Raises:
            OSError: The file cannot be written, or not be given its name.
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
        with contextlib.suppress(PermissionError):  # of directories without reading, and on Windows
            directory = os.open(self._path.parent, os.O_RDONLY)
            try:
                _sync(directory)
            finally:
                os.close(directory)

    def abandon(self) -> None:
        """Leaves no file at a path that is not complete. A fork only closes what it inherited."""
        if self._path is None:
            return
        with contextlib.suppress(OSError):
            self._file.close()  # which has no buffer, so that nothing is written now
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
        """Writes once, and tells how many of the bytes were taken."""
        taken = self._file.write(data)
        if taken is None:
            if isinstance(self._file, io.RawIOBase):
                raise BlockingIOError(
                    errno.EAGAIN,
                    "the file is non-blocking, and takes no bytes now: expected one that waits",
                )
            return len(data)  # other files may say nothing
        if not isinstance(taken, int) or isinstance(taken, bool):
            raise TypeError(
                f"file.write gives {type(taken).__name__}: expected how many bytes it took, or None"
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
        path = self._path = Path(os.path.realpath(path))  # a link goes on leading there
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
    """The path that `open` means: pathlib takes "" for the directory, and drops a last slash."""
    name = os.fsdecode(file)
    wrong = errno.EISDIR if name.endswith(os.sep) else 0 if name else errno.ENOENT
    if wrong:
        raise OSError(wrong, os.strerror(wrong), name)
    return Path(name).absolute()


_OBJECT = "; to write into the file that is there, pass a file object, such as open(path, 'wb')"


def _about(path: Path, error: OSError, advice: str = "") -> OSError:
    """The error, told of the path instead of a temporary file beside it."""
    return type(error)(error.errno, f"{error.strerror}{advice}", str(path))


def _check_replaceable(path: Path, found: os.stat_result) -> None:
    """Raises what would be raised in the end, when all is written, or by `open`."""
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
            errno.EPERM, "in its directory only owners replace files, as the sticky bit says"
        )
        raise _about(path, error, _OBJECT)


def _is_mounted(path: Path) -> bool:
    """Whether a file is mounted at that path, as containers do with single files."""
    try:
        mounts = _MOUNTS.read_bytes().splitlines()
    except OSError:  # other systems than Linux
        return os.path.ismount(path)
    escaped = re.sub(rb"[\\ \t\n]", lambda match: b"\\%03o" % match[0][0], os.fsencode(path))
    return any(mount.split(b" ")[4] == escaped for mount in mounts)


_MOUNTS = Path("/proc/self/mountinfo")


def _is_descriptor(path: Path) -> bool:
    """Whether the path is a name of an open file, such as /dev/stdout, by links or not."""
    for _ in range(40):  # links that follow each other, of which systems allow no more
        parent = os.path.realpath(path.parent)
        if re.fullmatch("/dev/fd|/proc/.*/fd", parent):
            return True
        path = Path(parent, path.name)
        if not path.is_symlink():
            return False
        path = path.parent / path.readlink()
    return False


def _keep_owner_and_mode(descriptor: int, found: os.stat_result) -> None:
    """Gives a file the mode of the one that it replaces, and its owner and group if that can be."""
    if sys.platform == "win32":
        return
    with contextlib.suppress(OSError):
        os.fchown(descriptor, -1, found.st_gid)
    with contextlib.suppress(OSError):
        os.fchown(descriptor, found.st_uid, -1)
    mode = found.st_mode & 0o777
    if os.fstat(descriptor).st_gid != found.st_gid:  # another group may do what all may do
        mode = mode & 0o707 | (mode & 7) << 3
    with contextlib.suppress(OSError):  # of file systems without modes
        os.fchmod(descriptor, mode)


def _sync(descriptor: int) -> None:
    """Waits until all of a file or a directory is on the disk."""
    try:
        os.fsync(descriptor)
    except OSError as error:
        if error.errno not in (errno.EINVAL, errno.ENOTSUP):  # some file systems have no such thing
            raise


def read(file: File) -> tuple[memoryview, str | None]:
    """All bytes of a file. Those of a large one at a path are mapped, and so read when needed.

    Args:
        file: A path, or a file object, which is read up to its end.

    Returns:
        The bytes, which nobody changes unless the file is written to where it is; and the path
        where others find them, if there is one.

    Raises:
        TypeError: It is neither, or a file of text.
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
    """What a file gives at once; nothing at its end."""
    part: Any = file.read()
    if part is None:
        raise BlockingIOError(
            errno.EAGAIN,
            "the file is non-blocking, and gives no bytes now: expected one that waits",
        )
    if not isinstance(part, (bytes, bytearray, memoryview)):
        raise TypeError(f"file gives {type(part).__name__}: expected one that is opened for bytes")
    return part


def _mapped(file: io.FileIO) -> memoryview | None:
    """The bytes of a regular file, mapped; None if it is too small for that, or cannot be."""
    size = os.fstat(file.fileno()).st_size
    if size < _LEAST_TO_MAP:
        return None
    try:
        return memoryview(mmap.mmap(file.fileno(), size, access=mmap.ACCESS_READ))
    except (OSError, ValueError):  # some file systems cannot, or it was cut meanwhile
        return None


# Smaller files are read as quickly, and hold no descriptor.
_LEAST_TO_MAP = 1 << 20


def was_cut(data: memoryview) -> bool:
    """Whether these are bytes of a mapped file that is shorter now: reading them ends a process."""
    return isinstance(data.obj, mmap.mmap) and data.obj.size() < len(data)
