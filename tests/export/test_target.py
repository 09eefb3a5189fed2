"""An export is written whole or not at all, and replaces nothing but an older export."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from captioning.cli.main import main
from captioning.core.errors import InputError
from captioning.export.target import MODEL_FILE, check_target, new_folder


def _export(folder: Path, text: str) -> None:
    with new_folder(folder) as unfinished:
        (unfinished / MODEL_FILE).write_text(text)


def test_an_interrupted_export_leaves_nothing(tmp_path: Path) -> None:
    with pytest.raises(KeyboardInterrupt), new_folder(tmp_path / "out") as folder:
        (folder / MODEL_FILE).write_text("half")
        raise KeyboardInterrupt
    assert list(tmp_path.iterdir()) == []


def test_an_interrupted_export_keeps_the_older_one(tmp_path: Path) -> None:
    _export(tmp_path / "out", "old")
    with pytest.raises(OSError, match="disk full"), new_folder(tmp_path / "out"):
        raise OSError("disk full")
    assert [path.name for path in tmp_path.iterdir()] == ["out"]
    assert (tmp_path / "out" / MODEL_FILE).read_text() == "old"


def test_an_export_replaces_an_older_one_and_what_a_kill_left(tmp_path: Path) -> None:
    _export(tmp_path / "out", "old")
    (tmp_path / "out" / "variables").mkdir()
    (tmp_path / ".out.partial" / "variables").mkdir(parents=True)
    _export(tmp_path / "out", "new")
    assert [path.name for path in tmp_path.iterdir()] == ["out"]
    assert [path.name for path in (tmp_path / "out").iterdir()] == [MODEL_FILE]
    assert (tmp_path / "out" / MODEL_FILE).read_text() == "new"


def test_what_exists_is_replaced_only_if_it_is_an_export(tmp_path: Path) -> None:
    model, out = tmp_path / "model", tmp_path / "out"
    check_target(out, model, replace=False)
    _export(out, "old")
    check_target(out, model, replace=True)
    with pytest.raises(InputError, match=r"out exists: .* replace it with --force"):
        check_target(out, model, replace=False)
    (out / MODEL_FILE).rename(out / "letters.txt")
    with pytest.raises(InputError, match="contains no exported model"):
        check_target(out, model, replace=True)
    (tmp_path / "link").symlink_to(out)
    for name in ("link", "out/letters.txt"):
        with pytest.raises(InputError, match="is not a folder"):
            check_target(tmp_path / name, model, replace=True)
    for inside in (model, model / "exported"):
        with pytest.raises(InputError, match="lies in the folder of the model"):
            check_target(inside, model, replace=False)


def test_wrong_options_are_said_before_tensorflow_is_imported(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    # This is how Python marks a module that cannot be imported.
    monkeypatch.setitem(sys.modules, "captioning.export.folder", None)
    (tmp_path / "out").mkdir()
    out = str(tmp_path / "out")
    for options, message in {
        ("--decoder", "greedy", "--beam", "4"): "have no effect with --decoder greedy",
        (): "out exists",
    }.items():
        assert main(["export", out, *options]) == 1
        assert message in capsys.readouterr().err
    with pytest.raises(SystemExit):
        main(["export", out, "--beam", "65"])
    assert "beam width must be a whole number" in capsys.readouterr().err


def test_a_model_that_cannot_be_loaded_leaves_no_folder(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "exports" / "out"
    assert main(["export", str(out), "--model", str(tmp_path / "none")]) == 1
    assert "decoder.keras is missing" in capsys.readouterr().err
    assert not out.parent.exists()
