"""The C interface by `ctypes`, with arrays and models of Python: what `test_c.py` compares with."""

from __future__ import annotations

import ctypes
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch

import torchac
from torchac import Bernoulli, Categorical, Mixture, Tables, _tensors
from torchac.models._cdf import CdfModel

INVALID, CORRUPT = 1, 2
ARRAYS = ("loc", "scale", "weights", "numbers", "first", "lengths", "shift")
DTYPES = "int8 int16 int32 int64 uint8 uint16 uint32 uint64 float16 bfloat16 float32 float64"
KINDS = {torchac.Normal: 1, torchac.Laplace: 2, torchac.Logistic: 3}


class Error(ctypes.Structure):
    """torchac_error."""

    _fields_ = (
        ("size", ctypes.c_uint32),
        ("code", ctypes.c_int32),
        ("message", ctypes.c_char * 1016),
    )


class CArray(ctypes.Structure):
    """torchac_array."""

    _fields_ = (
        ("data", ctypes.c_void_p),
        ("shape", ctypes.POINTER(ctypes.c_int64)),
        ("strides", ctypes.POINTER(ctypes.c_int64)),
        ("ndim", ctypes.c_int32),
        ("dtype", ctypes.c_int32),
    )

    @classmethod
    def of(cls, array: Any) -> CArray:
        """A view of an array or a tensor, which it keeps."""
        view = _tensors.view(array) if isinstance(array, torch.Tensor) else array
        name = "bfloat16" if view.dtype.kind == "V" else view.dtype.name
        sizes = ctypes.c_int64 * view.ndim
        made = cls(
            view.ctypes.data,
            sizes(*view.shape),
            sizes(*view.strides),
            view.ndim,
            DTYPES.split().index(name) + 1,
        )
        made.kept = view
        return made


class CBytes(ctypes.Structure):
    """torchac_bytes."""

    _fields_ = (("data", ctypes.c_void_p), ("size", ctypes.c_size_t))


class Spec(ctypes.Structure):
    """torchac_spec."""

    _fields_ = (
        ("size", ctypes.c_uint32),
        ("kind", ctypes.c_int32),
        ("flags", ctypes.c_uint32),
        ("low", ctypes.c_int32),
        ("high", ctypes.c_int32),
        ("num_families", ctypes.c_int32),
        ("families", ctypes.POINTER(ctypes.c_int32)),
        *((name, CArray) for name in ARRAYS),
    )


class Options(ctypes.Structure):
    """torchac_reader_options."""

    _fields_ = (
        ("size", ctypes.c_uint32),
        ("flags", ctypes.c_uint32),
        ("model_id", ctypes.c_char_p),
        ("model_id_size", ctypes.c_size_t),
        ("max_values", ctypes.c_int64),
        ("num_threads", ctypes.c_int32),
    )


class WriterOptions(ctypes.Structure):
    """torchac_writer_options."""

    _fields_ = (
        ("size", ctypes.c_uint32),
        ("num_threads", ctypes.c_int32),
        ("model_id", ctypes.c_char_p),
        ("model_id_size", ctypes.c_size_t),
        ("write", ctypes.c_void_p),
        ("context", ctypes.c_void_p),
    )


class Segment(ctypes.Structure):
    """torchac_segment."""

    _fields_ = (
        ("size", ctypes.c_uint32),
        ("ndim", ctypes.c_int32),
        ("number", ctypes.c_uint64),
        ("bytes", ctypes.c_uint64),
        ("name_size", ctypes.c_uint64),
        ("name", ctypes.c_char * 256),
        ("shape", ctypes.c_int64 * 32),
    )


class FileInfo(ctypes.Structure):
    """torchac_file_info."""

    _fields_ = (
        ("size", ctypes.c_uint32),
        ("segments", ctypes.c_uint64),
        ("damage", ctypes.c_char_p),
    )


def spec_of(model: Any) -> Spec:
    """The description of a model, which it keeps."""
    spec = Spec(ctypes.sizeof(Spec))
    spec.kept = [model]

    def bounded() -> None:
        spec.flags |= 3
        spec.low, spec.high = model.bounds

    if isinstance(model, CdfModel):
        spec.kind, spec.numbers = 8, CArray.of(model.cdf)
        spec.flags = 4 * (not model.normalize) + 8 * model.check + 16 * model.clamp
    elif isinstance(model, Tables):
        arrays = {"numbers": model.cdf, "first": model.low, "lengths": model.lengths}
        for name, array in {**arrays, "shift": model.shift}.items():
            setattr(spec, name, CArray.of(array))
        spec.kind = 9
        bounded()
    elif isinstance(model, (Categorical, Bernoulli)):
        spec.kind = 4 + 2 * isinstance(model, Bernoulli) + (model.probs is None)
        numbers: Any = model.logits if model.probs is None else model.probs
        spec.numbers = CArray.of(numbers)
    elif isinstance(model, Mixture):
        spec.kind = 1
        spec.families = (ctypes.c_int32 * len(model.components))(
            *(KINDS[type(part)] for part in model.components)
        )
        spec.num_families = len(model.components)
        for name in ("loc", "scale"):
            parts = [np.asarray(_tensors.view(getattr(p, name).double())) for p in model.components]
            spec.kept.append(np.stack(parts, -1))
            setattr(spec, name, CArray.of(spec.kept[-1]))
        spec.weights = CArray.of(model.weights)
        bounded()
    else:
        spec.kind = KINDS[type(model)]
        spec.loc, spec.scale = CArray.of(model.loc), CArray.of(model.scale)
        bounded()
    return spec


