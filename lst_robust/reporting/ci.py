"""The outcome of the gate for CI systems: JUnit XML, and GitHub's annotations."""

from __future__ import annotations

from xml.etree import ElementTree

from lst_robust.analysis.gate import Finding, Gate
from lst_robust.reporting.escaping import plain, xml


def junit_xml(gate: Gate) -> bytes:
    """One test case an entry of the baseline: a regression is a failure, what cannot be compared an error. The schema
    is the common one of Jenkins, GitLab and GitHub's reporters (https://github.com/testmoapp/junitxml)."""
    failures = sum(finding.status == "regression" for finding in gate.findings)
    errors = sum(finding.status in ("incomparable", "missing") for finding in gate.findings)
    counts = {"tests": str(len(gate.findings)), "failures": str(failures), "errors": str(errors)}
    root = ElementTree.Element("testsuites", counts)
    suite = ElementTree.SubElement(root, "testsuite", {"name": "lst-robust check"} | counts)
    for finding in gate.findings:
        name = xml(f"{finding.model}: {gate.metric} within {gate.tolerance:g} of the baseline")
        message = xml(finding.message)
        case = ElementTree.SubElement(
            suite, "testcase", {"classname": xml(f"lst-robust.{finding.suite}"), "name": name}
        )
        if finding.status == "passed":
            ElementTree.SubElement(case, "system-out").text = message
            continue
        kind = "failure" if finding.status == "regression" else "error"
        element = ElementTree.SubElement(case, kind, {"type": finding.status, "message": message})
        element.text = _by_corruption(finding) or message
    ElementTree.indent(root)
    return ElementTree.tostring(root, encoding="utf-8", xml_declaration=True) + b"\n"


def github_annotations(gate: Gate) -> list[str]:
    """Workflow commands: an error for each finding that fails, a notice for each that passed, a warning for a note."""
    lines = []
    for finding in gate.findings:
        kind = "notice" if finding.status == "passed" else "error"
        title = f"lst-robust {finding.status}: {finding.model} on {finding.suite}"
        lines.append(f"::{kind} title={_property(title)}::{_data(finding.message)}")
    return lines + [f"::warning title=lst-robust check::{_data(note)}" for note in gate.notes]


def _by_corruption(finding: Finding) -> str:
    return "\n".join(f"{xml(name)} {delta:+.2f}" for name, delta in (finding.corruptions or {}).items())


def _data(text: str) -> str:
    """Escaped as the runner unescapes it (actions/toolkit, packages/core/src/command.ts). Line breaks are escapes
    already, so that a text cannot begin a command of its own."""
    return plain(text).replace("%", "%25")


def _property(text: str) -> str:
    return _data(text).replace(":", "%3A").replace(",", "%2C")
