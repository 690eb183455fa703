"""The documentation as a site: ``sphinx-build -W docs docs/_site`` (extra ``docs``); the pages are plain Markdown."""

import tomllib
from pathlib import Path

ROOT = Path(__file__).parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]

project = PROJECT["name"]
release = version = PROJECT["version"]
author = "the maintainers"
extensions = ["myst_parser"]
source_suffix = {".md": "markdown"}
root_doc = "index"
exclude_patterns = ["_site"]
myst_enable_extensions = ["colon_fence"]
myst_heading_anchors = 3
# Links out of docs/ lead to files of the checkout, which a site does not hold.
suppress_warnings = ["myst.xref_missing", "misc.highlighting_failure"]
html_theme = "alabaster"
html_theme_options = {"description": PROJECT["description"], "page_width": "1100px", "fixed_sidebar": True}
html_show_sourcelink = False
html_copy_source = False
