"""Harmless log lines are hidden; whatever else is written to standard error passes unchanged."""

from __future__ import annotations

import fcntl
import os
import pty
import signal
import struct
import subprocess
import sys
import termios

import pytest

from captioning.stage.stderr_filter import LineFilter

INFO = "I0000 00:00:1795862725.557839    4075 "
ERROR = "E0000 00:00:1795862725.557839    4075 "
HARMLESS = [
    "WARNING: All log messages before absl::InitializeLog() is called are written to STDERR",
    f"{INFO}port.cc:153] oneDNN custom operations are on. You may see slightly different",
    f"{INFO}cudart_stub.cc:31] Could not find cuda drivers on your machine, GPU will not be",
    f"{ERROR}cuda_platform.cc:52] failed call to cuInit: INTERNAL: CUDA error: Failed call to "
    "cuInit: UNKNOWN ERROR (303)",
    f"{ERROR}node_def_util.cc:682] NodeDef mentions attribute use_unbounded_threadpool "
    "which is not in the op definition: Op<name=MapDataset; signature=input_dataset:variant>",
    f"{ERROR}util.cc:131] oneDNN supports DT_INT64 only on platforms with AVX-512. Falling",
]
UNKNOWN = [
    "WARNING: All log messages",
    f"{ERROR}cuda_platform.cc:52] failed call to cuInit: UNKNOWN ERROR (999)",
    f"{ERROR}node_def_util.cc:682] NodeDef mentions attribute x which is not in the op",
    f"{ERROR}other.cc:153] oneDNN custom operations are on.",
    f"{INFO}port.cc:153] something else",
    f"> {HARMLESS[1]}",
    "",
    "\t50%|█████     | 5/10",
]
START = (
    "import os, signal, subprocess, sys, time\n"
    "from captioning.stage.quiet import quiet_tensorflow\n"
    "def raw(text, end='\\n'):\n"
    "    os.write(2, (text + end).encode())\n"
)


