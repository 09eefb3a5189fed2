"""The documentation names only files, headings, targets, settings and options that exist."""

from __future__ import annotations

import re
import shlex
import subprocess
import sys
from itertools import pairwise
from pathlib import Path

import pytest
from imports import ROOT
from stage_definitions import load

from captioning.experiments.revisions import flatten

PAGES = sorted(
    path.relative_to(ROOT).as_posix()
    for pattern in ("*.md", "docs/*.md", "benchmarks/*.md")
    for path in ROOT.glob(pattern)
)
LINK = re.compile(r"\]\(([^)\s]+)\)")


def text(page: str | Path) -> str:
    return (ROOT / page).read_text(encoding="utf-8")


def anchors(page: Path) -> set[str]:
    """The headings of a Markdown file, in the form in which GitHub links to them."""
    headings = re.findall(r"^#+ (.+)$", page.read_text(encoding="utf-8"), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading).lower().replace(" ", "-") for heading in headings}


def commands(page: str) -> list[list[str]]:
    """The words of every command in a console block, comments removed."""
    blocks = re.findall(r"```console\n(.*?)```", text(page), re.DOTALL)
    lines = "\n".join(blocks).replace("\\\n", " ").splitlines()
    return [shlex.split(line[2:], comments=True) for line in lines if line.startswith("$ ")]


@pytest.mark.parametrize("page", PAGES)
def test_every_link_leads_to_a_file_and_heading_that_exist(page):
    for link in LINK.findall(text(page)):
        if link.startswith("https://"):
            continue
        name, _, heading = link.partition("#")
        target = (ROOT / page).parent / name if name else ROOT / page
        assert target.exists(), f"{page}: {link}"
        assert not heading or heading in anchors(target), f"{page}: {link}"


@pytest.mark.parametrize("page", PAGES)
def test_every_file_of_the_project_that_a_page_names_exists(page):
    named = re.findall(
        r"`((?:src|stages|tests|docs|locks|benchmarks|data/example)/[\w./-]+)`", text(page)
    )
    # What is written when somebody calls a benchmark.
    written = {"benchmarks/results.json", "benchmarks/growth.json"}
    assert [name for name in named if name not in written and not (ROOT / name).exists()] == []


@pytest.mark.parametrize("page", PAGES)
def test_every_command_names_targets_and_settings_that_exist(page):
    targets = re.findall(r"^([a-z-]+):.*##", text("Makefile"), re.MULTILINE)
    keys = set(flatten(load("params.yaml")))
    for words in commands(page):
        if words[0] == "make":
            assert words[1] in targets, words
        for flag, setting in pairwise(words):
            if flag in ("-S", "--set-param"):
                assert setting.split("=")[0] in keys, setting
    for target in re.findall(r"`make ([a-z-]+)`", text(page)):
        assert target in targets, target


@pytest.mark.parametrize("command", ["caption", "compare", "gate", "report"])
def test_every_option_of_the_captioning_command_that_a_page_shows_exists(command):
    done = subprocess.run(
        [sys.executable, "-m", "captioning", command, "--help"],
        capture_output=True,
        text=True,
        check=True,
    )
    shown = [
        word
        for page in PAGES
        for words in commands(page)
        if words[:2] == ["captioning", command]
        for word in words
        if word.startswith("--")
    ]
    assert shown
    for option in shown:
        assert option in done.stdout


def test_the_readme_names_every_page_of_the_documentation():
    linked = {link.partition("#")[0] for link in LINK.findall(text("README.md"))}
    assert {page for page in PAGES if page.startswith("docs/")} <= linked
