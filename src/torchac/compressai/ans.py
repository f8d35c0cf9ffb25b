"""The classes of `compressai.ans`, which code lists to bytes and back, based on torchac.

A stream begins with a checksum of its bytes: `RansDecoder.decode_stream` does not know where the
values end, so it cannot check them there.
"""

from __future__ import annotations

import binascii
from typing import Any

from torchac import _checks
from torchac.compressai.listening import decoded
from torchac.compressai.tables import as_integers, as_tables
from torchac.errors import CorruptStreamError
from torchac.incremental import Decoder, Encoder
from torchac.models import Tables

__all__ = ["BufferedRansEncoder", "RansDecoder", "RansEncoder"]

CHECKSUM = 2  # bytes


class _LastTables:
    """Keeps the tables of the last call, because most calls pass the same objects again."""

    def __init__(self) -> None:
        self._given: tuple[Any, ...] = ()
        self._tables: Tables | None = None

    def __call__(self, *given: Any) -> Tables:
        if self._tables is None or any(a is not b for a, b in zip(given, self._given, strict=True)):
            self._tables, self._given = as_tables(*given), given
        return self._tables


class BufferedRansEncoder:
    """Encodes piece by piece.

    Example:
        >>> from torchac.compressai.ans import BufferedRansEncoder, RansDecoder
        >>> tables = [[0, 20000, 65000, 65536]], [4], [-1]
        >>> encoder = BufferedRansEncoder()
        >>> encoder.encode_with_indexes([-1, 0], [0, 0], *tables)
        >>> encoder.encode_with_indexes([1000], [0], *tables)
        >>> decoder = RansDecoder()
        >>> decoder.set_stream(encoder.flush())
        >>> decoder.decode_stream([0, 0, 0], *tables)
        [-1, 0, 1000]
    """

    def __init__(self) -> None:
        self._encoder, self._tables = Encoder(), _LastTables()

    def encode_with_indexes(
        self, symbols: Any, indexes: Any, cdfs: Any, cdfs_sizes: Any, offsets: Any
    ) -> None:
        """Encodes values after those encoded before.

        Args:
            symbols: Integers.
            indexes: The row of each integer.
            cdfs: The tables, as for `as_tables`. The model made of them is kept as long as calls
                pass the same objects, so do not write to these.
            cdfs_sizes: As for `as_tables`.
            offsets: As for `as_tables`.

        Raises:
            TypeError: An argument does not hold integers.
            ValueError: As `as_tables`; or shapes that do not match, or an index out of range.
        """
        values, index = as_integers("symbols", symbols), as_integers("indexes", indexes)
        if values.shape != index.shape:
            raise ValueError(
                f"symbols and indexes have shapes {tuple(values.shape)} and {tuple(index.shape)}: "
                "expected the same"
            )
        self._encoder.encode(self._tables(cdfs, cdfs_sizes, offsets), values, index=index)

    def flush(self) -> bytes:
        """Ends the stream.

        Returns:
            The stream. The next values begin a new one.
        """
        stream, self._encoder = self._encoder.finish(), Encoder()
        return _checksum(stream) + stream


class RansEncoder:
    """Encodes all values in one call."""

    def encode_with_indexes(
        self, symbols: Any, indexes: Any, cdfs: Any, cdfs_sizes: Any, offsets: Any
    ) -> bytes:
        """As `BufferedRansEncoder.encode_with_indexes`; returns the stream."""
        encoder = BufferedRansEncoder()
        encoder.encode_with_indexes(symbols, indexes, cdfs, cdfs_sizes, offsets)
        return encoder.flush()


class RansDecoder:
    """Decodes what the encoders encoded.

    Example:
        See `BufferedRansEncoder`.
    """

    def __init__(self) -> None:
        self._decoder: Decoder | None = None
        self._tables = _LastTables()

    def set_stream(self, encoded: Any) -> None:
        """Begins a stream.

        Args:
            encoded: The bytes.

        Raises:
            TypeError: They are not bytes-like.
            CorruptStreamError: They are damaged.
        """
        stream = memoryview(_checks.check_stream(encoded))
        expected, found = bytes(stream[:CHECKSUM]), _checksum(stream[CHECKSUM:])
        if expected != found:
            raise CorruptStreamError(
                f"the checksum of the stream is {found.hex()}: expected {expected.hex()}, with "
                "which it begins, so it is damaged, or was written by another coder"
            )
        self._decoder = Decoder(stream[CHECKSUM:])

    def decode_stream(self, indexes: Any, cdfs: Any, cdfs_sizes: Any, offsets: Any) -> list[int]:
        """Decodes the next values.

        Args:
            indexes: The row of each value.
            cdfs: As for `BufferedRansEncoder.encode_with_indexes`.
            cdfs_sizes: As for `as_tables`.
            offsets: As for `as_tables`.

        Returns:
            The values.

        Raises:
            RuntimeError: There is no stream.
            TypeError: As `BufferedRansEncoder.encode_with_indexes`.
            CorruptStreamError: The stream ends, or contradicts the tables.
            ValueError: As `BufferedRansEncoder.encode_with_indexes`.
        """
        if self._decoder is None:
            raise RuntimeError("there is no stream to decode: call set_stream first")
        index = as_integers("indexes", indexes)
        tables = self._tables(cdfs, cdfs_sizes, offsets)
        values: list[int] = self._decoder.decode(tables, index=index).tolist()
        decoded()
        return values

    def decode_with_indexes(
        self, encoded: Any, indexes: Any, cdfs: Any, cdfs_sizes: Any, offsets: Any
    ) -> list[int]:
        """Decodes a whole stream.

        Args:
            encoded: As for `set_stream`.
            indexes: As for `decode_stream`.
            cdfs: As for `decode_stream`.
            cdfs_sizes: As for `as_tables`.
            offsets: As for `as_tables`.

        Returns:
            The values.

        Raises:
            TypeError: As `set_stream` and `decode_stream`.
            CorruptStreamError: As `set_stream` and `decode_stream`, or the stream has bytes left
                over.
            ValueError: As `decode_stream`.
        """
        decoder = RansDecoder()
        decoder.set_stream(encoded)
        values = decoder.decode_stream(indexes, cdfs, cdfs_sizes, offsets)
        assert decoder._decoder is not None
        decoder._decoder.finish()
        return values


def _checksum(stream: bytes | memoryview) -> bytes:
    return binascii.crc_hqx(stream, 0xFFFF).to_bytes(CHECKSUM, "big")
