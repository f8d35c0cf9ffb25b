"""A call that fails changes nothing: lack of memory, Ctrl-C, fork, threads that meet."""

import _thread
import copy
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
import torch

import torchac

ROW = torch.tensor([0, -1, 0], dtype=torch.int16)  # the first of two symbols costs next to nothing
CDF = torch.linspace(0, 1, 9)
LONG = 500_000_000  # symbols that take seconds
SHORT = LONG // 5  # symbols that take less than a second
DECODED = LONG // 10


def zeros(count: int) -> torch.Tensor:
    """This many symbols, which take no memory."""
    return torch.zeros((), dtype=torch.int8).expand(count)


def begun() -> torchac.Encoder:
    encoder = torchac.Encoder()
    encoder.encode(CDF.expand(100, 9), torch.arange(100) % 8)
    return encoder


def rows(count: int) -> torch.Tensor:
    return ROW.expand(count, 3)


ZEROS = torchac.encode_int16_normalized_cdf(rows(DECODED), zeros(DECODED))


# Interruption


def interrupted(call: Callable[[], object]) -> None:
    """Ctrl-C during the call ends it, long before it would end by itself.

    A shell makes programs in the background ignore it.
    """
    handler = signal.signal(signal.SIGINT, signal.default_int_handler)
    timer = threading.Timer(0.05, _thread.interrupt_main)
    timer.start()
    try:
        with pytest.raises(KeyboardInterrupt):
            call()
        timer.join()
    finally:
        signal.signal(signal.SIGINT, handler)


@pytest.fixture(params=[signal.default_int_handler, signal.SIG_IGN], ids=["", "ignored before"])
def ctrl_c(request: pytest.FixtureRequest) -> Iterator[None]:
    before = signal.signal(signal.SIGINT, request.param)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.mark.usefixtures("ctrl_c")
def test_encode_can_be_interrupted() -> None:
    encoder = begun()
    fork = copy.copy(encoder)
    interrupted(lambda: encoder.encode(rows(LONG), zeros(LONG)))
    assert encoder.num_bits == fork.num_bits
    assert encoder.finish() == fork.finish()


needs_timers = pytest.mark.skipif(not hasattr(signal, "setitimer"), reason="no timers on Windows")


@needs_timers
def test_short_calls_can_be_interrupted() -> None:
    """Short calls check for signals only at their end, before they have any effect."""
    cdf, sym = CDF.expand(4_000_000, 9), (torch.arange(8)).repeat(500_000)
    encoder = begun()
    decoder = torchac.Decoder(torchac.encode_float_cdf(cdf, sym))
    before = encoder.num_bits, decoder.num_bits_consumed
    handler = signal.signal(signal.SIGALRM, signal.default_int_handler)
    try:
        for call in (lambda: encoder.encode(cdf, sym), lambda: decoder.decode(cdf)):
            signal.setitimer(signal.ITIMER_REAL, 0.005)
            with pytest.raises(KeyboardInterrupt):
                call()
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, handler)
    assert (encoder.num_bits, decoder.num_bits_consumed) == before


def test_decode_can_be_interrupted() -> None:
    decoder = torchac.Decoder(ZEROS)
    interrupted(lambda: decoder.decode(rows(LONG)))
    assert decoder.num_bits_consumed == 2
    assert not decoder.decode(rows(1000)).any()


@pytest.mark.parametrize("threads", [1, 2])
def test_batches_can_be_interrupted(threads: int) -> None:
    cdf, sym = ROW.expand(2, LONG, 3), zeros(LONG).expand(2, LONG)
    interrupted(lambda: torchac.encode_batch(cdf, sym, num_threads=threads))
    tables, index = ROW[None], zeros(LONG).expand(2, LONG)
    interrupted(lambda: torchac.encode_batch(tables, sym, index=index, num_threads=threads))


def test_categories_can_be_interrupted() -> None:
    """With this many categories, a value with its own numbers takes long; here they overlap."""
    model = torchac.Categorical(logits=torch.zeros(251_935).unfold(0, 151_936, 1))
    interrupted(lambda: torchac.encode(model, zeros(100_000)))
    interrupted(lambda: torchac.Decoder(bytes(1_000_000)).decode(model))
    interrupted(lambda: torchac.estimate_bits(model, zeros(100_000)))


@pytest.fixture
def alarm() -> Iterator[Callable[[Callable[[], object]], None]]:
    """Makes a signal handler call a function soon."""

    def set_alarm(handler: Callable[[], object]) -> None:
        signal.signal(signal.SIGALRM, lambda *_: handler())
        signal.setitimer(signal.ITIMER_REAL, 0.05)

    before = signal.getsignal(signal.SIGALRM)
    yield set_alarm
    signal.setitimer(signal.ITIMER_REAL, 0)
    signal.signal(signal.SIGALRM, before)


@needs_timers
def test_a_handler_runs_meanwhile_and_may_not_use_the_encoder(
    alarm: Callable[[Callable[[], object]], None],
) -> None:
    encoder = begun()
    before = encoder.num_bits
    alarm(lambda: encoder.num_bits)
    message = "^this object is at work in the call that the signal handler interrupted"
    with pytest.raises(RuntimeError, match=message):
        encoder.encode(rows(LONG), zeros(LONG))
    assert encoder.num_bits == before


