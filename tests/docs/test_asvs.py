"""Each requirement of ASVS that is ours has a test or a reason, and the list of them says nothing that is not there."""

from __future__ import annotations

from dataclasses import replace

import pytest

from admit_asvs import Entry, entries, faults, markdown_of_asvs, requirements

TEST = "tests/attacks/test_sessions.py::test_005_logout_kills_the_copy"
REASON = "There is nothing of the kind in this library yet."
WELL = {one.id: Entry(reason=REASON) for one in requirements() if one.is_ours}


def test_each_requirement_has_a_test_or_a_reason() -> None:
    """Nothing is missing, and every test and setting that is named is there."""
    assert faults(requirements(), entries()) == []


def test_the_list_is_the_standards() -> None:
    """There are as many requirements as were found to concern us, each once, most of which are ours."""
    asked = requirements()
    assert len({one.id for one in asked}) == len(asked) == 303
    assert len([one for one in asked if one.is_ours]) == 254
    assert {one.applies for one in asked} == {"library", "service", "app", "n/a"}


@pytest.mark.parametrize(
    ("entry", "fault"),
    [
        (Entry(), "V7.4.1 has neither a test nor a reason."),
        (Entry(settings=("ADMIT_PREFIX",)), "V7.4.1 has neither a test nor a reason."),
        (Entry(reason="later"), "V7.4.1 has a reason that is no sentence: 'later'."),
        (Entry(tests=(TEST,), reason="Not all of it."), "V7.4.1 has a reason that is no sentence: 'Not all of it.'."),
        (Entry(tests=(f"{TEST}s",)), f"V7.4.1 names {TEST}s, which is no test."),
        (Entry(tests=(TEST.partition("::")[0],)), f"V7.4.1 names {TEST.partition('::')[0]}, which is no test."),
        (Entry(tests=("tests/gone.py::test_it",)), "V7.4.1 names tests/gone.py::test_it, which is no test."),
        (
            Entry(tests=("tests/attacks/test_sessions.py::cookies_of",)),
            "V7.4.1 names tests/attacks/test_sessions.py::cookies_of, which is no test.",
        ),
        (Entry(tests=(TEST,), settings=("ADMIT_GONE",)), "V7.4.1 names ADMIT_GONE, which is no setting."),
    ],
)
def test_what_is_wrong_with_an_entry_is_said(entry: Entry, fault: str) -> None:
    """An entry that shows nothing, or names what is not there, is found."""
    assert faults(requirements(), {**WELL, "V7.4.1": entry}) == [fault]


def test_what_is_missing_or_made_up_is_said() -> None:
    """A requirement that is ours and has no entry is found, and so is an entry for none."""
    said = {**WELL, "V99.1.1": Entry(tests=(TEST,))}
    del said["V7.4.1"]
    assert faults(requirements(), said) == ["V7.4.1 has no entry.", "V99.1.1 is no requirement."]
    asked = [replace(one, applies="app") if one.id == "V7.4.1" else one for one in requirements()]
    assert faults(asked, said) == ["V99.1.1 is no requirement."]


def test_a_test_in_a_class_is_one() -> None:
    """A test may be a method, as those of the contracts of stores are."""
    entry = Entry(tests=("src/admit/testing/store_races.py::StoreRaces::test_one_caller_ends_a_session",))
    assert faults(requirements(), {**WELL, "V7.4.1": entry}) == []


def test_the_page_says_how_far_each_is_shown() -> None:
    """Each row has the requirement and what shows it, and the counts are those of the rows."""
    asked = [one for one in requirements() if one.id in {"V7.4.1", "V7.4.2", "V7.4.3", "V8.4.1"}]
    said = {
        "V7.4.1": Entry(tests=(TEST,), settings=("ADMIT_PREFIX",)),
        "V7.4.2": Entry(tests=(TEST,), reason="A <thing> | is open, and somebody has to see to it."),
        "V7.4.3": Entry(reason=REASON),
    }
    page = markdown_of_asvs(asked, said)
    assert "| V7 Session management | 1 | 1 | 1 | 3 |" in page
    assert "| all | 1 | 1 | 1 | 3 |" in page
    assert "`attacks/test_sessions.py::test_005_logout_kills_the_copy`<br>Settings: `ADMIT_PREFIX` |" in page
    assert r"A &lt;thing> \| is open" in page
    assert "V8" not in page
