"""Writes the reference vectors as one plain file, which a C++ program can read anywhere.

Usage: python export_vectors.py OUTPUT

All numbers are little-endian. The file is a count of vectors, then for each vector: name, symbols
(int16) and stream (uint8), each with its length before it; then its CDF as it was given and its CDF
as 16-bit integers, each as type of values (DType, one byte), normalization (one byte),
number of rows, values in a row, values. Lengths and numbers of things have eight bytes.
"""

import json
import struct
import sys
from pathlib import Path
from typing import BinaryIO

import numpy as np

VECTORS = Path(__file__).parents[2] / "tests" / "data" / "reference.npz"
DTYPES = {"int16": 1, "float32": 10, "float64": 11}


def write_numbers(file: BinaryIO, values: np.ndarray) -> None:
    """Writes the values of an array, in row-major order."""
    file.write(values.astype(values.dtype.newbyteorder("<")).tobytes())


def write_list(file: BinaryIO, values: np.ndarray) -> None:
    """Writes the length of an array and its values."""
    file.write(struct.pack("<q", values.size))
    write_numbers(file, values)


def write_cdf(file: BinaryIO, cdf: np.ndarray, normalize: bool) -> None:
    """Writes the rows of a CDF and how to read them."""
    rows = cdf.reshape(-1, cdf.shape[-1])
    file.write(struct.pack("<BBqq", DTYPES[rows.dtype.name], normalize, *rows.shape))
    write_numbers(file, rows)


def main() -> None:
    """Writes all vectors to the file named on the command line."""
    vectors = np.load(VECTORS)
    index = json.loads(vectors["index"].tobytes())
    with Path(sys.argv[1]).open("wb") as file:
        file.write(struct.pack("<q", len(index)))
        for vector in index:
            name = vector["name"]
            write_list(file, np.frombuffer(name.encode(), np.uint8))
            write_list(file, vectors[f"{name}/sym"])
            write_list(file, vectors[f"{name}/stream"])
            normalize = vector["kind"] == "float" and vector["needs_normalization"]
            write_cdf(file, vectors[f"{name}/cdf"], normalize)
            write_cdf(file, vectors[f"{name}/cdf_int16"], False)


if __name__ == "__main__":
    main()
