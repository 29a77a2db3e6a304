"""The artifacts of a flow run: links that can be followed, and the conditions of the promotion."""

import json
from pathlib import Path

import pytest

from flows.result_artifacts import link_lines, promotion_text

pytestmark = pytest.mark.slow


def write(path: Path, content: object) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(content if isinstance(content, str) else json.dumps(content))


def registration(links: dict[str, str]) -> dict[str, object]:
    conditions = [{"name": "parity", "found": "2e-07", "required": "≤ 0.0001", "met": True}]
    decision = {"champion": False, "reason": "the champion stays", "conditions": conditions}
    return {"name": "person-reid", "version": "3", "links": links, "decision": decision}


def test_files_and_pages_are_links_and_a_command_is_code(tmp_path):
    for name in ("a b.png", "c.png"):
        write(tmp_path / "tracking" / "timelines" / name, "a picture")
    write(tmp_path / "registration" / "version.json", registration({"run": "http://host/#/x", "ui": "mlflow ui"}))
    lines = link_lines(tmp_path)
    assert any(f"[timelines](file://{tmp_path}/tracking/timelines/a%20b.png) and 1 more beside it" in x for x in lines)
    assert "- [MLflow run](http://host/#/x)" in lines and "- MLflow ui: `mlflow ui`" in lines


def test_the_decision_is_shown_with_each_condition(tmp_path):
    write(tmp_path / "registration" / "version.json", registration({}))
    text = promotion_text(tmp_path)
    assert text.startswith("**person-reid version 3: not champion**\n\nthe champion stays\n")
    assert "| parity | 2e-07 | ≤ 0.0001 | yes |" in text


def test_a_result_without_a_version_has_no_decision(tmp_path):
    write(tmp_path / "registration" / "version.json", {"skipped": "nothing is tracked"})
    assert promotion_text(tmp_path) is None and promotion_text(tmp_path / "none") is None