@needs_timers
def test_a_handler_that_returns_changes_nothing(
    alarm: Callable[[Callable[[], object]], None],
) -> None:
    calls: list[None] = []
    alarm(lambda: calls.append(None))
    while not calls:
        stream = torchac.encode_int16_normalized_cdf(rows(DECODED), zeros(DECODED))
    assert stream == ZEROS


@pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork on Windows")
@pytest.mark.filterwarnings("ignore:This process:DeprecationWarning")  # it has threads, as intended
def test_a_fork_meanwhile() -> None:
    """In the child, an object that another thread was using raises; others work."""
    encoder, idle = begun(), begun()
    thread = threading.Thread(target=lambda: encoder.encode(rows(SHORT), zeros(SHORT)))
    thread.start()
    time.sleep(0.05)
    child = os.fork()
    if child == 0:
        try:
            idle.encode(CDF, torch.tensor(1))
            _ = encoder.num_bits
        except RuntimeError as error:
            os._exit(0 if "when the process forked: use a new one" in str(error) else 1)
        os._exit(2)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    thread.join()
    assert encoder.num_bits > idle.num_bits


# Threads


def meet(barrier: threading.Barrier, method: Callable[..., object], *arguments: object) -> object:
    """The result of the method, or its error if the encoder has finished."""
    barrier.wait()
    try:
        return method(*arguments)
    except RuntimeError as error:
        if "has finished" not in str(error):
            raise
        return error


@pytest.mark.usefixtures("eager_switching")
def test_finish_beside_encode_and_beside_itself() -> None:
    """The stream has the symbols of every encode() that returned; only one finish() returns it."""
    cdf, sym = CDF.expand(1000, 9), torch.arange(1000) % 8
    with ThreadPoolExecutor(4) as pool:
        for _ in range(300):
            encoder = torchac.Encoder()
            barrier = threading.Barrier(4)

            calls = [pool.submit(meet, barrier, encoder.encode, cdf, sym) for _ in range(2)]
            ends = [pool.submit(meet, barrier, encoder.finish) for _ in range(2)]
            pieces = sum(piece.result() is None for piece in calls)
            (stream,) = (r for r in (end.result() for end in ends) if isinstance(r, bytes))
            expected = torchac.encode_float_cdf(cdf.repeat(pieces, 1), sym.repeat(pieces))
            assert stream == expected


@pytest.mark.parametrize("name", ["num_bits", "finish", "copy"])
def test_who_waits_for_an_encoder_lets_other_threads_go_on(name: str) -> None:
    encoder = begun()
    calls: dict[str, Callable[[], object]] = {
        "num_bits": lambda: encoder.num_bits,
        "finish": encoder.finish,
        "copy": lambda: copy.copy(encoder),
    }
    busy = threading.Thread(target=lambda: encoder.encode(rows(SHORT), zeros(SHORT)))
    busy.start()
    time.sleep(0.02)
    waiting = threading.Thread(target=calls[name])
    waiting.start()
    time.sleep(0.02)  # takes until the end of `busy` if the waiting thread has the GIL
    assert busy.is_alive()
    assert waiting.is_alive()
    busy.join()
    waiting.join()


# Memory

linux_only = pytest.mark.skipif(sys.platform != "linux", reason="needs a limit of memory")

IN_LITTLE_MEMORY = """
import resource, sys
import torch, torchac

def limit(more):
    used = int(open("/proc/self/statm").read().split()[0]) * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_AS, (used + more if more else -1, -1))

def fails(call):
    limit(4 << 20)
    try:
        call()
    except MemoryError:
        return
    finally:
        limit(0)
    sys.exit("there was enough memory")

row = torch.tensor([0, 1, 0], dtype=torch.int16)  # 16 bits for the first symbol
encoder = torchac.Encoder()
encoder.encode(row.expand(1000, 3), torch.zeros(1000, dtype=torch.int8))
"""


def run(program: str) -> None:
    done = subprocess.run(
        [sys.executable, "-c", IN_LITTLE_MEMORY + program], capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr


@linux_only
def test_memory_that_ends_while_encoding() -> None:
    run("""
before = encoder.num_bits
many = torch.zeros((), dtype=torch.int8).expand(100_000_000)
fails(lambda: encoder.encode(row.expand(100_000_000, 3), many))
assert encoder.num_bits == before
fails(lambda: torchac.encode_batch(row.expand(2, 50_000_000, 3), many.view(2, -1)))
expected = torchac.encode_int16_normalized_cdf(row.expand(1000, 3), many[:1000])
assert encoder.finish() == expected
""")


@linux_only
def test_memory_that_ends_while_finishing() -> None:
    run("""
many = torch.zeros(10_000_000, dtype=torch.int8)
encoder.encode(row.expand(10_000_000, 3), many)
before = encoder.num_bits
fails(encoder.finish)
assert encoder.num_bits == before
many = torch.zeros(10_001_000, dtype=torch.int8)
expected = torchac.encode_int16_normalized_cdf(row.expand(10_001_000, 3), many)
assert encoder.finish() == expected
""")


def test_there_is_nothing_left_of_symbols_that_could_not_be_encoded() -> None:
    """Two blocks of symbols are coded before the one that cannot be."""
    encoder = begun()
    fork = copy.copy(encoder)
    sym = np.zeros(1500, np.int16)
    sym[-1] = 9
    with pytest.raises(ValueError, match=r"^symbol 9 at index \(1499,\)"):
        encoder.encode(CDF.expand(1500, 9), torch.from_numpy(sym))
    assert encoder.finish() == fork.finish()
