"""Hypothesis without deadlines: tests must not depend on time."""

import sys
from pathlib import Path

from hypothesis import settings

sys.path.insert(0, str(Path(__file__).parent))  # for the modules that tests share

settings.register_profile("default", deadline=None, max_examples=60)
settings.load_profile("default")
