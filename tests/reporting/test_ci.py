"""Reports for CI systems: counted right, and escaped."""

from __future__ import annotations

from dataclasses import replace
from xml.etree import ElementTree

from lst_robust.analysis.gate import Finding, Gate
from lst_robust.reporting.ci import github_annotations, junit_xml

NUMBERS = (50.0, 60.0, 10.0, 8.0, 12.0, True)
GATE = Gate(
    "mce15",
    0.5,
    (
        Finding("good", "digits-c", "passed", "as it was", 50.0, 50.0, 0.0, 0.0, 0.0, True, {}),
        Finding(
            "a<b&", "digits-c", "regression", 'mce15 60 %, "worse": fog +20.0', *NUMBERS, {"fog": 20.0, "snow": 5.5}
        ),
        Finding("x:y,z", "other", "incomparable", "another protocol"),
        Finding("gone", "other", "missing", "no records"),
    ),
    ("new is not in the baseline: not checked",),
)


def test_junit_has_a_case_an_entry():
    root = ElementTree.fromstring(junit_xml(GATE))
    assert root.tag == "testsuites"
    (suite,) = root
    for element in (root, suite):
        assert [element.get(key) for key in ("tests", "failures", "errors")] == ["4", "1", "2"]
    cases = suite.findall("testcase")
    assert [case.get("classname") for case in cases] == ["lst-robust.digits-c"] * 2 + ["lst-robust.other"] * 2
    assert [case[0].tag for case in cases] == ["system-out", "failure", "error", "error"]
    failure = cases[1][0]
    assert cases[1].get("name") == "a<b&: mce15 within 0.5 of the baseline"
    assert failure.get("message") == 'mce15 60 %, "worse": fog +20.0' and failure.text == "fog +20.00\nsnow +5.50"


def test_annotations_are_escaped_as_the_runner_unescapes_them():
    assert github_annotations(GATE) == [
        "::notice title=lst-robust passed%3A good on digits-c::as it was",
        '::error title=lst-robust regression%3A a<b& on digits-c::mce15 60 %25, "worse": fog +20.0',
        "::error title=lst-robust incomparable%3A x%3Ay%2Cz on other::another protocol",
        "::error title=lst-robust missing%3A gone on other::no records",
        "::warning title=lst-robust check::new is not in the baseline: not checked",
    ]


def test_a_name_with_control_characters_leaves_the_xml_valid_and_begins_no_command():
    name = "a\x1b[31m\n::error::b\ufffe"
    gate = replace(GATE, findings=(Finding(name, name, "missing", f"no records of {name}"),))
    root = ElementTree.fromstring(junit_xml(gate))
    (case,) = root.iter("testcase")
    assert str(case.get("name")).startswith(r"a\x1b[31m\n::error::b\ufffe: mce15")
    (first, _) = github_annotations(gate)
    assert "\n" not in first and "\x1b" not in first and first.startswith("::error title=lst-robust missing%3A a")
