"""Write the result of a flow run as artifacts of Prefect: figures, the decision about promotion, and links."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from prefect.artifacts import create_markdown_artifact, create_table_artifact

from reidops.files import read_json
from reidops.summary import headline_figures, list_outputs

VERSION = Path("registration/version.json")
_HEAD = "| condition | found | required | met |\n|---|---|---|---|"


def write_result_artifacts(data: Path) -> None:
    """Write the figures, the promotion and the links of the result in `data`, each if there is one."""
    figures = headline_figures(data)
    if figures:
        rows = [{"figure": name, "value": f"{value:.4f}"} for name, value in figures.items()]
        create_table_artifact(table=rows, key="figures", description="ReID and tracking figures of this result")
    promotion = promotion_text(data)
    if promotion:
        create_markdown_artifact(promotion, key="promotion", description="Whether the model became champion, and why")
    links = link_lines(data)
    if links:
        create_markdown_artifact("\n".join(links), key="where-to-look", description="What to open after this run")


def write_failure_artifact(failures: list[str]) -> None:
    """Write the causes of a failure; the figures in the folder are those of an earlier result."""
    create_markdown_artifact("\n".join(f"- {text}" for text in failures), key="failure", description="Why this failed")


@dataclass(frozen=True)
class Promotion:
    """The decision about the version of the last result."""

    name: str
    version: str
    champion: bool
    reason: str


def read_promotion(data: Path) -> Promotion | None:
    """Return the decision about the last result, or None if no version was registered."""
    entry = _read_entry(data)
    if entry is None:
        return None
    decision = entry["decision"]
    return Promotion(entry["name"], str(entry["version"]), bool(decision["champion"]), decision["reason"])


def promotion_text(data: Path) -> str | None:
    """Return the decision and its conditions as Markdown, or None if no version was registered."""
    entry, promotion = _read_entry(data), read_promotion(data)
    if entry is None or promotion is None:
        return None
    rank = "champion" if promotion.champion else "not champion"
    rows = [_row(condition) for condition in entry["decision"].get("conditions", ())]
    table = "\n".join([_HEAD, *rows]) if rows else ""
    return f"**{promotion.name} version {promotion.version}: {rank}**\n\n{promotion.reason}\n\n{table}".strip()


def _read_entry(data: Path) -> Mapping[str, Any] | None:
    entry = read_json(data / VERSION) if (data / VERSION).is_file() else {}
    return entry if "decision" in entry else None


def _row(condition: Mapping[str, Any]) -> str:
    met = "yes" if condition["met"] else "**no**"
    return f"| {condition['name']} | {condition['found']} | {condition['required']} | {met} |"


def link_lines(data: Path) -> list[str]:
    """Return a line of Markdown with a link to each output; a command is shown as code."""
    lines = []
    for label, output in list_outputs(data).items():
        if output.path is not None:
            target, note = output.path.resolve().as_uri(), f" and {output.num_more} more beside it"
            lines.append(f"- [{label}]({target}){note if output.num_more else ''}: `{output.path}`")
        elif re.match(r"https?://\S+$", output.text):
            lines.append(f"- [{label}]({output.text})")
        else:
            lines.append(f"- {label}: `{output.text}`")
    return lines
