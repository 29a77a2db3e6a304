"""reidops/mot/cvat.py: a file of a stranger can neither fill the memory nor read other files."""

from pathlib import Path

import pytest

from reidops.errors import ReidopsError
from reidops.mot.cvat import read_cvat


def bomb(path: Path) -> Path:
    """Write the "billion laughs": entities that contain each other ten times, 1 KB that expand to gigabytes."""
    entities = "".join(f'<!ENTITY e{i} "{f"&e{i - 1};" * 10}">' for i in range(1, 11))
    path.write_text(f'<!DOCTYPE a [<!ENTITY e0 "{"x" * 100}">{entities}]><annotations>&e10;</annotations>')
    return path


def test_entities_that_expand_without_end_are_an_error(tmp_path):
    with pytest.raises(ReidopsError, match=r"annotations\.xml: .*amplification"):
        read_cvat(bomb(tmp_path / "annotations.xml"))


def test_an_entity_of_another_file_is_not_read(tmp_path):
    (tmp_path / "secret").write_text("secret")
    text = f'<!DOCTYPE a [<!ENTITY e SYSTEM "file://{tmp_path}/secret">]><annotations>&e;</annotations>'
    (tmp_path / "annotations.xml").write_text(text)
    with pytest.raises(ReidopsError, match="undefined entity") as fault:
        read_cvat(tmp_path / "annotations.xml")
    assert "secret;" not in str(fault.value)
