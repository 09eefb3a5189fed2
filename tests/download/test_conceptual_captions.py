"""Conceptual Captions, from index files and a local server that behaves like the real web."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from hostile_server import PAGES, HostileServer, hostile_server
from imports import ROOT
from small_repository import ENVIRONMENT, make_repository, run, set_params
from url_index import TRAINING, VALIDATION, examples, index, release, shades

from captioning.core.errors import InputError
from captioning.core.files import read_json
from captioning.data.images.decode import decode_image
from captioning.data.raw_table import read_raw
from captioning.download.datasets.base import Rejections
from captioning.download.datasets.conceptual_captions.index import FingerprintSet, fingerprint
from captioning.download.datasets.rejections import MAX_LISTED_NAMES
from captioning.download.web import run_shards, shard_fetcher

SECTION = "datasets.conceptual_captions"


@pytest.fixture
def server() -> Iterator[HostileServer]:
    """A running server."""
    with hostile_server() as running:
        yield running


@pytest.fixture(autouse=True)
def environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No proxy and no cluster; a new cache folder; this machine's own addresses are permitted."""
    for name in (
        *("http_proxy", "HTTP_PROXY", "https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY"),
        *("RAY_ADDRESS", "CAPTIONING_SOURCE", "CAPTIONING_RETRY"),
    ):
        monkeypatch.delenv(name, raising=False)
        ENVIRONMENT.pop(name, None)
    monkeypatch.setenv("CAPTIONING_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("CAPTIONING_PRIVATE_NETWORKS", "127.0.0.0/8")
    monkeypatch.setenv("CAPTIONING_FETCH_TIMEOUT", "1.5")


@pytest.fixture
def small_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    """Ten lines per block."""
    monkeypatch.setattr("captioning.download.datasets.conceptual_captions.index.BLOCK_LINES", 10)


@pytest.fixture
def in_this_process(monkeypatch: pytest.MonkeyPatch) -> None:
    """Fetch in this process, because worker processes take seconds to start."""

    def run_in_this_process(function, shards, processes, on_finished) -> None:
        for shard in shards:
            complete, _ = function(shard)
            on_finished(shard, complete)

    monkeypatch.setattr("captioning.download.web.fetch_missing.run_shards", run_in_this_process)


# The reason for which each page of the hostile server is rejected; None if its image is kept.
OUTCOMES = {
    "/red.jpg": None,
    "/green.png": None,
    "/blue.webp": None,
    "/sideways.jpg": None,
    "/chunked.jpg": None,
    "/moved.jpg": None,
    "/über alles.jpg": None,
    "/same-as-red.jpg": "same picture as another URL's",
    "/404": "status 404",
    "/410": "status 410",
    "/500": "status 500",
    "/silent": "took too long",
    "/slow-header": "took too long",
    "/slow-body": "took too long",
    "/html": "not an image",
    "/truncated.jpg": "truncated or corrupt image",
    "/empty": "empty image",
    "/endless": "body too large",
    "/endless-chunks": "body too large",
    "/endless-redirect": "body too large",
    "/huge": "body too large",
    "/bomb.png": "image too large",
    "/circle": "redirects in a circle",
    "/circle-2": "redirects in a circle",
    "/to-private": "private address refused",
    "/to-file": "redirect that can't be followed",
    "/to-ftp": "redirect that can't be followed",
    "/too-short": "incomplete body",
    "/too-long": "truncated or corrupt image",
    "/reset": "connection lost",
    "/garbage": "answer is not HTTP",
    "/no-ai": "Use of image disallowed by X-Robots-Tag directive",
}
# The same for URLs that are not pages of the server.
OTHER_URLS = {
    "http://host.invalid/a.jpg": "host not found",
    "http://127.0.0.1:1/a.jpg": "connection refused",
    "https://{host}/red.jpg": "TLS failure",
    "http://10.0.0.1/a.jpg": "private address refused",
    "http://a b.invalid/a.jpg": "invalid URL",
}


@pytest.mark.slow
def test_every_kind_of_response_has_its_outcome(
    server: HostileServer, tmp_path: Path, in_this_process: None, capsys: pytest.CaptureFixture[str]
) -> None:
    host = server.url.removeprefix("http://")
    assert len(OUTCOMES) == len(PAGES)
    expected = {server.url + path: reason for path, reason in OUTCOMES.items()}
    expected |= {url.format(host=host): reason for url, reason in OTHER_URLS.items()}
    params = release(tmp_path / "source", list(expected), shades(server, 2), max_failed_share=0.9)
    rejections = Rejections()
    start = time.monotonic()
    found = {e.extras["url"]: e for e in examples(params, rejections) if e.split == "train"}
    assert time.monotonic() - start < 20
    assert list(found) == [url for url, reason in expected.items() if reason is None]
    details = {
        name.split(" ", 1)[1]: reason
        for reason, listed in rejections.listed_names().items()
        for name in listed
    }
    # In parentheses follows what exactly is wrong, such as the decoder's own reason.
    assert f"{server.url}/html (it is a web page)" in details
    names = {name.partition(" (")[0]: reason for name, reason in details.items()}
    assert names == {url: reason for url, reason in expected.items() if reason is not None}
    assert rejections.counts() == Counter(filter(None, expected.values()))
    sizes = {
        url.removeprefix(server.url): decode_image(e.image, url).size for url, e in found.items()
    }
    assert sizes["/red.jpg"] == (48, 32)
    assert sizes["/sideways.jpg"] == (32, 48)
    with capsys.disabled():
        print(f"\n{len(expected)} URLs in {time.monotonic() - start:.1f} s")
        for url, reason in expected.items():
            print(f"  {url.removeprefix(server.url):30} {reason or 'kept'}")


PRIVATE = [
    "127.0.0.1:{port}",
    "localhost:{port}",
    "127.1:{port}",
    "2130706433:{port}",
    "0.0.0.0:{port}",
    "[::1]:{port}",
    "[::ffff:127.0.0.1]:{port}",
    "[64:ff9b::7f00:1]",
    "10.1.2.3",
    "172.16.0.1",
    "192.168.1.1",
    "100.64.0.1",
    "169.254.169.254",
    "[fd00::1]",
    "[fe80::1]",
    "224.0.0.1",
]


@pytest.mark.slow
def test_private_addresses_are_refused_unless_permitted(
    server: HostileServer,
    tmp_path: Path,
    in_this_process: None,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    port = server.server_address[1]
    urls = [f"http://{host.format(port=port)}/red.jpg" for host in PRIVATE]
    params = release(tmp_path / "source", urls, shades(server, 2))
    monkeypatch.delenv("CAPTIONING_PRIVATE_NETWORKS")
    with pytest.raises(InputError, match=r"2 of 2 URLs of .*\(private address refused: 2\)"):
        examples(params)
    monkeypatch.setenv("CAPTIONING_PRIVATE_NETWORKS", "192.0.2.0/24")
    monkeypatch.setenv("CAPTIONING_RETRY", "1")
    with pytest.raises(InputError, match=r"2 of 2 URLs of .*\(private address refused: 2\)"):
        examples(params)
    assert not server.requests
    monkeypatch.setenv("CAPTIONING_PRIVATE_NETWORKS", "127.0.0.1/32")
    with pytest.raises(InputError, match=rf"of {TRAINING} have .*\(private address refused: 1\d\)"):
        examples(params)
    assert set(server.requests) == {
        "/red.jpg",
        *(u.removeprefix(server.url) for u in shades(server, 2)),
    }


def test_a_proxy_is_used_if_its_address_is_permitted(
    server: HostileServer, tmp_path: Path, in_this_process: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    urls = [url.replace(server.url, "http://host.invalid") for url in shades(server, 3)]
    params = release(tmp_path / "source", urls[2:], urls[:2])
    monkeypatch.setenv("http_proxy", server.url)
    assert [e.extras["url"] for e in examples(params)] == urls
    monkeypatch.setenv("CAPTIONING_CACHE", str(tmp_path / "other cache"))
    monkeypatch.delenv("CAPTIONING_PRIVATE_NETWORKS")
    with pytest.raises(InputError, match="private address refused: 2"):
        examples(params)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("CAPTIONING_PRIVATE_NETWORKS", "10.0.0.1/8"),
        ("CAPTIONING_FETCH_THREADS", "0"),
        ("CAPTIONING_FETCH_PROCESSES", "many"),
        ("CAPTIONING_FETCH_TIMEOUT", "nan"),
    ],
)
def test_invalid_settings_are_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, value: str
) -> None:
    monkeypatch.setenv(name, value)
    params = release(tmp_path / "source", ["http://host.invalid/"], ["http://host.invalid/2"] * 2)
    with pytest.raises(InputError, match=name):
        examples(params)


