#!/usr/bin/env bash
# Builds the C library, shared and static, installs both, and builds the programs of examples/c with
# them: by find_package, by pkg-config and by FetchContent. Then runs tests/test_c.py with these.
# Needs the Python package, `pip install --group test --group build` and a compiler of C.
set -euo pipefail
cd "$(dirname "$0")/.."

strict="-Wall -Wextra -Wpedantic -Werror"
for kind in shared static; do
  shared=$([ $kind = shared ] && echo ON || echo OFF)
  cmake -S . -B build/c_$kind -DTORCHAC_BUILD_MODULE=OFF -DBUILD_SHARED_LIBS=$shared \
    -DCMAKE_BUILD_TYPE=Release
  cmake --build build/c_$kind --target torchac --parallel
  cmake --install build/c_$kind --prefix build/c_$kind/prefix
  cmake -S examples/c -B build/c_$kind/examples -DCMAKE_C_FLAGS="$strict" \
    -DCMAKE_PREFIX_PATH="$PWD/build/c_$kind/prefix"
  cmake --build build/c_$kind/examples
done
python tools/c_interface.py --library build/c_shared/prefix/lib/libtorchac.so

if command -v pkg-config >/dev/null; then
  export PKG_CONFIG_PATH="$PWD/build/c_static/prefix/lib/pkgconfig"
  # shellcheck disable=SC2046
  cc -std=c99 $strict examples/c/encode.c -o build/c_static/encode $(pkg-config --cflags --libs --static torchac)
  build/c_static/encode build/c_static/stream
fi

cmake -S examples/c -B build/c_fetched -DTORCHAC_SOURCES="$PWD" -DCMAKE_BUILD_TYPE=Release
cmake --build build/c_fetched --parallel

echo '#include <torchac.h>' | c++ -std=c++11 $strict -Icpp/include -fsyntax-only -x c++ -
TORCHAC_C="$PWD/build/c_shared/prefix" TORCHAC_C_PROGRAMS="$PWD/build/c_static/examples" \
  python -m pytest -q tests/test_c.py
