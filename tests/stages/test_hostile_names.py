"""Names of folders and people are data: no page that the pipeline writes takes them for HTML."""

from html.parser import HTMLParser
from pathlib import Path

import pytest
from default_params import default_params
from market_factory import write_crop
from mot_factory import write_mot_set

from reidops.errors import ReidopsError
from stages.convert import ConvertParams, convert
from stages.download import DownloadParams, download
from stages.validate import ValidateParams, validate

pytestmark = pytest.mark.slow

HOSTILE = "<img src=x onerror=alert(1)>"


class Elements(HTMLParser):
    """Collect the attributes, the sources and the text of a page's elements."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.attributes: set[str] = set()
        self.sources: set[str] = set()
        self.text = ""
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.attributes |= {name for name, _ in attrs}
        self.sources |= {value or "" for name, value in attrs if name == "src"}

    def handle_data(self, data: str) -> None:
        self.text += data


@pytest.fixture
def pages(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, Elements]:
    """Return every HTML page of a validation that finds faults in sets whose folders, sequences and people have hostile
    names.
    """
    monkeypatch.setenv("DVC_ROOT", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    people, videos = f"{HOSTILE} people", f"{HOSTILE} videos"
    for person in range(3):
        for number in range(1 + 4 * person):
            write_crop(tmp_path / "sets" / people / "train" / f"{HOSTILE} {person}", person, 1, frame=number)
    train = write_mot_set(tmp_path / "sets" / videos, (f"{HOSTILE}-01",)) / "train"
    params = default_params(DownloadParams, local="sets", train=[people], test=[videos], track=[videos], sequences=[])
    download(Path("raw"), params)
    convert(Path("raw"), Path("crops"), default_params(ConvertParams, gap=4, workers=1, min_per_person=1))
    (train / f"{HOSTILE}-01" / "img1" / "000003.jpg").unlink()
    with pytest.raises(ReidopsError):
        validate(Path("raw"), Path("crops"), Path("validation"), default_params(ValidateParams, min_people=2))
    return {path.as_posix(): Elements(path.read_text()) for path in Path("validation").rglob("*.html")}


def test_a_name_that_is_an_html_element_is_text_on_every_page(pages: dict[str, Elements]) -> None:
    for name, page in pages.items():
        assert "onerror" not in page.attributes and "x" not in page.sources, name
    named = [name for name, page in pages.items() if HOSTILE in page.text]
    assert "validation/index.html" in named
    assert any(name.startswith("validation/docs/validations/near-duplicates/") for name in named)