def test_splits_are_the_first_usable_lines_and_other_lines_are_counted(
    server: HostileServer, tmp_path: Path, in_this_process: None
) -> None:
    train, held_out = shades(server, 6), shades(server, 6, start=100)
    params = release(
        tmp_path / "source", [], [], test_images=2, validation_images=2, train_images=3
    )
    lines = [
        b"no tab\n",
        b"a\tb\thttp://host.invalid/\n",
        b"a caption without a URL\t\n",
        b"an old protocol\tftp://host.invalid/a.jpg\n",
        b"no host\thttp:///a.jpg\n",
        b"caf\xe9\thttp://host.invalid/a.jpg\n",
        b"...\thttp://host.invalid/a.jpg\n",
        b"\n",
        b"x" * 200_000 + b"\n",
        f"\ufeffthe first\t {train[0]} \r\n".encode(),
        f"the first again\t{train[0]}\n".encode(),
        f"held out, beyond the slice\t{held_out[5]}\n".encode(),
        f"the second\t{train[1]}\n".encode(),
        f"der dritte: größer\t{train[2]}\n".encode(),
        f"one too many\t{train[3]}\n".encode(),
        b"not read anymore\n",
    ]
    (tmp_path / "source" / TRAINING).write_bytes(b"".join(lines))
    index(tmp_path / "source" / VALIDATION, held_out)
    rejections = Rejections()
    found = [(e.split, e.image_id, *e.captions) for e in examples(params, rejections)]
    assert found == [
        ("test", "validation-0000001", "picture number 1"),
        ("test", "validation-0000002", "picture number 2"),
        ("validation", "validation-0000003", "picture number 3"),
        ("validation", "validation-0000004", "picture number 4"),
        ("train", "training-0000010", "the first"),
        ("train", "training-0000013", "the second"),
        ("train", "training-0000014", "der dritte: größer"),
    ]
    assert rejections.listed_names() == {
        "URL repeated in the index": [f"{TRAINING} line 11"],
        "URL that is neither http nor https": [f"{TRAINING} line 4"],
        "caption without a word": [f"{TRAINING} line 7"],
        "index line that is not UTF-8": [f"{TRAINING} line 6"],
        "index line without a URL": [f"{TRAINING} line 3"],
        "malformed URL": [f"{TRAINING} line 5"],
        "malformed index line": [f"{TRAINING} line {n}" for n in (1, 2, 9)],
        "training URL that the validation index has too": [f"{TRAINING} line 12"],
    }
    assert set(server.requests) == {
        url.removeprefix(server.url) for url in (*train[:3], *held_out[:4])
    }


