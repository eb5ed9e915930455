"""Pictures and networks that the tests of several packages need."""

import io
import os
import pickle
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any, NamedTuple

# Networks of a few channels are ten times faster on one thread, above all on a busy machine.
os.environ.setdefault("OMP_NUM_THREADS", "1")

import hypothesis
import numpy as np
import pytest
from filelock import FileLock
from PIL import Image
from tests.servers import await_listener, free_port

hypothesis.settings.register_profile("fast", max_examples=25)  # of `scripts/test --fast`

# A job in a shell's background ignores Ctrl-C, and so would every process that a test starts and
# ends that way.
if signal.getsignal(signal.SIGINT) == signal.SIG_IGN:
    with suppress(ValueError):  # not the main thread
        signal.signal(signal.SIGINT, signal.default_int_handler)
if hasattr(signal, "SIGHUP") and signal.getsignal(signal.SIGHUP) == signal.SIG_IGN:  # nohup
    with suppress(ValueError):
        signal.signal(signal.SIGHUP, signal.SIG_DFL)


MARKED_BY_FIXTURE = {
    "browser": {"browser", "open_page", "open_study"},
    # An export, a training, an analysis and a build, of four to thirty seconds each.
    "slow": {"exported_network", "learnt", "studied", "wheel"},
}
# The configuration of a `photochrom2` that learns in seconds.
SMALL_FLAGSHIP: dict[str, Any] = {
    "encoder": "tf_efficientnet_lite0",
    "bins": 20,
    "channels": (16, 16, 16),
    "mixers": (1, 1, 1),
}
# Minutes long: started first, so that no process is left with one of them at the end.
LONGEST = ("test_recipes.py", "test_page.py", "test_page_person.py", "test_commands_in_docs.py")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark tests by their fixtures, and put the longest files first."""
    for item in items:
        fixtures = set(getattr(item, "fixturenames", ()))
        for marker, names in MARKED_BY_FIXTURE.items():
            if names & fixtures:
                item.add_marker(marker)
    order = {name: number for number, name in enumerate(LONGEST)}
    items.sort(key=lambda item: order.get(item.path.name, len(order)))


@pytest.fixture(autouse=True, scope="session")
def base_of_temporary_folders(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Create it before a service sets its temporary folder, which is removed with its contents."""
    return tmp_path_factory.getbasetemp()


