#!/usr/bin/env bash
# Makes a virtual environment in .venv, installs torchac and all that its tests need, and runs them.
# Arguments go to pytest. PYTHON chooses the interpreter.
set -euo pipefail
cd "$(dirname "$0")"

"${PYTHON:-python3}" -m venv --clear .venv
pip() { .venv/bin/python -m pip --disable-pip-version-check --quiet "$@"; }

echo "Installing torchac and its tests' requirements into .venv …"
pip install --upgrade pip
pip install torch==2.13.0
pip install ".[examples]" --group test
# Without its requirements, most of which the tests do not need (tests/compressai_alone.py).
pip install --no-deps --only-binary :all: compressai==1.2.8 ||
  echo "There is no compressai for this Python and system, so its tests are left out."

.venv/bin/python -m pytest "$@"