def test_of_images_with_the_same_bytes_the_one_used_for_evaluation_is_kept(
    server: HostileServer, tmp_path: Path, in_this_process: None
) -> None:
    notice = "/colour/grey?"
    train = [f"{server.url}{notice}{n}" for n in range(3)] + shades(server, 1)
    held_out = [*shades(server, 1, start=9), f"{server.url}{notice}validation"]
    rejections = Rejections()
    found = examples(release(tmp_path / "source", train, held_out), rejections)
    assert [e.image_id[-10:] for e in found] == ["on-0000001", "on-0000002", "ng-0000004"]
    assert rejections.counts() == {"same picture as another URL's": 3}


def test_a_larger_slice_fetches_only_new_urls(
    server: HostileServer, tmp_path: Path, in_this_process: None, small_blocks: None
) -> None:
    params = release(tmp_path / "source", shades(server, 32), shades(server, 3, start=100))
    assert len(examples(params.model_copy(update={"train_images": 16}))) == 19
    assert sum(server.requests.values()) == 19
    first = examples(params)
    assert len(first) == 35
    assert set(server.requests.values()) == {1} and len(server.requests) == 35
    assert examples(params) == first
    assert sum(server.requests.values()) == 35


def test_retry_fetches_failed_urls_again_and_keeps_successes(
    server: HostileServer, tmp_path: Path, in_this_process: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    train = shades(server, 6)
    params = release(tmp_path / "source", train, shades(server, 2, start=100))
    server.gone = {url.removeprefix(server.url) for url in train[:3]}
    assert len(examples(params)) == 5
    server.gone = {url.removeprefix(server.url) for url in train[2:]}
    rejections = Rejections()
    assert len(examples(params)) == 5
    monkeypatch.setenv("CAPTIONING_RETRY", "1")
    found = examples(params, rejections)
    assert [e.image_id[-1] for e in found if e.split == "train"] == ["1", "2", "4", "5", "6"]
    assert rejections.counts() == {"status 404": 1}
    assert sorted(server.requests.values()) == [1, 1, 1, 1, 1, 2, 2, 2]


def test_too_many_failures_stop_the_run_and_name_the_reasons(
    server: HostileServer, tmp_path: Path, in_this_process: None
) -> None:
    urls = [*shades(server, 1), f"{server.url}/404", f"{server.url}/500", f"{server.url}/410"]
    params = release(tmp_path / "source", urls, shades(server, 2, start=9), max_failed_share=0.7)
    pattern = (
        rf"3 of 4 URLs of {TRAINING} have no usable image \(.*status 404: 1.*\), which is more "
        r"than datasets\.conceptual_captions\.max_failed_share allows \(0\.7\).*CAPTIONING_RETRY=1"
    )
    with pytest.raises(InputError, match=pattern):
        examples(params)
    assert len(examples(params.model_copy(update={"max_failed_share": 0.8}))) == 3


def test_a_network_failure_is_noticed_before_all_urls_are_tried(
    server: HostileServer,
    tmp_path: Path,
    in_this_process: None,
    small_blocks: None,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("captioning.download.web.fetch_missing._MIN_URLS_FOR_SHARE", 20)
    urls = [f"http://127.0.0.1:1/{n}.jpg" for n in range(100)]
    params = release(tmp_path / "source", urls, shades(server, 2))
    with pytest.raises(InputError, match=r"20 of 20 URLs .*connection refused: 20"):
        examples(params)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"train_images": 5}, rf"{TRAINING} has 4 usable lines for the train split, but 5 are"),
        ({"test_images": 3}, rf"{VALIDATION} has 0 usable lines for the validation split, but 1"),
        (
            {"source": "/nowhere"},
            rf"nowhere is not an existing folder, but should contain {VALIDATION}",
        ),
        ({"training_md5": "0" * 32}, rf"{TRAINING}: its MD5 sum is .*, expected 0000"),
    ],
)
def test_unusable_index_is_an_error_before_anything_is_fetched(
    server: HostileServer, tmp_path: Path, changes: dict[str, object], message: str
) -> None:
    training, validation = shades(server, 4), shades(server, 3, start=9)
    params = release(tmp_path / "source", training, validation, **changes)
    with pytest.raises(InputError, match=message):
        examples(params)
    assert not server.requests


