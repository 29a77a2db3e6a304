"""reidops/recipes.py and `reidops recipe`."""

import shutil
import subprocess

import pytest
import yaml
from click.testing import CliRunner
from pydantic import Field

from reidops.command import main
from reidops.errors import ReidopsError
from reidops.params import params_dataclass
from reidops.params_file import read_head
from reidops.recipes import describe_changes, first_sentence, list_recipes, own_changes, recipe_values, write_recipe
from stages.params import SECTIONS


@params_dataclass
class Drawing:
    """What is drawn."""

    frames: int = Field(description="Frames.")
    seed: int = Field(description="Seed.")


@params_dataclass
class Train:
    """A section."""

    backbone: str = Field(description="Network.")
    losses: dict[str, float] = Field(description="Weights.")
    drawing: Drawing = Field(description="Drawing.")


CLASSES = {"train": Train}
HEAD = "# A small network, ×0.25 wide,\n# for tests. Source: none.\n#\n"
ALL = {"train": {"backbone": "resnet10t", "losses": {"triplet": 1.0}, "drawing": {"frames": 3, "seed": 1}}}
LARGE = "# A large network.\ntrain:\n  backbone: resnet50\n  losses: {center: 0.5}\n  drawing: {frames: 9}\n"


@pytest.fixture
def repository(tmp_path):
    (tmp_path / "recipes").mkdir()
    (tmp_path / "recipes" / "default.yaml").write_text(HEAD + yaml.safe_dump(ALL))
    (tmp_path / "recipes" / "a-large.yaml").write_text(LARGE)
    return tmp_path


def values(repository):
    return yaml.safe_load((repository / "params.yaml").read_text())


def edit(repository, old, new):
    path = repository / "params.yaml"
    assert old in path.read_text()
    path.write_text(path.read_text().replace(old, new))


def recipe(repository, *arguments):
    return CliRunner().invoke(main, ["recipe", *arguments, "--root", str(repository)])


def test_recipes_are_listed_with_their_first_sentence_the_default_first(repository):
    shown = recipe(repository)
    assert [line.split(maxsplit=1)[0] for line in shown.output.splitlines()] == ["recipe", "default", "a-large"]
    assert "A small network, ×0.25 wide, for tests." in shown.output and "Source" not in shown.output


def test_every_recipe_of_the_repository_has_a_first_sentence(root):
    for path in list_recipes(root).values():
        assert first_sentence(path).endswith(".")


def test_every_recipe_but_the_default_holds_only_what_differs_from_it(root):
    default = recipe_values(root, "default", SECTIONS)
    for name, path in list_recipes(root).items():
        changes = yaml.safe_load(path.read_text())
        same = [
            f"{name}: {section}.{key}"
            for section, changed in changes.items()
            for key, value in changed.items()
            if value == default[section][key]
        ]
        assert name == "default" or not same
        assert name == "default" or 10 <= sum(map(len, changes.values())) <= 30


def test_the_values_are_the_default_ones_with_the_changes_of_the_recipe(repository):
    write_recipe(repository, "a-large", CLASSES)
    assert values(repository) == {
        "train": {"backbone": "resnet50", "losses": {"center": 0.5}, "drawing": {"frames": 9, "seed": 1}}
    }
    write_recipe(repository, "default.yaml", CLASSES)  # the values of a recipe can be restored
    assert values(repository) == ALL


def test_the_file_has_the_head_of_the_recipe_and_remarks(repository):
    write_recipe(repository, "a-large", CLASSES)
    assert read_head(repository / "params.yaml") == "# A large network."
    assert "  backbone: resnet50          # Network.\n" in (repository / "params.yaml").read_text()


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("trian: {backbone: a}", "recipes/b.yaml: section `trian` is unknown; did you mean `train`"),
        ("train: {backbon: a}", "recipes/b.yaml: train.backbon is unknown; did you mean `backbone`"),
        ("train: {drawing: {frame: 1}}", "recipes/b.yaml: train.drawing.frame is unknown; did you mean `frames`"),
        ("train: {backbone: 3}", "recipes/b.yaml: train.backbone is 3: expected text"),
    ],
)
def test_a_recipe_with_a_fault_writes_nothing(repository, text, says):
    (repository / "recipes" / "b.yaml").write_text(text)
    with pytest.raises(ReidopsError, match=says):
        write_recipe(repository, "b", CLASSES)
    assert not (repository / "params.yaml").exists()


def test_values_of_the_users_own_are_named_and_kept_unless_forced(repository):
    write_recipe(repository, "a-large", CLASSES)
    edit(repository, "resnet50", "mine")
    edit(repository, "frames: 9", "frames: 10")
    assert own_changes(repository, CLASSES) == ["train.backbone: resnet50 → mine", "train.drawing.frames: 9 → 10"]
    with pytest.raises(ReidopsError, match="backbone: resnet50 → mine\n.*frames: 9 → 10\n.*--force"):
        write_recipe(repository, "default", CLASSES)
    assert values(repository)["train"]["backbone"] == "mine"
    write_recipe(repository, "default", CLASSES, force=True)
    assert values(repository) == ALL


def test_a_file_that_is_no_params_file_is_kept_unless_forced(repository):
    (repository / "params.yaml").write_text("no: [yaml")
    with pytest.raises(ReidopsError, match="not valid YAML"):
        write_recipe(repository, "default", CLASSES)
    write_recipe(repository, "default", CLASSES, force=True)
    assert values(repository) == ALL


def test_values_that_git_has_may_be_overwritten(repository):
    write_recipe(repository, "default", CLASSES)
    edit(repository, "resnet10t", "mine")
    for words in (["init", "-q"], ["add", "."], ["-c", "user.name=a", "-c", "user.email=a@b", "commit", "-qm", "x"]):
        subprocess.run(["git", "-C", str(repository), *words], check=True)
    write_recipe(repository, "default", CLASSES)
    edit(repository, "resnet10t", "another")
    with pytest.raises(ReidopsError, match="another"):
        write_recipe(repository, "default", CLASSES)


def test_a_difference_is_one_line_per_value_and_writes_nothing(root, tmp_path):
    shutil.copytree(root / "recipes", tmp_path / "recipes")
    assert recipe(tmp_path, "default").exit_code == 0
    before = (tmp_path / "params.yaml").read_text()
    assert before == (root / "params.yaml").read_text()
    shown = recipe(tmp_path, "mot17-half", "--diff")
    assert "train.epochs: 10 → " in shown.output and "download.split: scene → half" in shown.output.splitlines()
    assert (tmp_path / "params.yaml").read_text() == before
    assert "has these values already" in recipe(tmp_path, "default", "--diff").output


def test_types_differ_where_the_texts_do():
    assert describe_changes({"a": {"b": "1", "c": []}}, {"a": {"b": 1, "c": {}}}) == ['a.b: "1" → 1', "a.c: [] → {}"]


def test_a_name_that_is_near_is_offered(repository, tmp_path):
    assert "no recipe `a-larg`; did you mean `a-large`?" in recipe(repository, "a-larg").stderr
    assert "recipes: no such folder; expected the repository's recipes" in recipe(tmp_path / "nowhere").stderr
    (repository / "recipes" / "default.yaml").unlink()
    assert "has no default.yaml" in recipe(repository).stderr
