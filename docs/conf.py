"""Settings of the documentation: sphinx-build -W --keep-going -b html docs build/docs."""

import re

from sphinx.application import Sphinx

import torchac

project = "torchac"
author = "The torchac developers"
copyright = author  # noqa: A001, Sphinx requires that name
release = version = torchac.__version__

extensions = [
    "myst_parser",
    "sphinx.ext.autodoc",
    "sphinx.ext.intersphinx",
    "sphinx.ext.napoleon",
]
myst_heading_anchors = 3  # the same ones as on GitHub

# Text in single backticks in docstrings is code, and a link if it names an object.
default_role = "py:obj"
autodoc_member_order = "bysource"
autodoc_type_aliases = {name: name for name in ("Array", "ArrayT", "NDArray", "Stream", "Symbols")}
python_use_unqualified_type_names = True
napoleon_use_rtype = False

# The few names that docstrings link to are kept here, so that building needs no network. Each is in
# the project's own objects.inv, with the same address.
intersphinx_mapping = {
    "numpy": ("https://numpy.org/doc/stable/", "inventories/numpy.txt"),
    "python": ("https://docs.python.org/3.14/", "inventories/python.txt"),
    "torch": ("https://docs.pytorch.org/docs/stable/", "inventories/torch.txt"),
}

html_theme = "furo"
html_static_path = ["static"]
html_css_files = ["narrow.css"]
html_title = f"torchac {release}"
html_theme_options = {
    "light_css_variables": {"color-brand-primary": "#0b66c3", "color-brand-content": "#0b66c3"},
    "dark_css_variables": {"color-brand-primary": "#6cb6ff", "color-brand-content": "#6cb6ff"},
}


def name_aliases(
    app: Sphinx,
    what: str,
    name: str,
    obj: object,
    options: object,
    signature: str | None,
    returns: str | None,
) -> tuple[str | None, str | None]:
    """Writes `Array` where Sphinx 9, in unions, writes `TypeAliasForwardRef('Array')`."""
    if signature is not None:
        signature = re.sub(r"TypeAliasForwardRef\('(\w+)'\)", r"\1", signature)
    return signature, returns


def setup(app: Sphinx) -> None:
    """Connects the function that Sphinx calls."""
    app.connect("autodoc-process-signature", name_aliases)
