"""The operations of exact networks: importing this names all of them for files."""

from torchac.exact._operations import (  # noqa: F401
    correlation,
    elementwise,
    language,
    pooling,
    products,
    rounding,
    shapes,
    tables,
)
