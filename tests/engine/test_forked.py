"""A Colorizer in other processes: pickled, and in the children of a fork."""

import multiprocessing
import os
import pickle
import signal

import numpy as np
import pytest

from photochrom.engine.colorize import Colorizer
from photochrom.options.hint import Hint

RAMP = np.tile(np.linspace(0, 255, 96).astype(np.uint8), (64, 1))
CONTEXTS = [m for m in ("fork", "spawn") if m in multiprocessing.get_all_start_methods()]


@pytest.mark.slow
def test_a_pickled_colorizer_gives_the_same():
    colorizer = Colorizer("photochrom", vividness=0.7, saturation=1.2, threads=1)
    other = pickle.loads(pickle.dumps(colorizer))
    assert (other.look, other.name, other.info) == (colorizer.look, "photochrom", colorizer.info)
    assert np.array_equal(other.colorize(RAMP), colorizer.colorize(RAMP))


def colours_of(colorizer):
    (one,) = colorizer.colorize(iter([RAMP]))  # an iterator cannot be sent to another process
    run = colorizer.run(RAMP, hints=iter([Hint.point(30, 30, (200, 60, 40))])).image
    return colorizer.colorize(RAMP), one, run, colorizer.predict_ab(RAMP / np.float32(2.55))


def put(colorizer, answers):
    signal.alarm(60)  # a test that hangs must not keep its process
    answers.put(colours_of(colorizer))


@pytest.mark.slow
@pytest.mark.parametrize("method", CONTEXTS)
# Python warns of forks beside threads, as ours are; that is what is tried.
@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_a_colorizer_that_has_worked_works_in_another_process(method):
    context = multiprocessing.get_context(method)
    colorizer = Colorizer("photochrom", threads=2)
    wanted = colours_of(colorizer)
    answers = context.Queue()
    process = context.Process(target=put, args=(colorizer, answers))
    process.start()
    try:
        for given, expected in zip(answers.get(timeout=60), wanted, strict=True):
            assert np.array_equal(given, expected)
    finally:
        process.join(20)
        process.kill()
    assert process.exitcode == 0
    assert np.array_equal(colorizer.colorize(RAMP), wanted[0])


@pytest.mark.slow
@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork here")
@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_a_fork_leaves_the_temporary_files_of_its_parent_alone(tmp_path):
    from photochrom.photo.photo import Photo
    from photochrom.photo.temporary_folders import scratch

    colorizer = Colorizer("gray")
    content = colorizer.colorize_file(_written(tmp_path)).content
    photo = Photo.open(content)
    before = scratch()
    process = os.fork()
    if process == 0:
        del photo
        from photochrom.photo.temporary_folders import remove_own

        remove_own()
        os._exit(0)
    os.waitpid(process, 0)
    assert before.is_dir()
    assert photo.path.exists()


def _written(folder):
    from PIL import Image

    Image.fromarray(RAMP).save(folder / "a.png")
    return folder / "a.png"
