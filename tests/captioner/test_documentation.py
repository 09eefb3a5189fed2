"""The examples of docs/library.md and the cells of docs/captioner.ipynb run; the site builds."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys

import nbformat
import pytest
from imports import ROOT
from nbclient import NotebookClient
from untrained_captioner import WORDS, write_model

from captioning.text import WordVocabulary

LIBRARY = ROOT / "docs/library.md"
NOTEBOOK = ROOT / "docs/captioner.ipynb"


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A folder with `data/model` and `data/example`, as after `make repro`."""
    top = tmp_path_factory.mktemp("repository")
    captions = [*WORDS, "three green circles on a plain background", "a large red square"]
    vocabulary = WordVocabulary.fit(captions, 100, 1)
    write_model(top / "data/model", vocabulary, captions, max_length=16)
    shutil.copytree(ROOT / "data/example", top / "data/example")
    return top


@pytest.mark.slow
def test_the_examples_of_the_library_run_one_after_the_other(folder, monkeypatch):
    blocks = re.findall(r"```python\n(.*?)```", LIBRARY.read_text(encoding="utf-8"), re.DOTALL)
    assert len(blocks) >= 10
    monkeypatch.chdir(folder)
    names: dict[str, object] = {}
    for number, block in enumerate(blocks, start=1):
        exec(compile(block, f"{LIBRARY.name}, block {number}", "exec"), names)


@pytest.mark.slow
def test_the_cells_of_the_notebook_run(folder):
    notebook = nbformat.read(NOTEBOOK, as_version=4)
    code = [cell for cell in notebook.cells if cell.cell_type == "code"]
    first = code[0]
    assert re.findall(r"^(\w+) = ", first.source, re.MULTILINE) == ["MODEL", "IMAGE"]
    first.source = first.source.replace("../data", str(folder / "data"))
    NotebookClient(notebook, timeout=300, kernel_name="python3").execute()
    printed = [output for cell in code for output in cell.outputs]
    assert any("image/png" in output.get("data", {}) for output in printed)
    assert len(code) >= 8


def test_the_notebook_is_stored_without_outputs():
    notebook = nbformat.read(NOTEBOOK, as_version=4)
    for cell in notebook.cells:
        if cell.cell_type == "code":
            assert cell.outputs == [] and cell.execution_count is None


@pytest.mark.slow
def test_the_site_builds_without_a_warning_and_has_every_page(tmp_path):
    command = [sys.executable, "-m", "mkdocs", "build", "--strict", "--site-dir", str(tmp_path)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    pages = {path.relative_to(ROOT / "docs") for path in (ROOT / "docs").rglob("*.md")}
    for page in pages:
        assert (tmp_path / page.with_suffix(".html")).is_file(), page
    interface = (tmp_path / "api/captioner.html").read_text(encoding="utf-8")
    names = ("Captioner.load", "Captioner.__call__", "Captioner.log_probabilities", "Caption")
    for name in names:
        assert f'id="captioning.captioner.{name}"' in interface
