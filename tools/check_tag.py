"""Ends with an error unless a tag names the version of the package.

Usage: python tools/check_tag.py vX.Y.Z
"""

import re
import sys
from pathlib import Path

SOURCE = Path(__file__).parents[1] / "src" / "torchac" / "__init__.py"


def main() -> None:
    """Compares the tag with the version, without importing the package."""
    if len(sys.argv) != 2:
        sys.exit("usage: python tools/check_tag.py vX.Y.Z")
    tag = sys.argv[1]
    version = re.search(r'^__version__ = "(.+)"$', SOURCE.read_text(encoding="utf-8"), re.MULTILINE)
    if version is None:
        sys.exit(f"no __version__ in {SOURCE}")
    if tag != f"v{version[1]}":
        sys.exit(f"the tag is {tag!r}, but __version__ is {version[1]!r}: expected 'v{version[1]}'")
    print(f"the tag {tag} names the version of the package")


if __name__ == "__main__":
    main()
