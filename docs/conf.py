"""How Sphinx builds the documentation."""

import sys
from importlib import metadata
from pathlib import Path

# Where our directives are.
sys.path.insert(0, str(Path(__file__).parent))

project = "Admit"
author = "The Admit authors"
copyright = "2026, The Admit authors"  # noqa: A001 -- Sphinx's name
release = metadata.version("admit")

extensions = ["admit_directives", "myst_parser", "sphinx.ext.autodoc", "sphinx.ext.napoleon"]
myst_heading_anchors = 3
exclude_patterns = ["_build"]
html_theme = "furo"
html_title = "Admit"

autodoc_typehints = "description"
autodoc_member_order = "bysource"
napoleon_google_docstring = True
# Only our own names can be resolved: nothing is fetched while building.
nitpick_ignore_regex = [(r"py:.*", r"(?!admit\.).*"), (r"py:.*", r"admit\..*(UserT|Loaded|View|_T).*")]
