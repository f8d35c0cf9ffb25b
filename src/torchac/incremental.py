"""Coding piece by piece, as autoregressive models need it."""

from __future__ import annotations

import copy
from typing import Any, overload

from torch.distributions import Distribution

from torchac import _checks, _coding, _core
from torchac._tensors import Array, ArrayT, Stream
from torchac.models import Model
from torchac.models._from_argument import to_model


class Encoder:
    """Encodes symbols piece by piece into one stream.

    The stream is the one that a single call with all symbols gives, so the pieces do not matter,
    and they may differ in decoding. Models of all kinds may be mixed. `copy.copy` forks the
    encoder, for example to try alternatives; `pickle` takes it to another process with the same
    release.

    A call that raises encodes nothing. Threads may share an encoder; their calls are serialized.

    Example:
        >>> import torch, torchac
        >>> cdf = torch.tensor([0.0, 0.5, 0.75, 1.0])
        >>> encoder = torchac.Encoder()
        >>> for symbol in (0, 2, 1):
        ...     encoder.encode(cdf, torch.tensor(symbol))
        >>> encoder.num_bits
        6
        >>> stream = encoder.finish()
        >>> decoder = torchac.Decoder(stream)
        >>> [decoder.decode(cdf).item() for _ in range(3)]
        [0, 2, 1]
    """

    def __init__(self) -> None:
        self._core = _core.Encoder(with_checksums=True)

    def encode(
        self,
        cdf: Any,
        sym: Any,
        *,
        needs_normalization: bool = True,
        index: Array | None = None,
        check: bool = False,
        clamp: bool = False,
    ) -> None:
        """Encodes symbols or values after those encoded before.

        Args:
            cdf: CDF of floats or of 16-bit integers, as for `encode_float_cdf` and
                `encode_int16_normalized_cdf`; or a model, as for `torchac.encode`.
            sym: Symbols, as for `encode_float_cdf`, or floats that are whole numbers; values, with
                a model.
            needs_normalization: As for `encode_float_cdf`; ignored for integers and models.
            index: As for `encode_float_cdf`, or for `torchac.encode` with a model.
            check: Whether to check the whole CDF, as `check_input_bounds=True` does for
                `encode_float_cdf`. Models are always checked.
            clamp: Whether to replace a symbol out of range by the nearest one in range. Not allowed
                with a model, whose values have no alphabet.

        Raises:
            TypeError: As `encode_float_cdf` and `torchac.encode`.
            ValueError: As `encode_float_cdf` and `torchac.encode`.
            RuntimeError: The encoder has finished; a signal handler used it during one of its own
                calls; or the process forked while another thread was using it.
        """
        if check is False and clamp is False:
            if index is None and self._core.quick(cdf, sym, needs_normalization):
                return
        else:
            check, clamp = _checks.check_flag("check", check), _checks.check_flag("clamp", clamp)
        model = to_model(cdf, needs_normalization, check, clamp, strict=True)
        _coding.encode(self._core, model.fit(sym, index))

    def mark(self) -> None:
        """Encodes 16 bits that check all symbols and values since the last mark.

        `Decoder.mark` reads them at the same place, and raises if it has decoded anything else, for
        example because its model differs by one float or a byte is damaged. Without a mark it would
        decode noise.

        Raises:
            RuntimeError: As `encode`.

        Example:
            >>> import torch, torchac
            >>> encoder = torchac.Encoder()
            >>> encoder.encode(torchac.Normal(torch.zeros(100), 3.0), torch.arange(100) % 7)
            >>> encoder.mark()
            >>> decoder = torchac.Decoder(encoder.finish())
            >>> _ = decoder.decode(torchac.Normal(torch.zeros(100), 3.1))
            >>> decoder.mark()
            Traceback (most recent call last):
                ...
            torchac.errors.CorruptStreamError: the values between the start and mark 1 differ ...
        """
        self._core.mark()

    def drain(self) -> bytes:
        """Takes out the bytes that no later symbol can change, to send or write them.

        Returns:
            The bytes after those drained before, mostly all except the last two. `finish` gives the
            rest.

        Raises:
            RuntimeError: As `encode`.

        Example:
            >>> import torch, torchac
            >>> model = torchac.Normal(torch.zeros(100), 3.0)
            >>> encoder = torchac.Encoder()
            >>> encoder.encode(model, torch.arange(100) % 7)
            >>> first = encoder.drain()
            >>> stream = first + encoder.finish()
            >>> torchac.decode(model, stream).equal(torch.arange(100).int() % 7)
            True
        """
        return self._core.drain()

    def finish(self) -> bytes:
        """Ends the stream, and the use of the encoder.

        Returns:
            The stream, without the drained bytes.

        Raises:
            RuntimeError: As `encode`.
        """
        [stream] = self._core.finish()
        return stream

    @property
    def num_bits(self) -> int:
        """Length in bits of the stream, if it were finished now, or as it was finished.

        It includes two bits that end the stream. The stream itself is padded to whole bytes.
        """
        [bits] = self._core.num_bits()
        return bits

    def __copy__(self) -> Encoder:
        other = Encoder.__new__(type(self))
        other.__dict__.update(self.__dict__, _core=copy.copy(self._core))
        return other


