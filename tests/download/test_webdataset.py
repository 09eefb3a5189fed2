"""WebDataset shards as folders of one's own images."""

from __future__ import annotations

import json
import random
import tarfile

import pyarrow as pa
import pytest
from own_pictures import captions, numbered, read, splits, write_parquet
from published_forms import problems
from s3_server import BUCKET, client, s3_server
from tar_shards import sample, tar, write_shards

from captioning.core.errors import InputError
from captioning.download.datasets.folder.files import FolderFiles


def test_shards_of_img2dataset(tmp_path, capsys):
    folder = write_shards(tmp_path, samples=12, each=5)
    schema = {name: pa.string() for name in ("url", "key", "status", "caption")}
    write_parquet(folder / "00000.parquet", schema, ("http://x", "0", "success", "c"))
    (folder / "00000_stats.json").write_text('{"count": 5, "caption": ""}')
    examples, rejected = read(folder)
    assert rejected == {}
    assert {example.image_id: (example.image, example.captions) for example in examples} == {
        f"{number // 5:05d}.tar/{number:09d}.jpg": (numbered(number), (f"picture number {number}",))
        for number in range(12)
    }
    assert capsys.readouterr().out == "read as: WebDataset, 3 shards, 12 pictures\n"


def test_every_shard_is_read_once_for_all_splits(tmp_path, monkeypatch):
    opened = []
    open_file = FolderFiles.open

    def recorded(self, name):
        opened.append(name)
        return open_file(self, name)

    monkeypatch.setattr(FolderFiles, "open", recorded)
    examples, _ = read(write_shards(tmp_path, samples=40, each=20), test_share=0.3)
    # For the captions, to compare the images, and to yield them.
    assert opened == ["00000.tar", "00001.tar"] * 3
    assert {example.split for example in examples} == {"train", "validation", "test"}


def test_files_of_img2dataset(tmp_path, capsys):
    for number in range(3):
        for name, data in sample(number):
            (tmp_path / "00000").mkdir(exist_ok=True)
            (tmp_path / "00000" / name).write_bytes(data)
    schema = {name: pa.string() for name in ("url", "key", "status", "caption")}
    write_parquet(tmp_path / "00000.parquet", schema, ("http://x", "0", "success", "c"))
    (tmp_path / "00000_stats.json").write_text('{"count": 3}')
    assert captions(tmp_path) == {
        f"00000/{number:09d}.jpg": (f"picture number {number}",) for number in range(3)
    }
    assert capsys.readouterr().out == "read as: img2dataset's files, 3 pictures\n"


def test_parquet_of_img2dataset(tmp_path):
    schema = {"url": pa.string(), "key": pa.string(), "status": pa.string()}
    schema |= {"caption": pa.string(), "jpg": pa.binary()}
    rows = [("u", str(number), "success", f"c {number}", numbered(number)) for number in range(3)]
    write_parquet(tmp_path / "00000.parquet", schema, *rows)
    assert captions(tmp_path) == {f"00000.parquet#{n + 1}": (f"c {n}",) for n in range(3)}


def test_samples_of_several_kinds(tmp_path):
    members = [
        ("./a/0.x.JPG", numbered(0)),
        ("./a/0.txt", "\ufeffOne.\r\n\nTwo.\n".encode()),
        ("b.cls", b"7"),
        ("b.json", json.dumps({"captions": ["Three.", "Four."], "width": 3}).encode()),
        ("b.png", numbered(1)),
        ("c.json", b'{"label": 1}'),
        ("c.txt", b"Five."),
        ("c.webp", numbered(2)),
        ("d.txt", b"no image"),
        ("e.jpg", numbered(3)),
        (".hidden", b""),
    ]
    (tmp_path / "all.tar").write_bytes(tar(members))
    examples, rejected = read(tmp_path)
    assert {example.image_id: example.captions for example in examples} == {
        "all.tar/./a/0.x.JPG": ("One.", "Two."),
        "all.tar/b.png": ("Three.", "Four."),
        "all.tar/c.webp": ("Five.",),
    }
    assert rejected == {"image without captions": ["all.tar/e.jpg"]}


