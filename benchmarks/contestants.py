"""The works that are timed, and how each package does them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from timeit import Timer
from typing import Any

import torch
from torch import Tensor

TORCHAC = "torchac"
BEFORE = "torchac before"  # another build of it
CHECKED = "torchac, checking bounds"
TWO_THREADS = "torchac, 2 threads"
OLD = "torchac 0.9.3"
OLD_CHECKED = "torchac 0.9.3, checking bounds"
CONSTRICTION = "constriction"
CONSTRICTION_ANS = "constriction, ANS"
TORCH_ANS = "torch-ans"
TORCH_ANS_BEST = "torch-ans, 4 interleaves, inverse table"
SUM = "cdf.sum(), which reads it once"

IMAGE = 512 * 512 * 3  # symbols of an RGB image
CHUNK = 1 << 15  # rows that are computed at a time: their temporaries stay small


@dataclass(frozen=True)
class Work:
    """Symbols to code, and the CDFs to code them with."""

    name: str
    alphabet: int
    tables: int | None = None  # shared by all symbols; None: every symbol has its own row
    streams: int = 1  # in one batch
    int16: bool = False  # a CDF of 16-bit integers instead of float32
    values: int = IMAGE  # symbols


ROWS = Work("A, float32 rows", 256)
INT16_ROWS = Work("A, int16 rows", 256, int16=True)
ROWS_16 = Work("L = 16, float32 rows", 16)
ROWS_2 = Work("L = 2, float32 rows", 2)
ROWS_48 = Work("L = 48, float32 rows", 48)
LONG = 60_000_000  # values in the rows of a work, so that long rows fit into memory
LONG_FLOATS = [Work(f"L = {n}, float32 rows", n, values=LONG // n) for n in (300, 512, 1000)]
LONG_INT16 = [
    Work(f"L = {n}, int16 rows", n, int16=True, values=LONG // n) for n in (300, 512, 1000, 8197)
]
TABLES = Work("64 tables, one stream", 256, tables=64)
TABLES_BATCH = Work("64 tables, 24 streams", 256, tables=64, streams=24)
TABLE_BATCH = Work("one table, 24 streams", 256, tables=1, streams=24)
WORKS = (
    ROWS,
    INT16_ROWS,
    ROWS_48,
    ROWS_16,
    ROWS_2,
    *LONG_FLOATS,
    *LONG_INT16,
    TABLES,
    TABLES_BATCH,
    TABLE_BATCH,
)


class Inputs:
    """The symbols and CDFs of a work, the same in every process, because the seed is the same."""

    def __init__(self, work: Work, count: int) -> None:
        generator = torch.Generator().manual_seed(1)
        self.work = work
        self.count = count
        self.cdf = _logistic(work, work.tables or self.count, generator)
        self.index = torch.randint(work.tables or 1, (self.count,), generator=generator).int()
        self.symbols = torch.empty(self.count, dtype=torch.int16)
        self.entropy = 0.0  # of the symbols, in bytes
        self._draw(torch.rand(self.count, 1, generator=generator))
        if work.int16:
            self.cdf = torch.cat([parts(c, 65536).short() for c in torch.split(self.cdf, CHUNK)])

    def _draw(self, uniform: Tensor) -> None:
        for start in range(0, self.count, CHUNK):
            part = slice(start, start + CHUNK)
            rows = self.cdf[self.index[part]] if self.work.tables else self.cdf[part]
            symbol = (rows[:, :-1] <= uniform[part]).sum(1, keepdim=True) - 1
            bounds = rows.gather(1, torch.cat([symbol, symbol + 1], 1)).double()
            self.symbols[part] = symbol.flatten()
            self.entropy -= bounds.diff().log2().sum().item() / 8

    def batch(self, values: Tensor) -> Tensor:
        """Gives every stream a row of the values."""
        return values.view(self.work.streams, -1)


def _logistic(work: Work, count: int, generator: torch.Generator) -> Tensor:
    """Returns logistic CDFs, narrow and wide ones, with means anywhere in the alphabet.

    In tables, they keep away from the ends of the alphabet and are at least 0.5 wide, so that no
    symbol has a probability above one half: torch-ans 0.4.0 would make decreasing tables then.
    """
    margin, narrowest = (work.alphabet / 4, 0.5) if work.tables else (0, 0.25)
    mean = margin + (work.alphabet - 1 - 2 * margin) * torch.rand(count, 1, generator=generator)
    scale = narrowest * (work.alphabet / 3) ** torch.rand(count, 1, generator=generator)
    edge = torch.arange(work.alphabet + 1) - 0.5
    cdf = torch.empty(count, work.alphabet + 1)
    for start in range(0, count, CHUNK):
        part = slice(start, start + CHUNK)
        torch.sigmoid((edge - mean[part]) / scale[part], out=cdf[part])
    cdf[:, 0], cdf[:, -1] = 0, 1
    return cdf


def parts(cdf: Tensor, whole: int) -> Tensor:
    """Returns the CDF in integers up to `whole`, where every symbol has at least 1."""
    column = torch.arange(cdf.shape[1], dtype=torch.int32)
    return (cdf * (whole - column[-1])).round().int() + column


@dataclass
class Entry:
    """One way of one package to do a work."""

    label: str
    operations: Mapping[str, Callable[[], Any] | Timer]
    stream: bytes | None = None
    share: float = 1  # of the symbols that it codes: below 1 if all would take too long


def coding(
    label: str, symbols: Tensor, encode: Callable[[], Any], decode: Callable[[Any], Any]
) -> Entry:
    """Tests that a package decodes what it encodes."""
    encoded = encode()
    decoded = torch.as_tensor(decode(encoded)).flatten()
    if not torch.equal(decoded.int(), symbols.int()):
        raise AssertionError(f"{label} does not decode the symbols that it encoded")
    return Entry(label, {"encode": encode, "decode": lambda: decode(encoded)}, as_bytes(encoded))


def as_bytes(encoded: Any) -> bytes:
    """Returns the bytes that would be stored."""
    if isinstance(encoded, list):
        return b"".join(encoded)
    return encoded if isinstance(encoded, bytes) else bytes(encoded.tobytes())


def row_functions(inputs: Inputs) -> tuple[Callable[..., Any], Callable[..., Any]]:
    """Returns how torchac, old or new, depending on the process, encodes and decodes rows."""
    import torchac

    if inputs.work.int16:
        return torchac.encode_int16_normalized_cdf, torchac.decode_int16_normalized_cdf
    return torchac.encode_float_cdf, torchac.decode_float_cdf


def torchac_rows(label: str, label_checked: str, inputs: Inputs) -> Iterator[Entry]:
    """The functions that the old package and the new one have in common."""
    encode, decode = row_functions(inputs)
    cdf, symbols = inputs.cdf, inputs.symbols
    yield coding(label, symbols, lambda: encode(cdf, symbols), lambda stream: decode(cdf, stream))
    if inputs.work == ROWS:
        checked = {"encode": lambda: encode(cdf, symbols, check_input_bounds=True)}
        yield Entry(label_checked, checked)


def torchac_tables(inputs: Inputs) -> Entry:
    """Tables and an index, one stream."""
    import torchac

    return coding(
        TORCHAC,
        inputs.symbols,
        lambda: torchac.encode_float_cdf(inputs.cdf, inputs.symbols, index=inputs.index),
        lambda stream: torchac.decode_float_cdf(inputs.cdf, stream, index=inputs.index),
    )


def torchac_batch(label: str, threads: int, inputs: Inputs) -> Entry:
    """Tables and an index, or one table for all, many streams."""
    import torchac

    symbols, index, cdf = inputs.batch(inputs.symbols), inputs.batch(inputs.index), inputs.cdf
    options: dict[str, Any] = {"num_threads": threads, "index": index}
    return coding(
        label,
        inputs.symbols,
        lambda: torchac.encode_batch(cdf, symbols, **options),
        lambda streams: torchac.decode_batch(cdf, streams, **options),
    )


def torchac_entries(inputs: Inputs) -> Iterator[Entry]:
    """The package of this repository, and a function that only reads the CDF."""
    if inputs.work.streams > 1:
        yield torchac_batch(TORCHAC, 1, inputs)
        yield torchac_batch(TWO_THREADS, 2, inputs)
    elif inputs.work.tables:
        yield torchac_tables(inputs)
    else:
        yield from torchac_rows(TORCHAC, CHECKED, inputs)
        if inputs.work in (ROWS, INT16_ROWS, *LONG_FLOATS):
            yield reading(inputs.cdf)


def reading(cdf: Tensor) -> Entry:
    """Reads as many bytes as the CDF has, with torch's fastest sum."""
    if cdf.dtype is not torch.float32:
        cdf = torch.ones(cdf.nbytes // 4)
    return Entry(SUM, {"read": cdf.sum})


def old_entries(inputs: Inputs) -> Iterator[Entry]:
    """Rows only, as torchac 0.9.3 supports nothing else."""
    if not inputs.work.tables:
        yield from torchac_rows(OLD, OLD_CHECKED, inputs)


def constriction_entries(inputs: Inputs) -> Iterator[Entry]:
    """Float rows, or a single table."""
    from constriction import stream

    work = inputs.work
    if work.int16 or (work.tables or 1) > 1:
        return
    probabilities = inputs.cdf.diff().numpy()
    symbols = inputs.symbols.int().numpy()
    parameters: tuple[Any, ...] = () if work.tables else (probabilities,)
    how_many = (inputs.count,) if work.tables else parameters
    model = stream.model.Categorical(*probabilities[:1] if work.tables else (), perfect=False)

    def encode_queue() -> Any:
        encoder = stream.queue.RangeEncoder()
        encoder.encode(symbols, model, *parameters)
        return encoder.get_compressed()

    def encode_stack() -> Any:
        coder = stream.stack.AnsCoder()
        coder.encode_reverse(symbols, model, *parameters)
        return coder.get_compressed()

    yield coding(
        CONSTRICTION,
        inputs.symbols,
        encode_queue,
        lambda words: stream.queue.RangeDecoder(words).decode(model, *how_many),
    )
    yield coding(
        CONSTRICTION_ANS,
        inputs.symbols,
        encode_stack,
        lambda words: stream.stack.AnsCoder(words).decode(model, *how_many),
    )


def torch_ans_entries(inputs: Inputs) -> Iterator[Entry]:
    """Tables and an index; a row for each symbol would take seconds."""
    if inputs.work.tables:
        yield torch_ans(TORCH_ANS, inputs)
        yield torch_ans(TORCH_ANS_BEST, inputs, num_interleaves=4, inverse_cdf_precision="auto")


def torch_ans(label: str, inputs: Inputs, **options: Any) -> Entry:
    """rans64, set up with the tables before timing."""
    from torch_ans.utils import TorchANSInterface

    tables, alphabet = len(inputs.cdf), inputs.work.alphabet
    frequencies = parts(inputs.cdf, 65535).diff()  # its escape symbol has 1 of 65536
    coder = TorchANSInterface(
        impl="rans64",
        freq_precision=16,
        num_parallel_states=inputs.work.streams,
        device="cpu",
        **options,
    )
    coder.init_params(
        frequencies,
        torch.full((tables,), alphabet, dtype=torch.int32),
        torch.zeros(tables, dtype=torch.int32),
    )
    symbols, index = inputs.batch(inputs.symbols.int()), inputs.batch(inputs.index)
    return coding(
        label,
        inputs.symbols,
        lambda: coder.encode_with_indexes(symbols, index),
        lambda stream: coder.decode_with_indexes(stream, index),
    )


ENTRIES: dict[str, Callable[[Inputs], Iterator[Entry]]] = {
    TORCHAC: torchac_entries,
    OLD: old_entries,
    CONSTRICTION: constriction_entries,
    TORCH_ANS: torch_ans_entries,
}