class Decoder:
    """Decodes a stream piece by piece.

    `copy.copy` forks the decoder; `pickle` takes it to another process with the same release. A
    call that raises leaves it where it was. Threads may share a decoder; their calls are
    serialized.

    Args:
        byte_stream: The stream, as for `decode_float_cdf`.

    Raises:
        TypeError: `byte_stream` is not bytes-like.

    Example:
        See `Encoder`.
    """

    def __init__(self, byte_stream: Stream) -> None:
        self._core = _core.Decoder([_checks.check_stream(byte_stream)], with_checksums=True)

    @overload
    def decode(
        self, cdf: ArrayT, *, needs_normalization: bool = True, index: Array | None = None
    ) -> ArrayT: ...

    @overload
    def decode(
        self,
        cdf: Model | Distribution,
        *,
        needs_normalization: bool = True,
        index: Array | None = None,
    ) -> Any: ...

    def decode(
        self, cdf: Any, *, needs_normalization: bool = True, index: Array | None = None
    ) -> Any:
        """Decodes the next symbols or values, as many as there are rows.

        Args:
            cdf: The CDF or the model that they were encoded with.
            needs_normalization: As it was for encoding.
            index: As for `decode_float_cdf`.

        Returns:
            int16 symbols of shape `cdf.shape[:-1]` or `index.shape`, on the CDF's device; int32
            values of the model's shape.

        Raises:
            TypeError: As `decode_float_cdf`.
            CorruptStreamError: As `decode_float_cdf`.
            ValueError: As `decode_float_cdf`.
            RuntimeError: As `Encoder.encode`; but a decoder may be used after `finish`.
        """
        if index is None:
            values = self._core.quick(cdf, needs_normalization)
            if values is not None:
                return values
        item = _coding.to_decode(to_model(cdf, needs_normalization), index)
        return item.model.like_parameters(_coding.decode(self._core, item))

    def mark(self) -> None:
        """Reads a mark at a place where `Encoder.mark` wrote one.

        Raises:
            CorruptStreamError: The values decoded since the last mark are not those encoded, or the
                stream ends.
            RuntimeError: As `decode`.
        """
        report = self._core.mark()
        if report is not None:
            raise _coding.explain_mark(report)

    def feed(self, data: Stream) -> None:
        """Adds bytes to the end of the stream.

        A call that needs more bytes raises `CorruptStreamError` and leaves the decoder where it
        was, so it can be repeated after more bytes are fed.

        Args:
            data: The bytes, as for `Decoder`.

        Raises:
            TypeError: `data` is not bytes-like.
            RuntimeError: As `decode`.

        Example:
            >>> import torch, torchac
            >>> model = torchac.Normal(torch.zeros(100), 3.0)
            >>> stream = torchac.encode(model, torch.arange(100) % 7)
            >>> decoder = torchac.Decoder(stream[:20])
            >>> decoder.decode(model)
            Traceback (most recent call last):
                ...
            torchac.errors.CorruptStreamError: the stream ends before its values do: ...
            >>> decoder.feed(stream[20:])
            >>> decoder.decode(model).equal(torch.arange(100).int() % 7)
            True
        """
        self._core.feed(_checks.check_stream(data))

    def finish(self) -> None:
        """Checks that the whole stream has been decoded.

        Raises:
            CorruptStreamError: The stream has more bytes than the decoded values take.
        """
        _coding.check_end(self._core)

    @property
    def num_bits_consumed(self) -> int:
        """Length in bits of the shortest stream of the values decoded so far.

        It equals `Encoder.num_bits` after the same symbols.
        """
        [bits] = self._core.num_bits()
        return bits

    def __copy__(self) -> Decoder:
        other = Decoder.__new__(type(self))
        other.__dict__.update(self.__dict__, _core=copy.copy(self._core))
        return other
