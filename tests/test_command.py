"""reidops/command.py and reidops/commands: the command line `reidops`."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner
from made_result import write_result

from reidops import commands, summary, track
from reidops.command import main
from reidops.commands.registry.group import registry
from reidops.errors import Unreachable
from reidops.lazy_group import LazyCommand, LazyGroup

COMMANDS = (
    "drift",
    "embed",
    "mot2reid",
    "params",
    "pull",
    "recipe",
    "serve",
    "submission",
    "summary",
    "track",
    "train-linking",
    "registry",
)


def run(*arguments):
    return CliRunner().invoke(main, [str(argument) for argument in arguments], prog_name="reidops")


def test_every_command_has_a_line_in_the_help_page():
    page = run("--help")
    assert page.exit_code == 0
    assert all(f"\n  {name} " in page.output for name in COMMANDS) and set(main.lazy_commands) == set(COMMANDS)


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_has_a_help_page_with_an_example(name):
    page = run(name, "--help")
    assert page.exit_code == 0
    examples = {"track": "reidops track street.mp4", "submission": "reidops submission data/MOT17"}
    example = examples.get(name, f"Example: reidops {name}")
    assert example in page.output and "python -m" not in page.output


@pytest.mark.parametrize("group", [main, registry])
def test_the_line_of_a_command_in_the_help_page_is_the_first_sentence_of_its_own_page(group):
    lines = {name: command.short_help for name, command in group.lazy_commands.items()}
    assert lines == {name: group.get_command(None, name).get_short_help_str(1000) for name in lines}


def test_every_module_of_commands_is_in_a_table():
    room = Path(commands.__file__).parent
    modules = {".".join(path.relative_to(room).with_suffix("").parts) for path in room.rglob("*.py")}
    named = {
        command.module.removeprefix("reidops.commands.")
        for group in (main, registry)
        for command in group.lazy_commands.values()
    }
    assert modules - named == {"__init__", "registry.__init__", "options", "registry.options", "stderr_log"}


def test_a_missing_package_of_an_extra_is_one_message_with_the_extra():
    missing = LazyCommand("no_such_package.serve", "serve", "Serve.", extra="serve")
    ended = CliRunner().invoke(LazyGroup("program", lazy_commands={"serve": missing}), ["serve"])
    assert ended.exit_code == 1
    assert "no_such_package" in ended.stderr and "pip install '.[serve]'" in ended.stderr


def test_an_unknown_command_is_refused():
    assert "No such command 'trak'" in run("trak").stderr


@pytest.mark.slow
@pytest.mark.parametrize("page", [["--help"], ["registry", "--help"]])
def test_the_help_page_imports_nothing_heavy(page):
    code = (
        f"import sys, json; from reidops.command import main; main({page}, standalone_mode=False);"
        " print(json.dumps([name for name in ('torch', 'mlflow', 'dvc', 'cv2', 'pandas') if name in sys.modules]))"
    )
    shown = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert json.loads(shown.stdout.splitlines()[-1]) == []


@pytest.mark.slow
def test_the_package_runs_as_a_module():
    shown = subprocess.run([sys.executable, "-m", "reidops", "--help"], capture_output=True, text=True, check=True)
    assert shown.stdout.startswith("Usage: reidops [OPTIONS] COMMAND")


def test_track_gets_its_arguments_and_names_itself(tmp_path):
    ended = run(
        "track", tmp_path / "nowhere.avi", "--model", "none", "--detections", "d.txt", "--output", tmp_path / "o.mp4"
    )
    assert ended.exit_code == 1
    assert ended.stderr.startswith(f"reidops track: error: {tmp_path / 'nowhere.avi'}: no such file")
    assert "usage: reidops track" in run("track", "--help").output


def test_the_module_track_keeps_its_name(capsys):
    with pytest.raises(SystemExit):
        track.main(["--help"])
    assert "usage: python -m reidops.track" in capsys.readouterr().out


def test_summary_prints_what_the_module_prints(tmp_path, monkeypatch, capsys):
    data = write_result(tmp_path)
    monkeypatch.setattr(sys, "argv", ["summary", "--data", str(data)])
    summary.main()
    shown = run("summary", "--data", data)
    assert shown.exit_code == 0 and shown.output == capsys.readouterr().out


def test_an_error_is_one_message_with_its_exit_code(tmp_path, monkeypatch):
    ended = run("summary", "--data", tmp_path)
    assert ended.exit_code == 1
    assert ended.stderr == f"reidops summary: error: {tmp_path}: there is no result yet; run `dvc repro`\n"
    monkeypatch.setattr("reidops.commands.summary.print_summary", _raise(Unreachable("no answer")))
    assert run("summary").exit_code == 75


def test_ctrl_c_gives_130(monkeypatch):
    monkeypatch.setattr("reidops.commands.summary.print_summary", _raise(KeyboardInterrupt()))
    assert run("summary").exit_code == 130


def test_pull_prints_the_folder(monkeypatch, tmp_path):
    asked = []
    monkeypatch.setattr(
        "reidops.commands.pull.pull_model", lambda uri, folder: asked.append((uri, folder)) or tmp_path / "embedder"
    )
    shown = run("pull", "models:/person-reid@champion", "--output", tmp_path)
    assert shown.output == f"{tmp_path / 'embedder'}\n" and asked == [("models:/person-reid@champion", tmp_path)]


def _raise(error):
    def raising(*_):
        raise error

    return raising
