"""How the documentation is built: `hatch run docs:build`."""

import os
import sys
import sysconfig
import tomllib
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]

sys.path.insert(0, str(Path(__file__).parent / "_ext"))

project = "aiointercept"
author = "aiointercept contributors"
project_copyright = author
_manifest = tomllib.loads((ROOT / "packages/aiointercept/pyproject.toml").read_text("utf-8"))
version = release = _manifest["project"]["version"]

extensions = [
    "myst_parser",
    "sphinx.ext.autodoc",
    "sphinx.ext.graphviz",
    "sphinx_copybutton",
    "source_signatures",
    "stacked_tables",
]
exclude_patterns = ["_build"]

myst_enable_extensions = ["colon_fence", "deflist"]
myst_heading_anchors = 3

# Graphviz as a Python package: no diagram needs anything that pip does not install, when it is built or looked at.
graphviz_dot = str(Path(sysconfig.get_path("scripts"), "graphviz-pure"))
graphviz_output_format = "svg"

html_theme = "furo"
html_title = f"aiointercept {release}"
html_static_path = ["_static"]
html_css_files = ["custom.css"]
html_show_sphinx = False
html_theme_options = {
    "source_repository": "https://github.com/aiointercept/aiointercept/",
    "source_branch": "main",
    "source_directory": "docs/",
}
copybutton_exclude = ".linenos, .gp, .go"

# In docstrings, one backtick is enough for code.
default_role = "code"

autodoc_member_order = "bysource"
autodoc_typehints_format = "short"
autodoc_preserve_defaults = True
python_maximum_signature_line_length = 80
python_use_unqualified_type_names = True

# Type variables.
nitpick_ignore_regex = [(r"py:class", r"(.*\.)?([A-Z]|RequestT)")]

# A build needs no network: only the published site links to the documentation of others.
if "READTHEDOCS" in os.environ:
    extensions.append("sphinx.ext.intersphinx")
    intersphinx_mapping = {
        "python": ("https://docs.python.org/3", None),
        "aiohttp": ("https://docs.aiohttp.org/en/stable", None),
        "multidict": ("https://multidict.aio-libs.org/en/stable", None),
        "yarl": ("https://yarl.aio-libs.org/en/stable", None),
    }
