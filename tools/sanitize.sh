#!/usr/bin/env bash
# Runs Python tests with the module compiled for AddressSanitizer and UBSan (`asan`) or for
# ThreadSanitizer (`tsan`), or so that it throws if it counts references without the GIL (`gil`).
# Further arguments go to pytest.
# Needs Linux, GCC, and `pip install torch --group test`.
set -euo pipefail
cd "$(dirname "$0")/.."

# A sanitizer takes more memory than these tests leave.
limited_memory=(--deselect tests/test_failures.py::test_memory_that_ends_while_encoding
  --deselect tests/test_failures.py::test_memory_that_ends_while_finishing)

case "${1:-}" in
  asan)
    runtimes=(libasan.so libubsan.so)
    export ASAN_OPTIONS=detect_leaks=0  # Python and torch keep memory until they end
    export UBSAN_OPTIONS=print_stacktrace=1
    export PYTHONMALLOC=malloc  # allocates each object separately, so that accesses beyond it are found
    # All tests except those that measure memory, need gigabytes, or do not test the module.
    tests=(tests)
    for name in documentation examples large memory package; do
      tests+=("--ignore=tests/test_$name.py")
    done
    tests+=("${limited_memory[@]}")
    ;;
  tsan)
    runtimes=(libtsan.so)
    # Python, NumPy and torch are not compiled for it: it sees their locks, but not their accesses.
    export TSAN_OPTIONS="halt_on_error=1 ignore_noninstrumented_modules=1"
    tests=(tests/test_{threads,batch,incremental,hostile,failures}.py "${limited_memory[@]}")
    # ThreadSanitizer allows no threads after a fork.
    tests+=(--deselect tests/test_batch.py::test_threads_end_with_the_call)
    tests+=(--deselect tests/test_failures.py::test_a_fork_meanwhile)
    ;;
  gil)
    runtimes=()
    tests=(--other-device tests/test_{threads,lockstep,batch,incremental,streaming,files,devices}.py)
    ;;
  *)
    echo "usage: bash tools/sanitize.sh asan|tsan|gil [PYTEST ARGUMENT ...]" >&2
    exit 2
    ;;
esac
build="$PWD/build/python-$1"

# The preset of that name has the flags.
export CXX=g++
python -m pip install --quiet --upgrade --no-deps --target "$build/site" . \
  -C build-dir="$build" -C cmake.build-type=Debug -C cmake.args="--preset=$1" \
  -C cmake.define.TORCHAC_BUILD_MODULE=ON -C cmake.define.TORCHAC_BUILD_TESTS=OFF

if [ "${#runtimes[@]}" -gt 0 ]; then
  preload=$(for name in "${runtimes[@]}" libstdc++.so; do g++ -print-file-name="$name"; done)
  export LD_PRELOAD=${preload//$'\n'/ }
fi
export PYTHONPATH="$build/site"
found=$(python -c "import torchac; print(torchac.__path__[0])")
if [ "$found" != "$build/site/torchac" ]; then
  echo "Python takes torchac from $found, before PYTHONPATH: uninstall it there" >&2
  exit 1
fi
# What a sanitizer prints when it ends the process must not be captured.
python -m pytest --capture=sys "${tests[@]}" "${@:2}"
