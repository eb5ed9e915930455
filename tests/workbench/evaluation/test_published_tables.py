from dataclasses import replace

import pytest

from photochrom.errors import DataError
from photochrom.workbench.evaluation import published_tables


def test_references_come_first_and_the_rest_by_ratio(entries):
    worse = replace(entries[-1], name="worse")
    scores = worse.evaluations["photographs"]
    metrics = scores.metrics | {"ratio": [9.0, 8.0, 10.0]}
    worse = replace(worse, evaluations={"photographs": replace(scores, metrics=metrics)})
    header, *rows = published_tables.table_of([worse, *reversed(entries)], "photographs")
    assert [row[0] for row in rows] == ["gray", "mean-colour", "oracle-mean", "tinted", "worse"]
    assert rows[3][1:5] == ["a tint / two", "5.60 M", "42", "163,200"]
    assert rows[3][-2:] == ["photos", "a note"]
    assert rows[4][header.index("of gray's")] == "9.000 [8.000, 10.000]"
    small = published_tables.table_of([worse, *entries], "cifar-10")
    assert [row[0] for row in small[1:]] == ["gray", "mean-colour", "oracle-mean", "tinted"]


def test_a_record_from_before_a_metric_has_a_dash_in_its_place(entries):
    older = entries[-1]
    scores = older.evaluations["photographs"]
    later = ("left_gray", "concentration", "concentration_truth", "neon", "colourfulness_p50")
    kept = {key: value for key, value in scores.metrics.items() if key not in later}
    older = replace(older, evaluations={"photographs": replace(scores, metrics=kept)})
    header, *rows = published_tables.table_of([*entries[:-1], older], "photographs")
    shown = dict(zip(header, rows[3], strict=True))
    assert {
        shown[name] for name in ("left gray", "concentration", "truth's concentration", "neon")
    } == {"-"}
    assert shown["colourful p50"] == "-" != shown["colourful p10"]
    published_tables.check(
        published_tables.build("", [*entries[:-1], older]), [*entries[:-1], older]
    )


def test_a_document_is_built_and_its_prose_stays(entries):
    built = published_tables.build("", entries)
    assert "| tinted |" in built
    assert "3 pictures of cifar-test.parquet; 95 % intervals" in built
    told = built.replace("# Results\n", "# Results\n\nWhat it teaches.\n") + "\nAfter all.\n"
    again = published_tables.build(told.replace("| tinted |", "| forged |"), entries)
    assert again == told
    published_tables.check(told, entries)


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("| 163,200 |", "| 1 |", "row 'tinted', column 'pictures seen': it says '1', the rec"),
        ("| 1.000 [1.000, 1.000] |", "| 0.5 |", "row 'gray', column 'of gray's': it says '0.5'"),
        ("| tinted |", "| rival |", "row 'tinted': it says 'nothing'"),
        ("| PSNR dB |", "| beauty |", "the header"),
        ("3 pictures", "4 pictures", "the lines around the rows: it says '4 pictures"),
    ],
)
def test_a_cell_that_differs_is_named(entries, old, new, said):
    text = published_tables.build("", entries)
    assert old in text
    with pytest.raises(DataError) as raised:
        published_tables.check(text.replace(old, new, 1), entries)
    assert said in str(raised.value)
    assert "Run: photochrom report build" in str(raised.value)


def test_a_row_without_a_record_and_a_wrong_order_are_named(entries):
    text = published_tables.build("", entries)
    lines = text.splitlines()
    row = next(line for line in lines if line.startswith("| tinted |"))
    extra = text.replace(row, f"{row}\n{row.replace('tinted', 'rival')}", 1)
    with pytest.raises(DataError, match="at row 'rival'"):
        published_tables.check(extra, entries)
    first, second = (
        next(line for line in lines if line.startswith(f"| {n} |")) for n in ("gray", "mean-colour")
    )
    with pytest.raises(DataError, match="at the order of the rows"):
        published_tables.check(text.replace(f"{first}\n{second}", f"{second}\n{first}", 1), entries)


def test_a_document_without_a_place_for_a_table_is_refused(entries):
    with pytest.raises(DataError, match="needs the lines <!-- table: photographs -->"):
        published_tables.build("# Results\n", entries)


def test_a_table_without_records_and_a_row_of_other_pictures_are_refused(entries):
    text = published_tables.build("", entries)
    only = [replace(e, evaluations={"photographs": e.evaluations["photographs"]}) for e in entries]
    with pytest.raises(DataError, match="has a table 'cifar-10', but there is no record"):
        published_tables.check(text, only)
    scores = entries[-1].evaluations["photographs"]
    odd = replace(entries[-1], evaluations={"photographs": replace(scores, pictures=2)})
    with pytest.raises(DataError, match=r"'tinted' on 2 of .*Evaluate one of them again"):
        published_tables.check(text, [*entries[:-1], odd])
