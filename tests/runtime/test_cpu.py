"""Which processors are known to emulate bfloat16."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from captioning.runtime.cpu import emulates_bfloat16, warn_if_bfloat16_is_slow

X86 = (
    "processor\t: {number}\nmodel name\t: A model\nflags\t\t: fpu sse2 avx2 {flags}\nbugs\t\t:\n\n"
)
ARM = "processor\t: {number}\nFeatures\t: fp asimd {flags}\nCPU implementer\t: 0x41\n\n"


@pytest.mark.parametrize(
    ("description", "flags", "emulated"),
    [
        (X86, "avx512f avx512_vnni", True),
        (X86, "avx512f avx512_bf16 amx_tile", False),
        (X86, "amx_bf16", False),
        # Bits of a longer name do not count.
        (X86, "not_avx512_bf16_really", True),
        (ARM, "i8mm", True),
        (ARM, "i8mm bf16", False),
        # POWER and others list no abilities.
        ("processor\t: {number}\ncpu\t\t: POWER9\n\n", "", False),
        ("", "", False),
    ],
)
def test_only_a_processor_that_lists_its_abilities_without_bfloat16_emulates_it(
    tmp_path: Path, description, flags, emulated
):
    path = tmp_path / "cpuinfo"
    path.write_text("".join(description.format(number=n, flags=flags) for n in range(2)))
    assert emulates_bfloat16(path) is emulated


def test_systems_without_a_description_are_not_said_to_emulate_it(tmp_path):
    assert not emulates_bfloat16(tmp_path / "missing")


@pytest.mark.parametrize("flags", ["avx2", "avx512_bf16"])
def test_the_warning_names_the_param_and_what_is_faster(tmp_path, capsys, flags):
    path = tmp_path / "cpuinfo"
    path.write_text(X86.format(number=0, flags=flags))
    warn_if_bfloat16_is_slow(path)
    warned = capsys.readouterr().err
    assert bool(warned) == (flags == "avx2")
    assert not warned or re.fullmatch(r"warning: train\.precision .* float32 is faster.*\n", warned)
