"""Runs hypothesis without deadlines, as tests must not depend on time; adds --other-device."""

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import settings

sys.path.insert(0, str(Path(__file__).parent))  # for the modules that tests share

settings.register_profile("default", deadline=None, max_examples=60)
settings.load_profile("default")


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--other-device",
        action="store_true",
        help="treat all memory as that of another device, such as a GPU",
    )


def pytest_configure(config: pytest.Config) -> None:
    if config.getoption("--other-device"):
        from torchac import _core, _tensors

        _core.use_torch(None)  # the quick way is for memory of the host
        _tensors.on_host = lambda array: False


@pytest.fixture
def eager_switching() -> Iterator[None]:
    """Makes threads take the GIL from each other as often as possible."""
    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    yield
    sys.setswitchinterval(interval)
