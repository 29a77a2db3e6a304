"""The rules of the house: imports go down only, and a stage is a script, a DVC stage and a section of params.yaml."""

import ast
import inspect
from functools import cache
from pathlib import Path

import pytest
import yaml

from reidops.knobs import read_knobs
from stages.params import SECTIONS

ROOT = Path(__file__).resolve().parents[1]
GROUND = (
    "reidops.mot",
    "reidops.datasets",
    "reidops.embedding",
    "reidops.detection",
    "reidops.boxes",
    "reidops.training",
    "reidops.generation",
)
FIRST_FLOOR = ("reidops.retrieval", "reidops.tracking", "reidops.validation", "reidops.adaptation")
STAGES = (
    "download",
    "convert",
    "validate",
    "generate",
    "train",
    "detect",
    "tracklets",
    "adapt",
    "export",
    "embed",
    "evaluate_reid",
    "tune",
    "evaluate_tracking",
    "repeat_seeds",
    "register",
)
WITHOUT_SCRIPT = ("store",)  # it writes the address of the MLflow store and has no params
LIBRARY = sorted(p for folder in ("reidops", "stages", "flows") for p in (ROOT / folder).rglob("*.py"))


def module_name(path: Path) -> str:
    return ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")


@cache
def parsed(path: Path) -> ast.Module:
    """Return the syntax tree of a file; each file is parsed once."""
    return ast.parse(path.read_text())


@cache
def imports(path: Path) -> frozenset[str]:
    """Return every module that a file imports, at its top or inside a function."""
    found: set[str] = set()
    for node in ast.walk(parsed(path)):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            found |= {node.module or ""} | {f"{node.module}.{alias.name}" for alias in node.names}
    return frozenset(found)


def importers(wanted: str, allowed: tuple[str, ...] = ()) -> list[str]:
    """Name the modules that import `wanted` or something below it, but for the allowed ones."""
    return [
        f"{name} imports {other}"
        for path in LIBRARY
        if not (name := module_name(path)).startswith(allowed or ("\0",))
        for other in sorted(imports(path))
        if other == wanted or other.startswith(wanted + ".")
    ]


def test_the_library_knows_no_stage_and_no_flow():
    assert not [row for up in ("stages", "flows") for row in importers(up, ("stages", "flows"))]


def test_a_stage_imports_no_other_stage():
    for path in (ROOT / "stages").glob("*.py"):
        others = {
            name
            for name in imports(path)
            if name.startswith("stages.") and name != "stages.run_stage" and not name.startswith("stages.params")
        }
        assert not others, f"{path.name} imports {others}"


def test_a_flow_imports_no_stage():
    assert not importers("stages", ("stages",))


@pytest.mark.parametrize("room", FIRST_FLOOR)
def test_the_ground_floor_does_not_look_up(room):
    assert not [row for row in importers(room) if row.startswith(GROUND)]


def test_tracklets_use_trackers_and_nothing_below_uses_tracklets():
    assert not [row for row in importers("reidops.tracklets", ("reidops.tracklets", "stages"))]


def test_mot_and_embedding_do_not_know_each_other():
    assert not [row for row in importers("reidops.mot") if row.startswith("reidops.embedding")]
    assert not [row for row in importers("reidops.embedding") if row.startswith("reidops.mot")]


@pytest.mark.parametrize("room", ["reidops.training", "reidops.serving", "reidops.boxes", "reidops.registry.promotion"])
def test_the_embedder_imports_neither_training_nor_serving_nor_boxes(room):
    assert not [row for row in importers(room) if row.startswith("reidops.embedding")]


def test_retrieval_and_tracking_do_not_know_each_other():
    assert not [row for row in importers("reidops.retrieval") if row.startswith("reidops.tracking")]
    assert not [row for row in importers("reidops.tracking") if row.startswith("reidops.retrieval")]


def test_trackers_know_no_evaluation_and_evaluation_knows_neither_pictures_nor_tuning():
    rooms = ("reidops.tracking.evaluation", "reidops.tracking.pictures", "reidops.tracking.tuning")
    for room in rooms:
        assert not [row for row in importers(room, rooms) if row.startswith("reidops.tracking.")]
    for upper in rooms[1:]:
        assert not [row for row in importers(upper, (upper,)) if row.startswith("reidops.tracking.")]


def test_one_door_to_mlflow_and_none_to_dvc_and_prefect():
    assert not importers("mlflow", ("reidops.registry", "reidops.serving.pyfunc_model"))
    assert not importers("prefect", ("flows",))
    assert not importers("dvc", ("flows",))


def stages_with_script() -> dict[str, dict]:
    graph = yaml.safe_load((ROOT / "dvc.yaml").read_text())["stages"]
    return {name: stage for name, stage in graph.items() if name not in WITHOUT_SCRIPT}


def test_a_stage_is_a_script_a_dvc_stage_and_a_section():
    scripts = {p.stem for p in (ROOT / "stages").glob("*.py")} - {"__init__"}
    graph = stages_with_script()
    sections = yaml.safe_load((ROOT / "params.yaml").read_text())
    assert list(graph) == list(sections) == list(SECTIONS) == list(STAGES)
    assert scripts == set(STAGES)
    for name, stage in graph.items():
        assert stage["cmd"].startswith(f"python -m stages.{name} ") and stage["params"][0] == name
        assert f"stages/{name}.py" in stage["deps"]


