"""Directives for parts of the documentation that are made of declarations, so that they can't drift from them."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from docutils import nodes  # type: ignore[import-untyped]
from sphinx.util.docutils import SphinxDirective

from admit.errors import AdmitError
from admit.events import Event
from admit.flask.settings import ALL_SETTINGS
from admit.server import ServerSettings
from admit_asvs import entries, faults, markdown_of_asvs, requirements
from admit_declarations import catalogue, errors_below, events_below, events_of
from admit_markdown import (
    WHAT_TO_DO,
    markdown_of_actions,
    markdown_of_errors,
    markdown_of_events,
    markdown_of_features,
    markdown_of_mails,
    markdown_of_pages,
)

if TYPE_CHECKING:
    from collections.abc import Iterable

    from sphinx.application import Sphinx

    from admit.settings import Settings

__all__ = ["setup"]


def listed(kinds: Iterable[type[Settings]]) -> nodes.definition_list:
    """Return a definition for each setting."""
    found = nodes.definition_list()
    for settings in kinds:
        for row in settings.describe():
            term = nodes.term("", "", nodes.literal("", row.key))
            words = nodes.paragraph("", f"{row.doc} Takes {row.kind}; default: {row.default}.")
            found += nodes.definition_list_item("", term, nodes.definition("", words))
    return found


class SettingsTable(SphinxDirective):
    """``admit-settings``: every setting, as it is declared, or those of the sections that are named."""

    kinds: ClassVar[tuple[type[Settings], ...]] = ALL_SETTINGS
    optional_arguments = 1

    def run(self) -> list[nodes.Node]:
        """Return a definition for each setting."""
        return [listed(one for one in self.kinds if not self.arguments or one.section == self.arguments[0])]


class ServerSettingsTable(SettingsTable):
    """``admit-server-settings``: what only the ready-made application has."""

    kinds = (ServerSettings,)


class ErrorsTable(SphinxDirective):
    """``admit-errors``: every error that a client may see."""

    def run(self) -> list[nodes.Node]:
        """Return a paragraph for each error."""
        catalogue()  # features have errors of their own
        return self.parse_text_to_nodes(markdown_of_errors(errors_below(AdmitError), WHAT_TO_DO))


class EventsTable(SphinxDirective):
    """``admit-events``: every event, or those that are named, which are links to the page of all."""

    optional_arguments = 20

    def run(self) -> list[nodes.Node]:
        """Return a paragraph for each event."""
        catalogue()  # features have events of their own
        known = events_below(Event)
        if self.arguments:
            named = [one for one in known if one.__name__ in self.arguments]
            return self.parse_text_to_nodes(markdown_of_events(named))
        return self.parse_text_to_nodes(markdown_of_events(known, label=lambda one: f"event-{one.__name__}"))


class FeaturesTable(SphinxDirective):
    """``admit-features``: a table of all features, each a link to its page."""

    def run(self) -> list[nodes.Node]:
        """Return the table."""
        return self.parse_text_to_nodes(markdown_of_features())


class AsvsTable(SphinxDirective):
    """``admit-asvs``: each requirement of ASVS that is ours, and what shows that it is met."""

    def run(self) -> list[nodes.Node]:
        """Return the counts and a section for each chapter."""
        asked, said = requirements(), entries()
        wrong = faults(asked, said)
        if wrong:
            raise self.error(" ".join(wrong))
        return self.parse_text_to_nodes(markdown_of_asvs(asked, said), allow_section_headings=True)


class FeatureParts(SphinxDirective):
    """``admit-feature``: the settings, actions, events and mails of one feature, and what of it can be overridden."""

    required_arguments = 1

    def run(self) -> list[nodes.Node]:
        """Return a section for each of them."""
        name = self.arguments[0]
        feature = catalogue().get(name)
        if feature is None:
            message = f"There is no feature {name!r}. The features are {', '.join(catalogue())}."
            raise self.error(message)
        settings = listed([type(feature)])
        return [
            *self._section("Settings", [settings] if settings.children else "It has none."),
            *self._section("Actions", markdown_of_actions(feature)),
            *self._section("Events", markdown_of_events(events_of(feature))),
            *self._section("Mails", markdown_of_mails(feature)),
            *self._section("Templates of its pages", markdown_of_pages(feature)),
        ]

    def _section(self, title: str, content: str | list[nodes.Node]) -> list[nodes.Node]:
        section = nodes.section("", nodes.title("", title), ids=[nodes.make_id(title)], names=[title.lower()])
        section += self.parse_text_to_nodes(content) if isinstance(content, str) else content
        return [section]


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
            picture, words = f"/images/pages/{name}-{kind}-{scheme}.png", f"{name.replace('-', ' ')}, {kind}"
            shown += [nodes.image(uri=picture, alt=words, width=width), nodes.Text(" ")]
        return nodes.container("", shown, classes=[f"only-{scheme}"])


def setup(app: Sphinx) -> dict[str, bool]:
    """Add the directives."""
    app.add_directive("admit-settings", SettingsTable)
    app.add_directive("admit-server-settings", ServerSettingsTable)
    app.add_directive("admit-errors", ErrorsTable)
    app.add_directive("admit-events", EventsTable)
    app.add_directive("admit-feature", FeatureParts)
    app.add_directive("admit-features", FeaturesTable)
    app.add_directive("admit-asvs", AsvsTable)
    app.add_directive("admit-pages", PagePictures)
    # Nothing is noted between the reading of two pages.
    return {"parallel_read_safe": True, "parallel_write_safe": True}