def python(code: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run a program after `START`; what it prints is UTF-8."""
    inherited = {k: v for k, v in os.environ.items() if k != "TF_CPP_MIN_LOG_LEVEL"}
    return subprocess.run(
        [sys.executable, "-c", START + code],
        env={**inherited, "PYTHONUTF8": "1", **environment},
        capture_output=True,
        encoding="utf-8",
        check=False,
        timeout=120,
    )


def test_harmless_lines_are_hidden_and_all_others_pass_in_order():
    lines = [line for pair in zip(HARMLESS, UNKNOWN, strict=False) for line in pair] + UNKNOWN
    done = python(f"with quiet_tensorflow():\n    for line in {lines!r}:\n        raw(line)\n")
    assert done.returncode == 0
    expected = [line for line in lines if line not in HARMLESS]
    assert done.stderr == "".join(f"{line}\n" for line in expected)


def test_python_and_cpp_write_in_the_order_in_which_they_were_called():
    done = python(
        "import warnings\n"
        "with quiet_tensorflow():\n"
        "    for number in range(300):\n"
        "        raw(f'raw {number}')\n"
        "        print(f'python {number}', file=sys.stderr)\n"
        "    raw('unfinished', end='')\n"
        "    print(' line', file=sys.stderr)\n"
        "    1 / 0\n"
    )
    expected = [f"{who} {number}" for number in range(300) for who in ("raw", "python")]
    lines = done.stderr.splitlines()
    assert lines[:601] == [*expected, "unfinished line"]
    assert lines[601].startswith("Traceback") and lines[-1] == "ZeroDivisionError: division by zero"
    assert done.returncode == 1


@pytest.mark.parametrize(
    ("end", "status"),
    [
        ("pass", 0),
        ("sys.exit(3)", 3),
        ("os._exit(4)", 4),
        ("os.abort()", -signal.SIGABRT),
        ("os.kill(os.getpid(), signal.SIGKILL)", -signal.SIGKILL),
        ("os.kill(os.getpid(), signal.SIGSEGV)", -signal.SIGSEGV),
        ("os.kill(os.getpid(), signal.SIGTERM)", -signal.SIGTERM),
        ("os.killpg(0, signal.SIGINT)", -signal.SIGINT),
    ],
)
def test_the_last_lines_and_the_exit_status_survive_every_end_of_the_process(end, status):
    # With the default action of SIGINT nothing in the process can help.
    done = python(
        "os.setsid()\n"
        "signal.signal(signal.SIGINT, signal.SIG_DFL)\n"
        "with quiet_tensorflow():\n"
        f"    raw({HARMLESS[1]!r})\n"
        "    raw('last line')\n"
        "    raw('last words', end='')\n"
        f"    {end}\n"
    )
    assert done.stderr == "last line\nlast words"
    assert done.returncode == status


def test_what_subprocesses_write_is_filtered_without_loss():
    text = "x" * 99
    done = python(
        f"code = \"import sys; sys.stderr.write('{text}\\\\n' * 20000)\"\n"
        "with quiet_tensorflow():\n"
        "    subprocess.run([sys.executable, '-c', code], check=True)\n"
        f"    shell = ['sh', '-c', 'echo \"$0\" >/dev/stderr', {HARMLESS[0]!r}]\n"
        "    subprocess.run(shell, check=True)\n"
        "print('end', file=sys.stderr)\n"
    )
    assert done.stderr == f"{text}\n" * 20000 + "end\n"


@pytest.mark.slow
def test_output_of_a_subprocess_that_lives_longer_passes_and_is_not_waited_for():
    done = python(
        "started = time.monotonic()\n"
        "with quiet_tensorflow():\n"
        "    subprocess.Popen(['sh', '-c', 'sleep 3; echo late >&2'])\n"
        "print(time.monotonic() - started)\n"
    )
    assert float(done.stdout) < 2.9
    assert done.stderr == "late\n"


def test_after_the_block_nothing_is_filtered():
    done = python(
        "before = sys.stderr\n"
        "with quiet_tensorflow():\n"
        "    inside = sys.stderr\n"
        f"raw({HARMLESS[0]!r})\n"
        "print(sys.stderr is before)\n"
        "inside.write('to the stream of the block\\n')\n"
    )
    assert done.stdout == "True\n"
    assert done.stderr == f"{HARMLESS[0]}\nto the stream of the block\n"


def test_level_0_shows_everything():
    code = f"with quiet_tensorflow():\n    raw({HARMLESS[1]!r})\n"
    assert python(code, TF_CPP_MIN_LOG_LEVEL="0").stderr == f"{HARMLESS[1]}\n"
    assert python(code, TF_CPP_MIN_LOG_LEVEL="2").stderr == ""


def test_closed_standard_error_is_no_error():
    done = python("os.close(2)\nwith quiet_tensorflow():\n    print('works')\n")
    assert (done.returncode, done.stdout) == (0, "works\n")


def test_progress_bars_still_see_a_terminal():
    master, slave = pty.openpty()
    fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("4H", 24, 80, 0, 0))
    code = (
        "from tqdm import tqdm\n"
        "with quiet_tensorflow():\n"
        "    for _ in tqdm(range(3), 'bar', disable=None):\n"
        f"        raw({HARMLESS[3]!r})\n"
        "    raw('unknown')\n"
    )
    with subprocess.Popen([sys.executable, "-c", START + code], stderr=slave) as process:
        os.close(slave)
        shown = b""
        try:
            while chunk := os.read(master, 1 << 16):
                shown += chunk
        except OSError:  # Linux's end of a terminal.
            pass
    os.close(master)
    assert process.returncode == 0
    assert b"\rbar: 100%" in shown and b"unknown" in shown
    assert b"cuInit" not in shown


@pytest.mark.slow
def test_tensorflow_itself_logs_nothing():
    done = python(
        "with quiet_tensorflow():\n"
        "    import tensorflow as tf\n"
        "    from captioning.runtime.device import use_device\n"
        "    use_device(1)\n"
        "    double = tf.function(lambda x: 2 * x, jit_compile=True)\n"
        "    numbers = tf.data.Dataset.range(9).map(double, tf.data.AUTOTUNE, deterministic=True)\n"
        "    print(sum(int(x) for x in numbers.batch(2).unbatch()))\n"
    )
    assert (done.stdout, done.stderr) == ("72\n", "")


@pytest.mark.parametrize("size", [1, 7, 10_000])
def test_lines_are_recognized_however_they_are_read(size):
    text = "\n".join([*UNKNOWN, *HARMLESS, "\r50%", *HARMLESS, "end"]).encode()
    lines = LineFilter()
    passed = [lines.feed(text[at : at + size]) for at in range(0, len(text), size)]
    expected = "\n".join([*UNKNOWN, "\r50%", "end"]).encode()
    assert b"".join(passed) + lines.flush() == expected


def test_the_rest_of_a_line_is_no_line_of_its_own():
    lines = LineFilter()
    assert lines.feed(b"unfinished: ") + lines.flush() == b"unfinished: "
    rest = f"{HARMLESS[0]}\n".encode()
    assert lines.feed(rest) == rest
    assert lines.feed(rest) == b""