def test_the_names_of_shards_tell_the_splits(tmp_path):
    for number, name in enumerate(("train-000.tar", "train-001.tar", "val/0.tar", "coco_test.tar")):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(tar(sample(number)))
    assert sorted(splits(tmp_path).values()) == ["test", "train", "train", "validation"]


def test_problems_of_shards_are_listed(tmp_path):
    link = tarfile.TarInfo("0.jpg")
    link.type, link.linkname = tarfile.SYMTYPE, "/etc/passwd"
    device = tarfile.TarInfo("dev.jpg")
    device.type = tarfile.CHRTYPE
    members = [
        ("../evil.jpg", b""),
        ("/etc/evil.txt", b"evil"),
        ("a.jpg", numbered(1)),
        ("a.jpg", numbered(2)),
        ("a.txt", b"caf\xe9"),
        ("b.jpg", numbered(3)),
        ("b.json", b'{"caption": '),
        ("c.jpg", numbered(4)),
        ("c.json", b'{"caption": 7}'),
        ("d.jpg", numbered(5)),
        ("d.txt", b"x" * ((1 << 20) + 1)),
        ("e.jpg", numbered(6)),
        ("e.txt", b"fine"),
        ("f.txt", b"fine"),
        ("e.jpg", numbered(7)),
    ]
    (tmp_path / "0.tar").write_bytes(tar(members, link, device))
    assert [line.partition(" (")[0] for line in problems(tmp_path)] == [
        "0.tar: its member '../evil.jpg' leads outside the archive",
        "0.tar: its member '/etc/evil.txt' leads outside the archive",
        "0.tar: its member '0.jpg' is not a regular file",
        "0.tar: its member 'dev.jpg' is not a regular file",
        "0.tar: a: a.txt is not UTF-8: save the file in that encoding",
        "0.tar: a: the file 'a.jpg' occurs twice",
        "0.tar: b: its JSON file is not valid",
        "0.tar: c: a caption must be text, not 7",
        "0.tar: d.txt: is larger than 1,048,576 bytes",
        "0.tar: e: 0.tar/e.jpg occurs twice: remove one of them",
    ]


THREE = tar([member for number in range(3) for member in sample(number)])
# Where the last file ends, and two blocks of zeros begin.
END = (len(THREE.rstrip(b"\0")) + 511) // 512 * 512


@pytest.mark.parametrize("length", [100, 512, 700, 1024, 1500, 2048, END - 512, END - 1, END])
def test_a_shard_that_is_cut_off_is_a_problem(tmp_path, length):
    (tmp_path / "0.tar").write_bytes(THREE[:length])
    (problem,) = problems(tmp_path)
    assert problem.startswith("0.tar: is damaged, cut off or not a plain tar archive (")


def test_a_shard_without_its_padding_is_read(tmp_path):
    (tmp_path / "0.tar").write_bytes(THREE[: END + 512])
    assert len(captions(tmp_path)) == 3


@pytest.mark.parametrize("data", [b"", b"not a tar archive" * 100, b"\x1f\x8b" + b"x" * 1000])
def test_what_is_no_tar_archive_is_a_problem(tmp_path, data):
    (tmp_path / "0.tar").write_bytes(data)
    (problem,) = problems(tmp_path)
    assert problem.startswith("0.tar: is damaged, cut off or not a plain tar archive (")


def test_damaged_shards_raise_nothing_but_input_errors(tmp_path):
    random.seed(1)
    for _ in range(200):
        data = bytearray(THREE)
        for _ in range(random.randint(1, 8)):
            data[random.randrange(4096)] = random.randrange(256)
        (tmp_path / "0.tar").write_bytes(data)
        try:
            examples, _ = read(tmp_path)
        except InputError as error:
            assert "Traceback" not in str(error)
        else:
            assert {len(example.captions) for example in examples} <= {1, 2}


