#!/usr/bin/env bash
# Builds sdist and wheel of the last commit twice, in two folders, and leaves them in dist/. Checks
# that the bytes are the same both times, and that metadata and contents are right.
# Needs `pip install --group lint`.
set -euo pipefail
cd "$(dirname "$0")/.."

SOURCE_DATE_EPOCH=$(git log -1 --format=%ct)
export SOURCE_DATE_EPOCH
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT

for copy in first second; do
  mkdir "$folder/$copy"
  git archive HEAD | tar --extract --directory "$folder/$copy"
  python -m build "$folder/$copy" | tail -n 1
done
diff --recursive "$folder"/{first,second}/dist

twine check --strict "$folder"/first/dist/*
check-wheel-contents "$folder"/first/dist/*.whl
rm -rf dist
mv "$folder/first/dist" dist
(cd dist && sha256sum -- *)
