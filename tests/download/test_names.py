"""Names that come with data cannot lead to other files, whatever the dataset."""

from __future__ import annotations

import zipfile
from collections.abc import Iterator, Sequence
from pathlib import Path

import pyarrow as pa
import pytest
from flickr8k_release import photographs, picture, release, texts

from captioning.core.errors import InputError
from captioning.download.datasets.base import Example, Rejections
from captioning.download.datasets.flickr8k import Flickr8k
from captioning.download.names import check_file_name, check_name
from captioning.download.sources.fetch import fetch
from captioning.download.sources.image_files import ImageFiles
from captioning.download.sources.locate import locate
from captioning.download.write_raw import write_raw

OUTSIDE = (
    "../../../evil.jpg",
    "/etc/evil.jpg",
    "a/../../evil.jpg",
    "..",
    "..\\evil.jpg",
    "\\\\host\\evil.jpg",
    "C:\\evil.jpg",
)
ODD = ("what is 100%?.jpg", 'a "b" #1.jpg', "a\\b.jpg", "..jpg", "a..b/c.jpg", "n\n.jpg", "é.jpg")


@pytest.mark.parametrize("name", [*OUTSIDE, "", "nul\0.jpg", "half \ud83d.jpg"])
def test_a_name_that_is_no_place_in_the_data_is_refused_in_one_line(name: str) -> None:
    with pytest.raises(InputError, match=r"^image .*correct the list of images") as caught:
        check_name(name, "image")
    assert "\n" not in str(caught.value) and str(caught.value).isprintable()


@pytest.mark.parametrize("name", [*ODD, "x" * 5000])
def test_odd_names_that_stay_in_the_data_are_accepted(name: str) -> None:
    check_name(name, "image")


class _OneImage:
    """A dataset whose image has a given id."""

    extras: Sequence[pa.Field] = ()

    def __init__(self, image_id: str) -> None:
        self._id = image_id

    def examples(self, rejections: Rejections) -> Iterator[Example]:
        yield Example(self._id, "train", picture("red"), ("red",))


@pytest.mark.parametrize("image_id", OUTSIDE)
def test_no_dataset_can_bring_such_an_id_into_the_raw_table(image_id: str, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="leads outside the folder of the data"):
        write_raw(_OneImage(image_id), tmp_path / "raw", 1, Rejections())
    assert not list((tmp_path / "raw").glob("*"))


@pytest.mark.parametrize("name", ["../../../3_c.jpg", "/tmp/3_c.jpg"])
def test_a_split_file_that_names_an_image_elsewhere_is_refused(name: str, tmp_path: Path) -> None:
    text = texts()
    text["Flickr_8k.trainImages.txt"] = f"1_a.jpg\n{name}\n".encode()
    with pytest.raises(InputError, match=rf"image '{name}' leads outside"):
        list(Flickr8k(release(tmp_path, photographs(), text)).examples(Rejections()))


@pytest.mark.parametrize("path", OUTSIDE)
def test_a_path_elsewhere_is_not_looked_up_by_its_bare_name(path: str, tmp_path: Path) -> None:
    (tmp_path / "evil.jpg").write_bytes(b"here")
    with (
        ImageFiles([tmp_path]) as files,
        pytest.raises(InputError, match="leads outside the folder of the data"),
    ):
        files.find(path)


@pytest.mark.parametrize(
    "url",
    [
        "https://example.invalid/%2e%2e%2f%2e%2e%2fevil.zip",
        "https://example.invalid/..",
        "https://example.invalid/data/",
        "https://example.invalid/%2Ftmp%2Fevil.zip",
        "https://example.invalid/..%5Cevil.zip",
        "https://example.invalid/%00",
    ],
)
def test_a_url_cannot_choose_where_its_download_is_kept(
    url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("CAPTIONING_SOURCE", raising=False)
    monkeypatch.setenv("CAPTIONING_CACHE", str(tmp_path / "cache"))
    with pytest.raises(InputError, match="is not the name of a file: correct it in params.yaml"):
        locate(url, "0" * 32)
    assert not list(tmp_path.iterdir())


def test_a_local_source_cannot_be_left_either(tmp_path: Path) -> None:
    (tmp_path / "evil.zip").write_bytes(b"elsewhere")
    (tmp_path / "source").mkdir()
    with pytest.raises(InputError, match="is not the name of a file"):
        fetch(str(tmp_path / "source"), "../evil.zip", None)


def test_plain_file_names_are_accepted() -> None:
    for name in ("Flickr8k text.zip", "a..b.zip", "100%.zip", ".hidden"):
        check_file_name(name, "source")


@pytest.mark.parametrize("member", OUTSIDE)
def test_archives_are_checked_by_the_same_rule(member: str, tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        archive.writestr(member, b"evil")
    with pytest.raises(InputError, match="leads outside the archive"):
        ImageFiles([tmp_path / "a.zip"])