def test_a_stage_depends_on_every_file_of_the_library_that_it_imports():
    graph = stages_with_script()
    for name, stage in graph.items():
        doors = set() if name == "register" else {ROOT / door for door in LAZY_DOORS}
        needed = _library_files(ROOT / "stages" / f"{name}.py", closed=doors)
        deps = [ROOT / dep for dep in stage["deps"]]
        unseen = {
            p.relative_to(ROOT).as_posix() for p in needed if not any(p == dep or dep in p.parents for dep in deps)
        }
        unseen -= (
            FOUNDATION | (set() if name == "register" else LAZY_DOORS) | (NOT_THE_MODEL if name == "train" else set())
        )
        assert not unseen, f"{name} is not run again when these change: {sorted(unseen)}"


# The registry is reached through `Embedder.load("models:/…")` only, which no stage uses; and the ranking that chooses a
# checkpoint is not the model: editing it must not retrain.
LAZY_DOORS = {f"reidops/registry/{path.name}" for path in (ROOT / "reidops" / "registry").glob("*.py")} | {
    "reidops/serving/pyfunc_model.py"
}
NOT_THE_MODEL = {
    f"reidops/retrieval/{name}.py" for name in ("ranking", "counting", "exact_counting", "matches", "single_shot")
}

# What every stage stands on: a change there is a change of contracts, for which one runs `dvc repro --force`.
FOUNDATION = {
    f"reidops/{name}.py"
    for name in (
        "errors",
        "files",
        "params",
        "parent_processes",
        "knobs",
        "exponents",
        "tables",
        "parallel",
        "cores",
        "progress_bar",
        "step_times",
        "stage_times",
        "memory",
        "parts",
        "image_headers",
        "picture_depth",
        "skipped",
        "validated",
    )
} | {
    f"reidops/mot/{name}.py"
    for name in (
        "sequences", "boxes", "frame_files", "numbering", "text_rows", "ground_truth", "classes", "columns", "visdrone",
        "uavdt", "picture_names",
        "box_units", "video_frames", "video_facts", "frame_times",
    )
}  # fmt: skip


def _library_files(start: Path, closed: set[Path]) -> set[Path]:
    """Return the files of the library that a file needs, directly or through others that are not `closed`."""
    seen, waiting = set(), [start]
    while waiting:
        path = waiting.pop()
        for name in imports(path):
            base = ROOT / name.replace(".", "/")
            for file in (base.with_suffix(".py"), base / "__init__.py"):
                if name.startswith("reidops.") and file.is_file() and file.stat().st_size and file not in seen:
                    seen.add(file)
                    waiting += [] if file in closed else [file]
    return seen


def test_what_describes_the_params_is_no_dependency_of_a_stage():
    """An edited description, range or type runs no stage again: the values reach DVC through `params`."""
    graph = yaml.safe_load((ROOT / "dvc.yaml").read_text())["stages"]
    assert not [dep for stage in graph.values() for dep in stage["deps"] if dep.startswith("stages/params")]
    ignored = (ROOT / ".dvcignore").read_text().splitlines()
    described = {
        inspect.getsourcefile(knob.group) for cls in SECTIONS.values() for knob in read_knobs(cls) if knob.group
    }
    assert described and {"/" + Path(file).relative_to(ROOT).as_posix() for file in described} <= set(ignored)


@cache
def top_imports(path: Path) -> frozenset[str]:
    """Return every module that a file imports when it is imported itself, without those of TYPE_CHECKING."""
    found: set[str] = set()
    for node in parsed(path).body:
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            found |= {node.module or ""} | {f"{node.module}.{alias.name}" for alias in node.names}
    return frozenset(found)


def top_closure(start: Path) -> set[str]:
    """Return every module that is imported with a file, directly or through files of this repository."""
    found, waiting = set(), [start]
    while waiting:
        for name in top_imports(waiting.pop()) - found:
            found.add(name)
            base = ROOT / name.replace(".", "/")
            waiting += [file for file in (base.with_suffix(".py"), base / "__init__.py") if file.is_file()]
    return found


@pytest.mark.parametrize(
    "name",
    ["adapt", "detect", "generate", "tracklets", "tune", "repeat_seeds", "register", "validate", "evaluate_tracking"],
)
def test_a_stage_that_seldom_runs_a_network_starts_without_torch(name):
    heavy = {"torch", "torchvision", "timm", "lightning_fabric"}
    assert not heavy & {module.split(".")[0] for module in top_closure(ROOT / "stages" / f"{name}.py")}


@pytest.mark.parametrize("name", ["adapt", "detect", "generate", "tracklets", "tune", "repeat_seeds"])
def test_a_stage_with_nothing_to_do_by_default_starts_without_trackers_and_figures(name):
    heavy = {"supervision", "matplotlib", "mlflow", "motmetrics", "trackeval", "scipy"}
    assert not heavy & {module.split(".")[0] for module in top_closure(ROOT / "stages" / f"{name}.py")}


def test_the_embedder_can_be_imported_without_torch_and_pandas():
    heavy = {"torch", "timm", "pandas", "mlflow"}
    assert not heavy & top_closure(ROOT / "reidops" / "embedding" / "embedder.py")


# A stage that does nothing by default may import what it then needs inside its function.
IDLE_BY_DEFAULT = ("tune.py", "adapt.py", "tracklets.py", "generate.py")


def test_stages_flows_and_commands_import_at_the_top_of_the_file():
    late = [
        f"{path.relative_to(ROOT)}:{node.lineno}"
        for folder in ("stages", "flows", "reidops/commands")
        for path in (ROOT / folder).rglob("*.py")
        if path.name not in IDLE_BY_DEFAULT
        for node in ast.walk(parsed(path))
        if isinstance(node, ast.Import | ast.ImportFrom) and node.col_offset
    ]
    assert not late


@pytest.mark.slow
def test_all_heavy_dependencies_import_together():
    import av  # noqa: E401, F401
