"""The error for modules that cannot be made exact."""


class Refused(ValueError):  # noqa: N818, it says what convert does
    """A module that `torchac.exact.convert` cannot make exact.

    The message names the layer, the reason, and what can be done.
    """
