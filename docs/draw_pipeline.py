"""Draw the stages of dvc.yaml into docs/pipeline.svg: `python docs/draw_pipeline.py`.

A stage is to the right of all stages that it reads from. An arrow that follows from others is
left out. To change the words below a name, edit `NOTES`.
"""

from html import escape
from itertools import count
from pathlib import Path

import yaml

ROOT = Path(__file__).resolve().parents[1]
NOTES = {
    "download": "sets, parts",
    "convert": "MOT → ReID crops",
    "validate": "expectations",
    "tracklets": "unlabelled video",
    "generate": "off by default",
    "train": "timm + BNNeck",
    "adapt": "off by default",
    "export": "ONNX, parity",
    "detect": "public, file, detector",
    "embed": "every detection",
    "evaluate_reid": "mAP, gates, gaps",
    "tune": "off by default",
    "evaluate_tracking": "four arms, HOTA",
    "repeat_seeds": "off by default",
    "store": "address of MLflow",
    "register": "MLflow, champion",
}
WIDTH, HEIGHT = 150, 70  # of a box, px
COLUMN, ROW, MARGIN = 180, 95, 20


def read_graph(text: str) -> dict[str, set[str]]:
    """Return the stages of a dvc.yaml, in its order, each with the stages that it reads from."""
    stages = yaml.safe_load(text)["stages"]
    outs = {_path(out): name for name, stage in stages.items() for out in stage["outs"]}
    return {
        name: {owner for out, owner in outs.items() for dep in stage["deps"] if f"{dep}/".startswith(f"{out}/")}
        for name, stage in stages.items()
    }


def _path(out: str | dict[str, object]) -> str:
    return out if isinstance(out, str) else next(iter(out))


def place(graph: dict[str, set[str]]) -> dict[str, tuple[float, float]]:
    """Return the left upper corner of each stage's box, px: the longest chain above, the other stages below it."""
    columns = _columns(graph)
    lines = arrows(graph)
    rows = dict.fromkeys(_longest_chain(graph, columns), 0)
    taken: set[tuple[int, int]] = set()  # row, column
    for name in [name for name in graph if name not in rows]:
        before = [columns[start] for start, end in lines if end == name]
        after = [columns[end] for start, end in lines if start == name]
        span = range(min(before, default=columns[name] - 1) + 1, max(after, default=columns[name] + 1))
        rows[name] = next(row for row in count(1) if not taken & {(row, column) for column in span})
        taken |= {(rows[name], column) for column in span}
    return {name: (MARGIN + COLUMN * columns[name], MARGIN + ROW * rows[name]) for name in graph}


def _columns(graph: dict[str, set[str]]) -> dict[str, int]:
    """Return the number of stages before each one; a stage that reads from none is just before its first reader."""
    columns: dict[str, int] = {}
    while len(columns) < len(graph):
        for name, needed in graph.items():
            if needed <= columns.keys():
                columns.setdefault(name, 1 + max((columns[other] for other in needed), default=-1))
    first = {name: min((columns[end] for end in graph if name in graph[end]), default=1) for name in graph}
    return {name: column if graph[name] else first[name] - 1 for name, column in columns.items()}


def _longest_chain(graph: dict[str, set[str]], columns: dict[str, int]) -> list[str]:
    chain = [max(columns, key=columns.__getitem__)]
    while before := [name for name in graph[chain[-1]] if columns[name] == columns[chain[-1]] - 1 and graph[name]]:
        chain.append(max(before, key=lambda name: (len(_all_before(graph, name)), name)))
    return chain + [name for name in graph if not columns[name]][:1]


def arrows(graph: dict[str, set[str]]) -> list[tuple[str, str]]:
    """Return (stage, reader) without those that follow from others."""
    return [
        (other, name)
        for name, needed in graph.items()
        for other in graph
        if other in needed and not any(other in _all_before(graph, third) for third in needed)
    ]


def _all_before(graph: dict[str, set[str]], name: str) -> set[str]:
    return graph[name].union(*(_all_before(graph, other) for other in graph[name]))


def draw(text: str) -> str:
    """Return the picture of a dvc.yaml as SVG."""
    graph = read_graph(text)
    corners = place(graph)
    width, height = (max(corner[axis] for corner in corners.values()) for axis in (0, 1))
    size = f"{width + WIDTH + MARGIN:g} {height + HEIGHT + MARGIN:g}"
    rows = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {size}" font-family="Helvetica,Arial,sans-serif">',
        '<defs><marker id="a" viewBox="0 0 10 10" refX="9" refY="5" markerWidth="7" markerHeight="7" orient="auto">'
        '<path d="M0 0 10 5 0 10z" fill="#5b6470"/></marker></defs>',
        '<rect width="100%" height="100%" fill="#fbfbf9"/>',
        *(_arrow(corners[start], corners[end]) for start, end in arrows(graph)),
        *(_box(name, *corner) for name, corner in corners.items()),
        "</svg>",
    ]
    return "\n".join(rows) + "\n"


def _arrow(start: tuple[float, float], end: tuple[float, float]) -> str:
    """Return a line along the lower of two rows, which changes the row in a gap between two columns."""
    x1, y1, x2, y2 = start[0] + WIDTH, start[1] + HEIGHT / 2, end[0], end[1] + HEIGHT / 2
    gap = COLUMN - WIDTH
    bend = x1 if y2 > y1 else x2 - gap
    curve = f"C {bend + gap / 2:g} {y1:g}, {bend + gap / 2:g} {y2:g}, {bend + gap:g} {y2:g}"
    path = f"M{x1:g} {y1:g} H {bend:g} {curve} H {x2:g}"
    return f'<path d="{path}" fill="none" stroke="#5b6470" stroke-width="1.6" marker-end="url(#a)"/>'


def _box(name: str, left: float, top: float) -> str:
    def text(below: int, style: str, words: str) -> str:
        """Return centred words, with their baseline `below` px under the upper edge of the box."""
        return f'<text x="{left + WIDTH / 2:g}" y="{top + below:g}" text-anchor="middle" {style}>{escape(words)}</text>'

    return "\n".join(
        (
            f'<rect x="{left:g}" y="{top:g}" width="{WIDTH}" height="{HEIGHT}" rx="9" fill="#fff" stroke="#8a94a0"/>',
            text(28, f'font-size="{16 if len(name) < 15 else 14}" font-weight="bold" fill="#22272e"', name),
            text(50, 'font-size="12.5" fill="#3d4550"', NOTES.get(name, "")),
        )
    )


if __name__ == "__main__":
    (ROOT / "docs" / "pipeline.svg").write_text(draw((ROOT / "dvc.yaml").read_text()))
