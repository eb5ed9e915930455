"""Every step of writing made to fail in turn, as SQLite does it: the result is whole or absent.

Our own calls (open, write, fsync, rename, touch, mkdir) fail by a shim, the nth of them and no
other; what libvips writes fails by the largest size that the system lets a file have.
"""

import builtins
import errno
import io
import json
import os
import signal
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from photochrom.engine.batch import Task, colorize_many
from photochrom.engine.colorize import Colorizer
from photochrom.photo.temporary_folders import scratch

GRAY = np.random.default_rng(0).integers(0, 255, (40, 60), np.uint8)


class FaultyFile:
    """A file whose writes are counted, and one of which fails."""

    def __init__(self, file, faults):
        self._file, self._faults = file, faults

    def write(self, content):
        self._faults.count("write")
        return self._file.write(content)

    def __getattr__(self, name):
        return getattr(self._file, name)

    def __enter__(self):
        self._file.__enter__()
        return self

    def __exit__(self, *error):
        return self._file.__exit__(*error)

    def __iter__(self):
        return iter(self._file)


class Faults:
    """Counts steps of writing; the nth fails."""

    def __init__(self, nth, code=errno.ENOSPC):
        self.nth, self.code, self.steps = nth, code, []

    def count(self, step):
        self.steps.append(step)
        if len(self.steps) == self.nth:
            raise OSError(self.code, os.strerror(self.code))

    def install(self, monkeypatch):
        for module, name in ((os, "fsync"), (os, "rename"), (os, "replace"), (os, "mkdir")):
            self._wrap(monkeypatch, module, name)
        for name in ("touch", "replace", "rename"):
            self._wrap(monkeypatch, Path, name)
        for module in (io, builtins):
            real = module.open

            def opened(path, mode="r", *rest, _real=real, **options):
                if not set(mode) & set("wax+"):
                    return _real(path, mode, *rest, **options)
                self.count("open")
                return FaultyFile(_real(path, mode, *rest, **options), self)

            monkeypatch.setattr(module, "open", opened)

    def _wrap(self, monkeypatch, owner, name):
        real = getattr(owner, name)

        def step(*arguments, **options):
            self.count(name)
            return real(*arguments, **options)

        monkeypatch.setattr(owner, name, step)


@pytest.fixture(scope="module")
def colorizer():
    return Colorizer("gray")


@pytest.fixture
def album(tmp_path):
    """A JPEG with a comment and a TIFF of three pages: what is written in the most steps."""
    Image.fromarray(GRAY).save(tmp_path / "a.jpg", comment=b"Aunt Ada")
    pages = [Image.fromarray(GRAY + np.uint8(n)) for n in range(2)]
    exif = Image.Exif()
    exif[270] = "Aunt Ada"
    pages[0].save(tmp_path / "b.tif", save_all=True, append_images=pages[1:], exif=exif)
    return tmp_path


def coloured(colorizer, album, name, **options):
    source = album / name
    task = Task(source, album / "out" / f"{source.stem}-color{source.suffix}")
    (outcome,) = colorize_many(colorizer, [task], jobs=1, sidecar=True, **options)
    return outcome


@pytest.mark.slow
@pytest.mark.parametrize("name", ["a.jpg", "b.tif"])
@pytest.mark.parametrize("is_there", [False, True], ids=["new", "over an earlier result"])
def test_the_nth_step_fails_and_the_result_is_whole_or_absent(
    colorizer, album, name, is_there, monkeypatch
):
    before = set(scratch().iterdir())  # its own making is not among the steps
    whole = coloured(colorizer, album, name)
    assert whole.status == "coloured", whole
    files = {p.name: p.read_bytes() for p in (album / "out").iterdir()}
    result = whole.target.name
    place = whole.target.with_suffix(".json").name
    failures = 0
    for nth in range(1, 200):
        for path in (album / "out").iterdir():
            if not is_there:
                path.unlink()
        earlier = b"" if not is_there else files[result]
        with monkeypatch.context() as patched:
            faults = Faults(nth)
            faults.install(patched)
            outcome = coloured(colorizer, album, name)
        found = {p.name: p.read_bytes() for p in (album / "out").iterdir()}
        assert found.keys() <= {result, place}, (nth, faults.steps[-1])
        assert pixels(found.get(result, b"")) in (pixels(earlier), pixels(files[result]))
        assert not found.get(place) or json.loads(found[place])["photochrom"]
        if len(faults.steps) < nth:
            assert outcome.status == "coloured"
            break
        failures += outcome.status == "failed"
        # The folder is there already; what only makes the new name last may fail without a loss.
        harmless = ("mkdir", "fsync") if nth == 1 else ("fsync",)
        assert outcome.status == "failed" or faults.steps[nth - 1] in harmless, faults.steps
        if outcome.status == "failed":
            assert str(album) in outcome.notes[0]
    assert failures >= 8, faults.steps
    assert set(scratch().iterdir()) <= before


def pixels(content):
    if not content:
        return None
    with Image.open(io.BytesIO(content)) as opened:
        frames = []
        for frame in range(getattr(opened, "n_frames", 1)):
            opened.seek(frame)
            frames.append(np.array(opened).tobytes())
    return frames


@pytest.mark.slow
@pytest.mark.skipif(not hasattr(signal, "SIGXFSZ"), reason="no limit of a file's size here")
@pytest.mark.parametrize("kind", ["jpg", "png", "tif", "webp"])
def test_a_disk_that_fills_at_any_byte_leaves_the_earlier_result_whole(colorizer, album, kind):
    import resource

    source, target = album / f"c.{kind}", album / "out" / f"c-color.{kind}"
    Image.fromarray(GRAY).save(source)
    assert coloured(colorizer, album, source.name).status == "coloured"
    earlier = target.read_bytes()
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    try:
        for most in range(0, len(earlier), max(1, len(earlier) // 12)):
            resource.setrlimit(resource.RLIMIT_FSIZE, (most, before[1]))
            outcome = coloured(colorizer, album, source.name)
            resource.setrlimit(resource.RLIMIT_FSIZE, before)
            assert (outcome.status, outcome.ends_run) == ("failed", False), most
            assert outcome.notes[0].startswith(f"{target}: cannot be written ("), most
            assert target.read_bytes() == earlier, most
            assert sorted(p.suffix for p in target.parent.iterdir()) == sorted(
                {f".{kind}", ".json"}
            )
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
        signal.signal(signal.SIGXFSZ, handler)
