"""How Sphinx builds the documentation."""

from importlib import metadata

from docutils import nodes  # type: ignore[import-untyped]
from sphinx.application import Sphinx
from sphinx.util.docutils import SphinxDirective

from admit.errors import AdmitError
from admit.flask.settings import ALL_SETTINGS
from admit.server import ServerSettings
from admit.settings import Settings

project = "Admit"
author = "The Admit authors"
copyright = "2026, The Admit authors"  # noqa: A001 -- Sphinx's name
release = metadata.version("admit")

extensions = ["myst_parser", "sphinx.ext.autodoc", "sphinx.ext.napoleon"]
myst_heading_anchors = 3
exclude_patterns = ["_build"]
html_theme = "furo"
html_title = "Admit"

autodoc_typehints = "description"
autodoc_member_order = "bysource"
napoleon_google_docstring = True
# Only our own names can be resolved: nothing is fetched while building.
nitpick_ignore_regex = [(r"py:.*", r"(?!admit\.).*"), (r"py:.*", r"admit\..*(UserT|Loaded|View|_T).*")]


class SettingsTable(SphinxDirective):
    """``admit-settings``: every setting, as it is declared."""

    kinds: tuple[type[Settings], ...] = ALL_SETTINGS

    def run(self) -> list[nodes.Node]:
        """Return a definition for each setting."""
        listed = nodes.definition_list()
        for settings in self.kinds:
            for row in settings.describe():
                term = nodes.term("", "", nodes.literal("", row.key))
                words = nodes.paragraph("", f"{row.doc} Takes {row.kind}; default: {row.default}.")
                listed += nodes.definition_list_item("", term, nodes.definition("", words))
        return [listed]


class ServerSettingsTable(SettingsTable):
    """``admit-server-settings``: what only the ready-made application has."""

    kinds = (ServerSettings,)


class ErrorsTable(SphinxDirective):
    """``admit-errors``: every error that a client may see, with its code and status."""

    def run(self) -> list[nodes.Node]:
        """Return a definition for each error."""
        listed = nodes.definition_list()
        for error in sorted(AdmitError.__subclasses__(), key=lambda error: (error.status, error.code)):
            term = nodes.term("", "", nodes.literal("", error.code), nodes.Text(f" {error.status}"))
            words = nodes.paragraph("", f"{(error.__doc__ or '').splitlines()[0]} Says: “{error.message}”")
            listed += nodes.definition_list_item("", term, nodes.definition("", words))
        return [listed]


class PagePictures(SphinxDirective):
    """``admit-pages``: pages by the names of their pictures, each wide and narrow, in the colours that a reader has."""

    has_content = True

    def run(self) -> list[nodes.Node]:
        """Return a paragraph for each page."""
        return [self._page(name, scheme) for name in self.content for scheme in ("light", "dark")]

    def _page(self, name: str, scheme: str) -> nodes.container:
        # The theme shows one of the two, as blocks: so they are not the pictures themselves, which stand in a row.
        shown = nodes.paragraph()
        for kind, width in (("desk", "68%"), ("phone", "28%")):
            picture, words = f"images/pages/{name}-{kind}-{scheme}.png", f"{name.replace('-', ' ')}, {kind}"
            shown += [nodes.image(uri=picture, alt=words, width=width), nodes.Text(" ")]
        return nodes.container("", shown, classes=[f"only-{scheme}"])


def setup(app: Sphinx) -> None:
    """Add the tables that are made from declarations, so that they can't drift from them."""
    app.add_directive("admit-settings", SettingsTable)
    app.add_directive("admit-server-settings", ServerSettingsTable)
    app.add_directive("admit-errors", ErrorsTable)
    app.add_directive("admit-pages", PagePictures)