class CError(ValueError):
    """What a call refused, with its code."""

    def __init__(self, code: int, message: str) -> None:
        super().__init__(message)
        self.code = code


class Library:
    """The functions of the library at a path. A call that fails raises `CError`."""

    def __init__(self, path: str | Path) -> None:
        self.dll = ctypes.CDLL(os.fspath(path))

    def call(self, name: str, *arguments: Any) -> None:
        """Calls a function with an error as its last argument."""
        error = Error(ctypes.sizeof(Error))
        code = getattr(self.dll, f"torchac_{name}")(*arguments, ctypes.byref(error))
        assert code == error.code
        if code:
            raise CError(code, error.message.decode())

    def model(self, model: Any) -> Handle:
        """A model of Python."""
        spec, made = spec_of(model), Handle(self, "model")
        made.kept = spec
        self.call("model_create", ctypes.byref(spec), ctypes.byref(made))
        return made

    def taken(self, *bytes_: CBytes) -> list[bytes]:
        """The contents, which are freed."""
        result = [ctypes.string_at(each.data, each.size) for each in bytes_]
        for each in bytes_:
            self.dll.torchac_free(ctypes.c_void_p(each.data))
        return result

    def encode(self, model: Any, values: Any, index: Any = None) -> bytes:
        """`torchac.encode`."""
        stream = CBytes()
        self.call("encode", self.model(model), array(index), array(values), ctypes.byref(stream))
        return self.taken(stream)[0]

    def decode(self, model: Any, stream: bytes, shape: Sequence[int], index: Any = None) -> Any:
        """`torchac.decode`, with the shape of the values."""
        values = np.full(tuple(shape), -1, np.int32)
        size = ctypes.c_size_t(len(stream))
        self.call("decode", self.model(model), array(index), stream, size, array(values))
        return values

    def measure(self, model: Any, values: Any, index: Any = None) -> Any:
        """`torchac.measure` with a model."""
        bits = np.empty(tuple(values.shape))
        into = ctypes.c_void_p(bits.ctypes.data)
        self.call("measure", self.model(model), array(index), array(values), into)
        return bits

    def encoder(self, streams: int) -> Handle:
        """An encoder of streams."""
        made = Handle(self, "encoder")
        self.call("encoder_create", ctypes.c_size_t(streams), ctypes.byref(made))
        return made

    def decoder(self, streams: Sequence[bytes]) -> Handle:
        """A decoder of streams."""
        made = Handle(self, "decoder")
        buffers = [ctypes.create_string_buffer(stream, len(stream) + 1) for stream in streams]
        made.kept = buffers
        described = (CBytes * len(streams))(
            *(CBytes(ctypes.addressof(b), len(s)) for b, s in zip(buffers, streams, strict=True))
        )
        self.call("decoder_create", described, ctypes.c_size_t(len(streams)), ctypes.byref(made))
        return made

    def finished(self, encoder: Handle, streams: int, how: str = "finish") -> list[bytes]:
        """The bytes of an encoder's streams."""
        bytes_ = (CBytes * streams)()
        self.call(f"encoder_{how}", encoder, bytes_)
        return self.taken(*bytes_)

    def reader(self, file: bytes, model_id: bytes = b"", flags: int = 0) -> Handle:
        """An open file."""
        made, buffer = Handle(self, "reader"), ctypes.create_string_buffer(file, len(file) + 1)
        options = Options(ctypes.sizeof(Options), flags, model_id, len(model_id), 0, 2)
        size = ctypes.c_size_t(len(file))
        made.kept = buffer
        self.call("reader_open", buffer, size, ctypes.byref(options), ctypes.byref(made))
        return made

    def writer(self, model_id: bytes = b"") -> Handle:
        """A file to write to memory."""
        made = Handle(self, "writer")
        options = WriterOptions(ctypes.sizeof(WriterOptions), 2, model_id, len(model_id))
        self.call("writer_create", ctypes.byref(options), ctypes.byref(made))
        return made

    def segment(self, reader: Handle, number: int, name: bytes | None = None) -> Segment:
        """The description of a segment."""
        segment = Segment(ctypes.sizeof(Segment))
        self.call("reader_segment", reader, name, ctypes.c_uint64(number), ctypes.byref(segment))
        return segment


class Handle(ctypes.c_void_p):
    """A handle, destroyed when Python drops it."""

    kept: Any = None

    def __init__(self, library: Library, kind: str) -> None:
        super().__init__()
        self._library, self._kind = library, kind

    def __del__(self) -> None:
        getattr(self._library.dll, f"torchac_{self._kind}_destroy")(self)


def array(of: Any) -> Any:
    """A pointer to the description of an array, or NULL."""
    return None if of is None else ctypes.byref(CArray.of(of))