@pytest.fixture(autouse=True)
def no_process_is_left(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Kill processes that a test left running, for example because it failed."""
    begun: list[subprocess.Popen[Any]] = []

    class Noted(subprocess.Popen[Any]):
        def __init__(self, *given: Any, **options: Any) -> None:
            super().__init__(*given, **options)
            begun.append(self)

    monkeypatch.setattr(subprocess, "Popen", Noted)
    yield
    for process in begun:
        if process.poll() is None:
            process.kill()
            process.wait()


def drawn_picture(seed: int, height: int = 72, width: int = 96) -> np.ndarray:
    """Draw coloured discs on a coloured gradient, (height, width, 3) uint8."""
    random = np.random.default_rng(seed)
    y, x = np.mgrid[:height, :width] / max(height, width)
    first, second = random.uniform(0, 255, (2, 3))
    picture = first + (second - first) * ((x + y) / 2)[..., None]
    for _ in range(4):
        centre, radius = random.uniform(0, 1, 2), random.uniform(0.1, 0.3)
        inside = (y - centre[0]) ** 2 + (x - centre[1]) ** 2 < radius**2
        picture[inside] = random.uniform(0, 255, 3) * (0.6 + 0.4 * x[inside][:, None])
    return np.asarray(picture.round(), np.uint8)


def encoded(pixels: np.ndarray, kind: str = "JPEG", **options: Any) -> bytes:
    """Encode a picture."""
    content = io.BytesIO()
    Image.fromarray(pixels).save(content, kind, **options)
    return content.getvalue()


@pytest.fixture(scope="session")
def s3_server() -> Iterator[str]:
    """Run an S3 server on this machine; return its address."""
    port = free_port()
    command = [sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", str(port)]
    server = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        await_listener(port)
        yield f"http://127.0.0.1:{port}"
    finally:
        server.kill()
        server.wait()


@pytest.fixture
def s3(s3_server: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """Return the file system of an S3 server with an empty bucket, `archive`."""
    import s3fs

    for name, value in {
        "AWS_ENDPOINT_URL": s3_server,
        "AWS_ACCESS_KEY_ID": "AKIAOFTESTS",
        "AWS_SECRET_ACCESS_KEY": "secret-of-tests",
        "AWS_DEFAULT_REGION": "us-east-1",
        "AWS_EC2_METADATA_DISABLED": "true",
    }.items():
        monkeypatch.setenv(name, value)
    s3fs.S3FileSystem.clear_instance_cache()
    files = s3fs.S3FileSystem(use_listings_cache=False)
    if files.exists("archive"):
        files.rm("archive", recursive=True)
    files.mkdir("archive")
    yield files
    s3fs.S3FileSystem.clear_instance_cache()


@pytest.fixture
def memory() -> Iterator[Any]:
    """Return fsspec's file system in memory, empty."""
    import fsspec

    files = fsspec.filesystem("memory")
    _empty(files)
    yield files
    _empty(files)


def _empty(files: Any) -> None:
    files.store.clear()
    files.pseudo_dirs[:] = [""]


@pytest.fixture(scope="session")
def picture_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with two sources of six and four coloured PNGs."""
    folder = tmp_path_factory.mktemp("pictures")
    for seed in range(10):
        source = folder / ("discs" if seed < 6 else "dots")
        source.mkdir(exist_ok=True)
        Image.fromarray(drawn_picture(seed)).save(source / f"{seed}.png")
    return folder


@pytest.fixture(scope="session")
def twin_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with six coloured PNGs, each twice: unchanged, and a little darker."""
    folder = tmp_path_factory.mktemp("twins")
    for seed in range(6):
        picture = drawn_picture(seed)
        Image.fromarray(picture).save(folder / f"{seed}-light.png")
        Image.fromarray((picture * 0.95).astype(np.uint8)).save(folder / f"{seed}-dark.png")
    return folder


class ExportedNetwork(NamedTuple):
    """A small network in torch, its file, and the description that the export returned."""

    network: Any
    path: Path
    info: Any


@pytest.fixture(scope="session")
def exported_network(tmp_path_factory: pytest.TempPathFactory) -> ExportedNetwork:
    """Export a network with ImageNet's encoder and a small random decoder that accepts hints."""
    import torch

    from photochrom.color.bins import zhang_bins
    from photochrom.workbench.networks.photochrom2 import Config, Photochrom2
    from photochrom.workbench.training.export import example_inputs, export_network
    from photochrom.workbench.training.recipe import Phase, Recipe

    torch.manual_seed(0)
    network = Photochrom2(Config(**SMALL_FLAGSHIP), pretrained=True).eval()
    for parameter in network.parameters():
        if not parameter.any():
            torch.nn.init.normal_(parameter, std=0.1)
    with torch.no_grad():  # a distribution as wide as a trained network's
        network.head.weight.mul_(1.0 / network(*example_inputs(network)).logits.std())
    network.fill_bins(torch.from_numpy(zhang_bins()[::16][:20]), torch.softmax(torch.randn(20), 0))
    recipe = Recipe("small", "photochrom2", (Phase(1),), config=SMALL_FLAGSHIP)
    described = {
        "licence": "none",
        "vividness_path": [
            [0.0, 1.0, 0.0, 1.0, 0.0],
            [0.5, 1.0, 0.1, 1.1, 0.3],
            [1.0, 0.8, 0.2, 1.2, 0.6],
        ],
    }
    # One process exports for all that run tests at the same time.
    shared = tmp_path_factory.getbasetemp()
    shared = shared.parent if "PYTEST_XDIST_WORKER" in os.environ else shared
    path, kept = shared / "exported" / "small.onnx", shared / "small.info"
    with FileLock(shared / "small.lock"):
        if not kept.exists():
            path.parent.mkdir()
            kept.write_bytes(pickle.dumps(export_network(network, recipe, path, described)))
    return ExportedNetwork(network, path, pickle.loads(kept.read_bytes()))