# Shards in an object store.


@pytest.fixture(scope="module")
def bucket(tmp_path_factory):
    with s3_server():
        folder = write_shards(tmp_path_factory.mktemp("shards"), samples=9, each=3)
        for path in sorted(folder.iterdir()):
            client().upload_file(str(path), BUCKET, f"train/{path.name}")
        yield f"s3://{BUCKET}"


@pytest.mark.slow
def test_shards_are_streamed_from_an_object_store(tmp_path, bucket, capsys):
    (tmp_path / "shards.txt").write_text(f"# mine\n\n{bucket}/train/{{00000..00002}}.tar\n")
    examples, rejected = read(tmp_path)
    assert rejected == {}
    assert {example.image_id: (example.image, example.captions) for example in examples} == {
        f"{BUCKET}/train/{number // 3:05d}.tar/{number:09d}.jpg": (
            numbered(number),
            (f"picture number {number}",),
        )
        for number in range(9)
    }
    assert capsys.readouterr().out == "read as: WebDataset, 3 shards, 9 pictures\n"


@pytest.mark.slow
def test_a_shard_that_is_not_in_the_store_is_one_error(tmp_path, bucket):
    (tmp_path / "shards.txt").write_text(f"{bucket}/train/00000.tar\n{bucket}/train/9.tar\n")
    with pytest.raises(InputError, match=rf"^{bucket}/train/9\.tar: .*check the URL"):
        read(tmp_path)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("file:///etc/x.tar", r"shards\.txt:1: 'file:///etc/x\.tar' is not the URL of a tar arch"),
        ("http://169.254.169.254/x.tar", r"shards\.txt:1: .*is not the URL"),
        ("s3://b/x.zip", r"shards\.txt:1: .*is not the URL"),
        ("s3://b/{3..1}.tar", r"shards\.txt:1: \{3\.\.1\} is not a range of at most 100,000"),
        ("s3://b/{0..99999999}.tar", r"shards\.txt:1: .* is not a range of at most"),
        ("s3://b/{0..99}/{0..9999}.tar", r"lists more than 100,000 shards"),
        ("s3://b/{0..2}.tar\ns3://b/1.tar", r"shards\.txt:2: s3://b/1\.tar occurs twice"),
    ],
)
def test_lists_of_shards_are_checked(tmp_path, text, message):
    (tmp_path / "shards.txt").write_text(text)
    with pytest.raises(InputError, match=message):
        read(tmp_path)


def test_a_list_of_shards_beside_shards_is_refused(tmp_path):
    write_shards(tmp_path, samples=3, each=3)
    (tmp_path / "shards.txt").write_text("s3://b/1.tar\n")
    with pytest.raises(InputError, match=r"has shards and a list of shards, shards\.txt: remove"):
        read(tmp_path)


def test_shards_that_the_library_webdataset_writes(tmp_path):
    """img2dataset writes its shards with this library, too."""
    webdataset = pytest.importorskip("webdataset")
    for split, numbers in (("train", range(4)), ("val", [4]), ("test", [5])):
        with webdataset.TarWriter(str(tmp_path / f"{split}-000000.tar")) as writer:
            for number in numbers:
                facts = {"caption": f"über picture {number}", "sha256": "0"}
                name = f"folder.v1/{number:06d}"
                writer.write({"__key__": name, "jpg": numbered(number), "json": facts})
    assert captions(tmp_path) == {
        f"{split}-000000.tar/folder.v1/{number:06d}.jpg": (f"über picture {number}",)
        for split, numbers in (("train", range(4)), ("val", [4]), ("test", [5]))
        for number in numbers
    }
    assert sorted(splits(tmp_path).values()) == ["test", *["train"] * 4, "validation"]