def test_without_img2dataset_the_error_says_what_to_install(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shard_fetcher.importlib.util, "find_spec", lambda name: None)
    params = release(tmp_path / "source", ["http://host.invalid/"], ["http://h.invalid/"])
    index(tmp_path / "source" / VALIDATION, ["http://host.invalid/1", "http://host.invalid/2"])
    with pytest.raises(InputError, match=r"img2dataset.*pip install -e '\.\[web\]'"):
        examples(params)


def die_in_worker(shard: shard_fetcher.Shard) -> tuple[bool, shard_fetcher.Shard]:
    """Kill the process that runs this function."""
    os.kill(os.getpid(), signal.SIGKILL)
    raise AssertionError


@pytest.mark.slow
def test_a_run_does_not_wait_for_workers_that_died(
    server: HostileServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def run_dying(function, shards, processes, on_finished) -> None:
        run_shards.run_shards(die_in_worker, shards, processes, on_finished)

    monkeypatch.setattr("captioning.download.web.fetch_missing.run_shards", run_dying)
    params = release(tmp_path / "source", shades(server, 1), shades(server, 2, start=9))
    with pytest.raises(InputError, match=r"worker processes died 3 times.*FETCH_PROCESSES"):
        examples(params)


def test_workers_end_when_their_parent_is_killed(tmp_path: Path) -> None:
    """Otherwise they could write to the cache while another run uses it."""
    code = (
        f"import sys; sys.path.insert(0, {str(ROOT / 'tests/helpers')!r})\n"
        "from sleeping_worker import run_shards, sleep\n"
        "if __name__ == '__main__':\n"
        f"    shards = iter([(0, {str(tmp_path / 'pid')!r})])\n"
        "    run_shards.run_shards(sleep, shards, 1, print)\n"
    )
    (tmp_path / "parent.py").write_text(code)
    parent = subprocess.Popen([sys.executable, tmp_path / "parent.py"], env=ENVIRONMENT)
    wait_until(lambda: (tmp_path / "pid").exists() and (tmp_path / "pid").read_text())
    worker = int((tmp_path / "pid").read_text())
    parent.kill()
    parent.wait()
    wait_until(lambda: not is_running(worker))


def is_running(pid: int) -> bool:
    """Whether a process is running; a zombie, whose exit status nobody has read, is not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


def wait_until(condition) -> None:
    """Wait until a function returns true, for at most 30 seconds."""
    end = time.monotonic() + 30
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.05)


def test_fingerprints_are_recognized_after_they_were_merged(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("captioning.download.datasets.conceptual_captions.index._MAX_UNSORTED", 7)
    known = FingerprintSet()
    values = [fingerprint(str(n)) for n in range(51)]
    assert all(known.add(value) for value in values[:50])
    assert not any(known.add(value) for value in values[:50])
    assert values[49] in known and values[50] not in known


MEASURE = """
import json, re, sys
from collections import Counter
from pathlib import Path
from captioning.download.datasets.base import Rejections
from captioning.download.datasets.conceptual_captions.index import *
from captioning.download.web.shard_fetcher import write_urls
folder = Path(sys.argv[1])


def peak_megabytes():
    # Not getrusage: its maximum includes the size of the process that started this one.
    status = Path("/proc/self/status").read_text()
    return int(re.search(r"VmHWM:\\s+(\\d+) kB", status)[1]) // 1024


start = peak_megabytes()
rejections, urls = Rejections(), FingerprintSet()
counts = Counter(l.split for l in read_validation_index(folder / "v", 5000, None, urls, rejections))
for block in in_blocks(read_training_index(folder / "t", None, urls, rejections)):
    counts["train"] += len(block.lines)
    write_urls(folder / "shard", [l.number for l in block.lines], [l.url for l in block.lines])
print(json.dumps([start, peak_megabytes(), dict(counts), rejections.counts()]))
"""


@pytest.mark.slow
def test_a_million_lines_are_read_in_bounded_memory(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    url = "http://pictures-{}.example.org/a/rather/long/path/to/{}.jpg"
    with open(tmp_path / "v", "w") as file:
        file.writelines(f"held out {n}\t{url.format(-n % 99, -n)}\n" for n in range(1, 15_001))
    with open(tmp_path / "t", "w") as file:
        for n in range(1_000_000):
            # One URL in ten repeats another one; one in a hundred is also in the validation index.
            number = n - n % 10 if n % 10 == 1 else -n // 100 - 1 if n % 100 == 50 else n
            file.write(f"a caption of some ten words, as they mostly are, {n}\t")
            file.write(url.format(number % 99, number) + "\n")
    clock = time.monotonic()
    done = subprocess.run(
        [sys.executable, "-c", MEASURE, tmp_path], env=ENVIRONMENT, capture_output=True, check=True
    )
    start, peak, counts, skipped = json.loads(done.stdout)
    with capsys.disabled():
        print(f"\n1,000,000 lines: {start} MB before, {peak} MB at most", end=", ")
        print(f"{time.monotonic() - clock:.1f} s")
    assert counts == {"test": 5000, "validation": 10_000, "train": 900_000}
    assert skipped == {
        "URL repeated in the index": 90_000,
        "training URL that the validation index has too": 10_000,
    }
    assert peak - start < 100


@pytest.mark.long
@pytest.mark.slow
def test_the_stage_resumes_after_a_kill_and_runs_as_an_experiment(
    server: HostileServer, tmp_path: Path
) -> None:
    gone = [f"{server.url}/colour/red?{n}" for n in range(MAX_LISTED_NAMES + 10)]
    train, held_out = shades(server, 30), shades(server, 20, start=100)
    params = release(
        tmp_path / "source", gone + train, held_out, test_images=12, max_failed_share=0.9
    )
    server.gone = {url.removeprefix(server.url) for url in gone}
    repository = make_repository(
        tmp_path / "repository",
        **{f"{SECTION}.{name}": value for name, value in params.model_dump().items()},
        **{"train.sample_images": 0, "evaluate.decoder": "greedy"},
    )
    environment = {name: os.environ[name] for name in os.environ if name.startswith("CAPTIONING_")}
    environment |= {"CAPTIONING_FETCH_PROCESSES": "1", "CAPTIONING_FETCH_TIMEOUT": "20"}

    # Kill the stage while it fetches the training index; the validation index is complete.
    server.held = {train[0].removeprefix(server.url)}
    set_params(repository, {"dataset": "conceptual_captions"})
    stage = subprocess.Popen(
        [sys.executable, "stages/download.py"],
        cwd=repository,
        env={**ENVIRONMENT, **environment, "PYTHONPATH": str(repository / "src")},
    )
    wait_until(lambda: server.requests.keys() & server.held)
    stage.kill()
    stage.wait()
    server.held = set()
    run(repository, "git", "checkout", "-q", ".")

    command = ("-m", "dvc", "exp", "run", "-S", "dataset=conceptual_captions")
    output = run(repository, sys.executable, *command, **environment)
    assert "Running stage 'download'" in output and "Running stage 'evaluate'" in output
    assert [server.requests[url.removeprefix(server.url)] for url in held_out] == [1] * 20
    figures = read_json(repository / "metrics/download.json")
    assert figures["images"] == {"train": 30, "validation": 8, "test": 12}
    assert figures["captions"] == figures["images"]
    assert figures["rejected"] == {"status 404": MAX_LISTED_NAMES + 10}
    # The metrics list the first URLs only; the table next to the data has all of them.
    names = [f"training-{n:07d} {url}" for n, url in enumerate(gone, 1)]
    assert figures["rejected_names"] == {"status 404": names[:MAX_LISTED_NAMES]}
    table = pq.read_table(repository / "data/raw/rejected.parquet").to_pydict()
    assert table == {"reason": ["status 404"] * len(gone), "name": names}
    row = next(read_raw(repository / "data/raw", "test"))
    assert (row["image_id"], row["url"]) == ("validation-0000001", held_out[0])
    assert read_json(repository / "metrics/evaluate.json")["images"] == 12
