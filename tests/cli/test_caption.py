"""`captioning caption` reads what it is given within limits, and says in one line what it can't."""

from __future__ import annotations

import io
import json
import os
import re
import socket
import sys
import time
import weakref
from pathlib import Path

import numpy as np
import pytest
from hostile_server import hostile_server
from PIL import Image
from untrained_captioner import WORDS, write_model

from captioning.batch.listing import expand
from captioning.batch.reading import read
from captioning.cli.main import main
from captioning.core.errors import InputError
from captioning.data import local_file as image_file
from captioning.data.images import decode as images
from captioning.data.images.decode import decode_image
from captioning.data.local_file import read_image_file
from captioning.download.web.settings import Limits
from captioning.text import WordVocabulary


@pytest.fixture(autouse=True)
def _no_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("http_proxy", "HTTP_PROXY", "https_proxy", "HTTPS_PROXY", "all_proxy"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> str:
    vocabulary = WordVocabulary.fit(WORDS, 100, 1)
    return str(write_model(tmp_path_factory.mktemp("model"), vocabulary, WORDS))


@pytest.fixture
def picture(tmp_path: Path) -> str:
    pixels = np.random.default_rng(0).integers(0, 255, (80, 120, 3), dtype=np.uint8)
    Image.fromarray(pixels).save(tmp_path / "one.png")
    return str(tmp_path / "one.png")


class Output:
    """What a command printed: lines of JSON, and lines of errors."""

    def __init__(self, capsys: pytest.CaptureFixture[str]) -> None:
        captured = capsys.readouterr()
        self.rows = [json.loads(line) for line in captured.out.splitlines()]
        lines = captured.err.splitlines()
        # What the model says of itself, which tests/cli/test_familiarity_notes.py checks.
        notes = [line for line in lines if line.startswith("note: it is not recorded on which")]
        assert len(notes) <= 1
        self.errors = [line for line in lines if line not in notes]


# URLs.


@pytest.fixture(scope="module")
def site():
    """The address of a server that behaves badly; it is private, as all of this machine's are."""
    with hostile_server() as server:
        yield f"http://127.0.0.1:{server.server_port}"


def test_private_addresses_are_read_only_if_that_is_permitted(site: str) -> None:
    with pytest.raises(InputError, match=r"red\.jpg cannot be read \(private address refused: .*"):
        read(f"{site}/red.jpg", private_addresses=False)
    assert read(f"{site}/red.jpg", private_addresses=True).startswith(b"\xff\xd8")
    assert read(f"{site}/moved.jpg", private_addresses=True)


def test_a_redirect_to_a_private_address_is_refused_too(
    site: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    from captioning.download.web import public_addresses

    monkeypatch.setattr(public_addresses, "is_public", lambda address: address == "127.0.0.1")
    assert read(f"{site}/red.jpg", private_addresses=False)
    with pytest.raises(InputError, match="169.254.169.254 has a private address"):
        read(f"{site}/to-private", private_addresses=False)


@pytest.mark.parametrize(
    ("page", "reason"),
    [
        ("/slow-body", "took too long"),
        ("/slow-header", "took too long"),
        ("/silent", "took too long"),
        ("/endless", "body too large"),
        ("/endless-redirect", "body too large"),
        ("/huge", "body too large"),
        ("/circle", "redirects in a circle"),
        ("/to-file", "redirect that can't be followed"),
        ("/reset", "connection lost"),
        ("/404", "status 404"),
    ],
)
def test_urls_have_the_limits_of_datasets(
    page: str, reason: str, site: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Limits, "__init__", _short_limits(Limits.__init__))
    started = time.monotonic()
    with pytest.raises(InputError, match=re.escape(reason)) as caught:
        read(f"{site}{page}", private_addresses=True)
    assert "\n" not in str(caught.value)
    assert time.monotonic() - started < 10


def _short_limits(init):
    return lambda self, **given: init(self, **{"seconds": 1.0, "body_bytes": 1 << 20, **given})


INVALID = [
    "http://[::1",
    "http://",
    "http://a b/x.jpg",
    "http://x:port/",
    "http:///x",
    "https://\udcff/",
]


@pytest.mark.parametrize("url", [*INVALID, "ftp://localhost/x.jpg", "file:///etc/passwd"])
def test_an_invalid_url_is_said_in_one_line(url: str) -> None:
    with pytest.raises(InputError, match="cannot be read") as caught:
        read(url, private_addresses=True)
    assert "\n" not in str(caught.value) and "other failure" not in str(caught.value)


def test_letters_that_urls_must_not_contain_are_escaped(site: str) -> None:
    assert read(f"{site}/über alles.jpg", private_addresses=True)


# Files.


def test_what_is_no_file_is_refused_at_once(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.jpg")
    (tmp_path / "folder.jpg").mkdir()
    (tmp_path / "zero.jpg").symlink_to("/dev/zero")
    (tmp_path / "dangling.jpg").symlink_to("nowhere")
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(tmp_path / "socket.jpg"))
        for name, reason in {
            "pipe.jpg": "is a named pipe, not a file",
            "folder.jpg": "is a folder, not a file",
            "zero.jpg": "is a device, not a file",
            "socket.jpg": "is a socket, not a file",
            "dangling.jpg": "cannot be read (No such file or directory)",
            "missing.jpg": "cannot be read (No such file or directory)",
            "x" * 300: "cannot be read (File name too long)",
            "nul\0": "cannot be read (embedded null byte)",
        }.items():
            with pytest.raises(InputError, match=re.escape(reason)):
                read_image_file(tmp_path / name)


def test_a_pipe_that_takes_the_place_of_a_file_does_not_wait(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    os.mkfifo(tmp_path / "pipe.jpg")
    regular = (tmp_path / "file").write_bytes(b"x") and (tmp_path / "file").stat()
    monkeypatch.setattr(Path, "stat", lambda path: regular)
    with pytest.raises(InputError, match="is a named pipe"):
        read_image_file(tmp_path / "pipe.jpg")


def test_a_file_is_read_up_to_the_limit(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"12345")
    assert read_image_file(tmp_path / "a", limit=5) == b"12345"
    with pytest.raises(InputError, match=r"a is larger than the limit of 4 bytes"):
        read_image_file(tmp_path / "a", limit=4)
    with open(tmp_path / "sparse", "wb") as file:
        file.truncate(image_file.MAX_IMAGE_BYTES + 1)
    with pytest.raises(InputError, match="larger than the limit of 268,435,456 bytes"):
        read_image_file(tmp_path / "sparse")


# The command.


@pytest.mark.slow
def test_all_that_fails_is_named_and_the_rest_is_captioned(
    model: str, picture: str, tmp_path: Path, site: str, capsys: pytest.CaptureFixture[str]
) -> None:
    folder, empty = tmp_path / "folder", tmp_path / "empty"
    folder.mkdir()
    empty.mkdir()
    os.mkfifo(folder / "0.jpg")
    (folder / "1.png").write_bytes(Path(picture).read_bytes())
    (folder / "2.jpg").write_bytes(b"%!PS-Adobe-3.0 EPSF-3.0\n")
    names = ["/dev/zero", str(empty), "http://[::1", f"{site}/red.jpg", str(folder), picture]
    assert main(["caption", *names, "--model", model, "--json"]) == 1
    output = Output(capsys)
    assert [row["image"] for row in output.rows] == [str(folder / "1.png"), picture]
    assert [line.partition(": ")[0] for line in output.errors] == ["error"] * 6
    for line, text in zip(
        output.errors,
        (
            "/dev/zero is a device",
            "contains no image file",
            "invalid URL",
            "--private-addresses permits it",
            "0.jpg is a named pipe",
            "2.jpg: image format that is not read: it looks like EPS",
        ),
        strict=True,
    ):
        assert text in line


@pytest.mark.slow
def test_urls_are_captioned_with_the_flag(
    model: str, site: str, capsys: pytest.CaptureFixture[str]
) -> None:
    urls = [f"{site}/red.jpg", f"{site}/404"]
    assert main(["caption", *urls, "--private-addresses", "--model", model, "--json"]) == 1
    output = Output(capsys)
    assert [row["image"] for row in output.rows] == urls[:1]
    assert output.errors == [f"error: {urls[1]} cannot be read (status 404)"]


@pytest.mark.slow
@pytest.mark.parametrize("place", ["file/out.png", "x" * 300 + ".png", "one.png"])
def test_a_place_that_cannot_be_written_to_costs_no_caption(
    place: str, model: str, picture: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "file").write_bytes(b"")
    before = Path(picture).read_bytes()
    arguments = ["--attention", str(tmp_path / place), "--model", model, "--json"]
    assert main(["caption", picture, *arguments]) == 1
    output = Output(capsys)
    assert len(output.rows) == 1 and "attention" not in output.rows[0]
    (line,) = output.errors
    assert line.startswith(f"error: {tmp_path}") and place in line
    assert Path(picture).read_bytes() == before


@pytest.mark.slow
def test_the_widest_beam_runs_with_a_smaller_vocabulary(
    model: str, picture: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["caption", picture, "--beam", "64", "--model", model, "--json"]) == 0
    (row,) = Output(capsys).rows
    assert (
        set(row["caption"].split()) <= set(" ".join(WORDS).split()) and row["log_probability"] < 0
    )


@pytest.mark.slow
def test_a_file_name_that_is_not_utf_8_is_printed_escaped(
    model: str, picture: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    name = os.fsdecode(os.fsencode(str(tmp_path)) + b"/\xff.png")
    Path(picture).rename(name)
    assert main(["caption", name, "--model", model, "--json"]) == 0
    assert Output(capsys).rows[0]["image"] == name


BEAM = "the beam width must be a whole number between 1 and 64, not"
SEED = "the seed must be a whole number between 0 and 2147483647, not"
TEMPERATURE = "the temperature must be 0, or between 0.001 and 1000, not"


@pytest.mark.parametrize(
    ("option", "value", "message"),
    [
        ("--beam", "100000", f"{BEAM} 100000"),
        ("--beam", "two", f"{BEAM} two"),
        ("--beam", "9" * 5000, f"{BEAM} 999"),
        ("--seed", str(10**30), f"{SEED} 1{'0' * 30}"),
        ("--seed", "-1", f"{SEED} -1"),
        ("--temperature", "nan", f"{TEMPERATURE} nan"),
        ("--temperature", "1e-30", f"{TEMPERATURE} 1e-30"),
        ("--attention", "x.xyz", "give a name that ends in .png, not x.xyz"),
        ("--attention", "x", "give a name that ends in .png, not x"),
    ],
)
def test_values_that_no_model_can_use_are_refused(
    option: str, value: str, message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit, match="2"):
        main(["caption", "x.jpg", option, value])
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith(f"error: argument {option}: ") and message in line
    assert line.endswith(" (see `captioning caption --help`)") and len(line) < 250


def test_folders_that_cannot_be_listed_are_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refused(path: str):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(os, "scandir", refused)
    (listed,) = expand(str(tmp_path))
    assert listed.path == str(tmp_path)
    assert listed.error == f"{tmp_path} cannot be read (Permission denied)"


@pytest.mark.slow
def test_few_images_are_in_memory_at_a_time(
    model: str, picture: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    decoded: list[weakref.ref[Image.Image]] = []
    largest = 0

    def observed(data: bytes, name: str) -> Image.Image:
        nonlocal largest
        image = decode_image(data, name)
        decoded.append(weakref.ref(image))
        largest = max(largest, sum(ref() is not None for ref in decoded))
        return image

    monkeypatch.setattr(images, "decode_image", observed)
    monkeypatch.setattr(os, "cpu_count", lambda: 2)
    arguments = ["--beam", "64", "--model", model, "--json"]
    assert main(["caption", *[picture] * 20, *arguments]) == 0
    rows = Output(capsys).rows
    assert len(rows) == 20 and all(row == rows[0] for row in rows)
    # One in each thread, and the one that was just decoded; of the others, only the features.
    assert largest <= 2 + 1


# Standard input, lists and folders.


@pytest.mark.slow
def test_a_picture_is_read_from_standard_input(
    model: str, picture: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = ["caption", "-", picture, "--model", model, "--json"]
    data = io.BytesIO(Path(picture).read_bytes())
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(data))
    assert main(arguments) == 0
    first, second = Output(capsys).rows
    assert first.pop("image") == "-" and second.pop("image") == picture and first == second
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(b"text")))
    assert main(arguments) == 1
    assert Output(capsys).errors == [
        "error: -: not an image: its beginning is not that of any known image format"
    ]


@pytest.mark.slow
def test_lists_are_captioned_in_their_order_and_beside_names(
    model: str,
    picture: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    (tmp_path / "list").write_text(f"missing.png\n\n{picture}\n")
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(os.fsencode(picture))))
    arguments = [picture, "--list", str(tmp_path / "list"), "--list", "-"]
    assert main(["caption", *arguments, "--model", model, "--json"]) == 1
    output = Output(capsys)
    assert [row["image"] for row in output.rows] == [picture] * 3
    assert output.errors == ["error: missing.png cannot be read (No such file or directory)"]


@pytest.mark.slow
def test_subfolders_are_read_if_that_is_asked_for(
    model: str, picture: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "album/2026").mkdir(parents=True)
    (tmp_path / "album/2026/a.png").write_bytes(Path(picture).read_bytes())
    (tmp_path / "album/notes.txt").touch()
    arguments = ["caption", str(tmp_path / "album"), "--model", model, "--json"]
    assert main(arguments) == 1
    only, note = Output(capsys).errors
    assert "in its subfolders only: --recursive reads these too" in only
    assert note.startswith("note: 1 file in folders left out, by names that")
    assert main([*arguments, "--recursive"]) == 0
    assert [row["image"] for row in Output(capsys).rows] == [f"{tmp_path}/album/2026/a.png"]


# Files.


@pytest.mark.slow
def test_captions_are_written_to_a_file_and_failures_are_counted(
    model: str, picture: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    output = tmp_path / "captions.jsonl"
    names = [picture, "missing.png", str(tmp_path / "nowhere"), picture]
    arguments = ["caption", *names, "--model", model, "--n", "2"]
    assert main([*arguments, "-o", str(output)]) == 1
    captured = capsys.readouterr()
    assert captured.out == ""
    *errors, last = captured.err.splitlines()
    assert errors == [
        f"error: {name} cannot be read (No such file or directory)" for name in names[1:3]
    ]
    assert last == f"{output}: 4 images; 2 failed, see the column error"
    written = [json.loads(line) for line in output.read_text().splitlines()]
    assert [row["path"] for row in written] == names
    assert main([*arguments, "--json"]) == 1
    printed = Output(capsys).rows
    for name in ("captions", "log_probabilities"):
        assert [row[name] for row in written if not row["error"]] == [row[name] for row in printed]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "name an image, a folder or a URL to caption, or give a --list of them"),
        (["-", "-o", "x.csv"], "cannot be read again after an interruption"),
        (["a.png", "-o", "x.txt"], "a name that ends in .parquet, .jsonl or .csv"),
        (["a.png", "-o", "x.jsonl", "--json"], "--json is for captions that are printed"),
        (["a.png", "-o", "x.csv", "--attention", "a.png"], "--attention goes with captions that"),
        (["a.png", "-o", "x.csv", "--top-k", "2", "--beam", "3"], "--beam is about beam search"),
        (["a.png", "-o", "x.csv"], "there is no trained model in data/model: give its folder with"),
    ],
)
def test_what_does_not_go_together_is_refused(
    arguments: list[str],
    message: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "a.png").touch()
    assert main(["caption", *arguments]) == 1
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("error: ") and message in line
    assert [path.name for path in tmp_path.iterdir()] == ["a.png"]


def test_without_a_model_the_message_says_what_to_do(
    picture: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(images, "decode_image", None)  # Nothing is decoded before.
    assert main(["caption", picture]) == 1
    assert capsys.readouterr().err.splitlines() == [
        "error: there is no trained model in data/model: give its folder with --model, or train "
        "one with `dvc repro`"
    ]
