import re
from html.parser import HTMLParser

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from skimage.metrics import peak_signal_noise_ratio
from tests.conftest import drawn_picture

from photochrom.errors import DataError, InvalidValueError
from photochrom.workbench.datasets.data_report import (
    draw_sample,
    group_sample,
    keys_of_group,
    measure_reduction,
    peak_signal_to_noise,
    study,
    try_palettes,
)
from photochrom.workbench.datasets.data_report_page import to_html
from photochrom.workbench.datasets.sources import read_pictures


@pytest.fixture(scope="module")
def parquet(picture_folder, tmp_path_factory):
    """Give the pictures of the folder in Parquet, and among them one that is broken."""
    pictures = list(read_pictures(picture_folder))
    images = [picture.image for picture in pictures] + [b"broken"]
    path = tmp_path_factory.mktemp("parquet") / "pictures.parquet"
    pq.write_table(pa.table({"image": images, "key": [f"k{n}" for n in range(11)]}), path)
    return path


@pytest.fixture(scope="module")
def studied(parquet):
    return study(parquet, groups=2, palette_sizes=(2, 4), pixels=5000)


@pytest.mark.slow
def test_the_page_needs_nothing_beside_it_and_is_well_formed(studied):
    page = to_html(studied)
    assert re.findall(r'(?:src|srcset|href)="(?!data:)', page) == []
    assert "10 of 11 pictures" in page and "1 more could not be decoded" in page
    assert page.count("<img") == page.count('alt="')
    assert "prefers-color-scheme: dark" in page
    open_tags = []

    class Check(HTMLParser):
        def handle_starttag(self, tag, attributes):
            if tag not in ("meta", "img", "source"):
                open_tags.append(tag)

        def handle_endtag(self, tag):
            assert open_tags.pop() == tag

    Check().feed(page)
    assert open_tags == []


@pytest.mark.slow
def test_a_name_with_markup_does_not_become_markup(studied):
    from dataclasses import replace

    assert "<script>" not in to_html(replace(studied, data="<script>"))


def test_more_variance_costs_more_and_gives_a_better_picture(studied):
    for name in ("components", "stored_share", "psnr"):
        means = [getattr(one, name).mean() for one in studied.reductions]
        assert means == sorted(means)
    assert len(studied.reductions[0].psnr) == 10


def test_palettes_are_measured_beside_the_grid_of_the_paper(studied):
    assert [trial.name for trial in studied.palettes] == ["2", "4", "313 grid bins"]
    assert studied.palettes[0].error.ab > studied.palettes[1].error.ab
    assert studied.palettes[-1].error.ab < 10  # half a cell's diagonal and what lies outside


def test_a_size_with_too_few_colours_is_left_out_and_said():
    said = []
    gray = np.full((50, 3), 90, np.uint8)
    assert [t.name for t in try_palettes(gray, (8,), report=said.append)] == ["313 grid bins"]
    assert "these have 1" in said[0]


def test_every_picture_is_in_one_group_of_each_kind(studied):
    for grouping in (studied.first_scores, studied.all_scores):
        members = np.sort(np.concatenate(grouping.members))
        np.testing.assert_array_equal(members, np.arange(10))
        assert len(grouping.members[0]) >= len(grouping.members[1])


def test_a_study_repeats_with_its_seed(parquet, studied):
    again = study(parquet, groups=2, palette_sizes=(2, 4), pixels=5000)
    assert again.sample.keys == studied.sample.keys
    np.testing.assert_array_equal(again.palettes[1].palette[0], studied.palettes[1].palette[0])
    for one, two in zip(again.first_scores.members, studied.first_scores.members, strict=True):
        np.testing.assert_array_equal(one, two)


def test_the_keys_of_the_groups_are_all_keys_once(parquet, studied):
    model = studied.first_scores.model
    listed = [key for group in (1, 2) for key in keys_of_group(parquet, model, group)]
    assert sorted(listed) == sorted(f"k{number}" for number in range(10))  # not the broken one
    inside = {studied.sample.keys[i] for i in studied.first_scores.members[0]}
    assert set(keys_of_group(parquet, model, 1)) == inside
    with pytest.raises(InvalidValueError, match=r"1\.\.2"):
        keys_of_group(parquet, model, 3)


def test_a_sample_is_drawn_alike_from_a_folder_and_from_parquet(picture_folder, parquet):
    folder, table = draw_sample(picture_folder, 4, 1), draw_sample(parquet, 4, 1)
    assert (folder.seen, table.seen) == (10, 11)
    assert len(folder.pictures) == 4 == len(set(folder.keys))
    assert len(table.pictures) + table.unreadable == 4
    assert draw_sample(parquet, 4, 2).keys != table.keys


def test_each_picture_of_a_stream_is_as_likely_to_be_drawn(parquet):
    drawn = [key for seed in range(60) for key in draw_sample(parquet, 2, seed).keys]
    counts = [drawn.count(f"k{number}") for number in range(10)]
    # 120 draws from 11 pictures: 11 each, give or take 3.
    assert min(counts) >= 2 and max(counts) <= 24


def test_the_psnr_is_that_of_scikit_image():
    one, two = drawn_picture(0), drawn_picture(1)
    expected = peak_signal_noise_ratio(one, two, data_range=255)
    assert peak_signal_to_noise(one, two) == pytest.approx(expected, abs=1e-4)
    assert peak_signal_to_noise(one, one) == 99


def test_reducing_measures_each_picture():
    found = measure_reduction([drawn_picture(0), np.zeros((8, 8, 3), np.uint8)], 0.9)
    assert found.components[1] == 0
    assert found.psnr[1] == 99


@pytest.mark.parametrize("broken", [b"", b"text"])
def test_nothing_that_can_be_decoded_is_an_error(tmp_path, broken):
    (tmp_path / "a.png").write_bytes(broken)
    with pytest.raises(DataError, match="none of 1"):
        draw_sample(tmp_path)


def test_one_picture_is_no_group(tmp_path, picture_folder):
    (tmp_path / "a.png").write_bytes((picture_folder / "discs" / "0.png").read_bytes())
    with pytest.raises(DataError, match="there are 1"):
        group_sample(draw_sample(tmp_path), 5, 0, all_scores=False)
    with pytest.raises(InvalidValueError, match="got 0"):
        draw_sample(tmp_path, 0)
