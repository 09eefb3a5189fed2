"""Finds out what the processor of this machine supports."""

from __future__ import annotations

import sys
from pathlib import Path

CPU_INFO = Path("/proc/cpuinfo")
# The line that lists a processor's abilities on x86 and on Arm, and those with bfloat16 arithmetic.
_BFLOAT16 = {"flags": {"avx512_bf16", "amx_bf16"}, "Features": {"bf16"}}


def emulates_bfloat16(cpu_info: Path = CPU_INFO) -> bool:
    """Whether bfloat16 arithmetic is certainly emulated, which is slower than float32.

    Args:
        cpu_info: description of the processors by the Linux kernel. False where it is missing, as
            on other systems, or does not list the abilities of an x86 or Arm processor.
    """
    try:
        lines = cpu_info.read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return False
    for line in lines:
        name, _, values = line.partition(":")
        native = _BFLOAT16.get(name.strip())
        if native is not None:
            return not native & set(values.split())
    return False


def warn_if_bfloat16_is_slow(cpu_info: Path = CPU_INFO) -> None:
    """Print a warning where training with `train.precision: bfloat16` on the CPU is slow."""
    if emulates_bfloat16(cpu_info):
        print(
            "warning: train.precision is bfloat16, but this CPU has no bfloat16 arithmetic: "
            "float32 is faster here",
            file=sys.stderr,
        )
