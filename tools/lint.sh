#!/usr/bin/env bash
# Runs all linters and checks of settings. Needs torchac, its examples' requirements and
# `pip install --group test --group lint`.
set -euo pipefail
cd "$(dirname "$0")/.."

ruff check .
ruff format --check .
mypy
python -m mypy.stubtest torchac._core --allowlist tests/stubtest-allowlist.txt
git ls-files -z '*.hpp' '*.cpp' | xargs -0 clang-format --dry-run -Werror
python tools/check_includes.py
python tools/check_imports.py
validate-pyproject pyproject.toml
check-jsonschema --builtin-schema vendor.github-workflows .github/workflows/*.yml
check-jsonschema --builtin-schema vendor.dependabot .github/dependabot.yml
zizmor --offline .github

echo "The wheels that cibuildwheel would build are those in tools/wheels.txt:"
for platform in linux macos windows; do
  cibuildwheel --platform "$platform" --archs all --print-build-identifiers
done | diff tools/wheels.txt -
wc --lines tools/wheels.txt
