"""The checks name files that are there: a test that moved would be missed only when they run."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import yaml

ROOT = Path(__file__).parents[1]


def test_the_checks_call_the_test_command_of_the_readme() -> None:
    (told,) = re.findall(r"^(.*pytest.*?) +#", (ROOT / "README.md").read_text(), re.MULTILINE)
    assert told in (ROOT / ".ci" / "run").read_text().splitlines()


def test_what_runs_with_the_lowest_versions_is_there() -> None:
    (line,) = [
        line
        for line in (ROOT / ".ci" / "run").read_text().splitlines()
        if line.startswith(".ci/lowest")
    ]
    places = []
    for word in line.split()[1:]:
        head, _, names = word.partition("{")
        inside, _, tail = names.partition("}")
        places += [head + name + tail for name in inside.split(",")]
    assert len(places) > 2
    assert [place for place in places if not (ROOT / place).exists()] == []
    assert all(re.match(r"tests/", place) for place in places)


def test_the_workflow_does_the_same_on_every_python_that_is_named() -> None:
    workflow = yaml.safe_load((ROOT / ".github" / "workflows" / "checks.yml").read_text())
    job = workflow["jobs"]["checks"]
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    named = [each.split(" :: ")[-1] for each in project["classifiers"] if "Python :: 3." in each]
    assert job["strategy"]["matrix"]["python"] == named
    assert [step["run"] for step in job["steps"] if "run" in step] == ["bash .ci/run"]
    assert (ROOT / ".ci" / "run").is_file()


def test_versions_agree() -> None:
    version = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"]
    assert f"\nversion: {version}\n" in (ROOT / "CITATION.cff").read_text()
    assert re.search(rf"^## {re.escape(version)} ", (ROOT / "CHANGELOG.md").read_text(), re.M)


def test_forms_for_issues_ask_for_what_is_needed() -> None:
    for path in sorted((ROOT / ".github" / "ISSUE_TEMPLATE").glob("*.yml")):
        form = yaml.safe_load(path.read_text())
        assert {"name", "description", "body"} <= set(form)
        assert any(field.get("validations", {}).get("required") for field in form["body"])


def test_pages_beside_the_readme_link_to_what_is_there() -> None:
    for page in ("CONTRIBUTING.md", "RELEASING.md", "SECURITY.md"):
        links = re.findall(r"\]\((?!https?:)([^)#]+)", (ROOT / page).read_text("utf-8"))
        assert [link for link in links if not (ROOT / link).exists()] == []
