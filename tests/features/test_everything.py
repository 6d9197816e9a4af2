"""All features are found by their folders, and none is named anywhere else."""

from __future__ import annotations

from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from admit import features
from admit.events import kinds
from admit.feature import Feature

if TYPE_CHECKING:
    from collections.abc import Mapping

FOLDERS = sorted(path.parent.name for path in Path(features.__file__).parent.glob("*/__init__.py"))


def found() -> list[str]:
    """Return the folders of what is found."""
    return sorted(type(feature).__module__.rpartition(".")[2] for feature in features.everything())


def offered(folder: str) -> list[type[Feature]]:
    """Return the features that a folder has."""
    values = vars(import_module(f"{features.__name__}.{folder}")).values()
    return [value for value in values if isinstance(value, type) and issubclass(value, Feature) and value.name]


def test_every_folder_is_found() -> None:
    """Each folder gives features with their default settings, in the order of their names."""
    kinds = [kind for folder in FOLDERS for kind in offered(folder)]
    assert sorted(kind.__module__.rpartition(".")[2] for kind in kinds) == FOLDERS
    assert features.everything() == features.working(sorted((kind() for kind in kinds), key=lambda one: one.name))
    names = [feature.name for feature in features.everything()]
    assert names == sorted(set(names))
    assert features.everything() == features.everything()


def test_every_event_has_words_for_people() -> None:
    """Whatever is recorded of an account is a sentence in front of its owner, which catalogs can translate."""
    features.everything()
    ours = {name: kind for name, kind in kinds().items() if kind.__module__.startswith("admit.")}
    mute = {name for name, kind in ours.items() if kind.said is None and not kind.__subclasses__()}
    # The one is mere routine and not recorded; of the other nobody is left who could read it.
    assert mute == {"secret_rotated", "account_erased"}


@pytest.mark.parametrize("gone", FOLDERS)
def test_a_folder_that_is_gone_is_missed_by_nobody(gone: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without one of the folders the others are found, but for those that need what it had."""
    for name in set(FOLDERS) - {gone}:
        (tmp_path / name).mkdir()
        (tmp_path / name / "__init__.py").touch()
    monkeypatch.setattr(features, "__path__", [str(tmp_path)])
    assert gone not in found()
    left = {feature.name: feature for feature in features.everything()}
    assert left
    assert [one.missing(left) for one in left.values()] == [None] * len(left)


class Ground(Feature):
    """Needs nothing."""

    name = "ground"


class Wall(Feature):
    """Needs the ground."""

    name = "wall"

    def missing(self, features: Mapping[str, Feature]) -> str | None:
        """Ask for the ground."""
        return None if "ground" in features else "There is no ground. Add it."


class Roof(Feature):
    """Needs the wall."""

    name = "roof"

    def missing(self, features: Mapping[str, Feature]) -> str | None:
        """Ask for the wall."""
        return None if "wall" in features else "There is no wall. Add it."


def test_what_lacks_something_is_left_out() -> None:
    """Whatever rests on what is not there is left out, and so is what rests on that."""
    assert features.working([Ground(), Wall(), Roof()]) == [Ground(), Wall(), Roof()]
    assert features.working([Wall(), Roof()]) == []
    assert features.working([Roof(), Ground()]) == [Ground()]
