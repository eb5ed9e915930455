"""`photochrom data prepare` and `photochrom data split`."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

from cyclopts import Parameter

from photochrom.errors import InvalidValueError
from photochrom.extras import require
from photochrom.workbench.commands.progress_line import ProgressLine
from photochrom.workbench.training.stored_files import read_keys

if TYPE_CHECKING:
    from photochrom.workbench.datasets.prepare import Counts


def _need_extra() -> None:
    require("evaluate", "Preparing pictures", "PIL", "pyarrow")


def _print_table(rows: list[tuple[str, int]]) -> None:
    width = max(len(name) for name, _ in rows)
    for name, number in rows:
        print(f"{name:<{width}}  {number:>10,}")


def prepare(
    data: str,
    out: Path,
    /,
    *,
    size: int = 256,
    fit: Literal["keep", "crop", "stretch"] = "keep",
    smallest: int | None = None,
    gray_rule: Literal["spread", "chroma", "hue", "muted", "range", "none"] = "spread",
    label: Annotated[tuple[str, ...], Parameter(negative="")] = (),
    annotations: Path | None = None,
    keys: Path | None = None,
    near_bits: int = 4,
    keep_duplicates: Annotated[bool, Parameter(negative="")] = False,
    format: Literal["auto", "png", "avif", "webp", "jpeg"] = "auto",
    quality: int | None = None,
    pca: float | None = None,
    shard: int = 1000,
    shuffle: Annotated[bool, Parameter(negative="")] = False,
    seed: int = 0,
    limit: int | None = None,
    jobs: Annotated[int | None, Parameter(name=["--jobs", "-j"])] = None,
) -> None:
    """Convert pictures to Parquet shards for training.

    All pictures get one size; gray, small, damaged and duplicate ones are left out. To continue an
    interrupted run, repeat the command.

    Parameters
    ----------
    data : str
        A folder of pictures (class folders are labels), Parquet files, CIFAR-10 (binary, pickle or
        folders), or hub:OWNER/NAME with :SPLIT or :CONFIGURATION:SPLIT.
    out : Path
        A folder for the Parquet files and counts.json.
    size : int
        Side in pixels, such as 224, 256 or 32; 0 leaves sizes as they are.
    fit : str
        keep reduces the short side to the size and never enlarges; crop takes the centre square;
        stretch distorts the picture to a square.
    smallest : int
        Leave out pictures with a shorter side, in pixels; by default the size for crop and stretch,
        else 32.
    gray_rule : str
        The rule by which a picture counts as gray; docs/data.md gives each rule's source.
    label : str
        Only pictures with this label; can be repeated.
    annotations : Path
        A folder of lists such as MIR-FLICKR's: for each label a file LABEL.txt with the numbers or
        names of its pictures.
    keys : Path
        Only the pictures in this file, one key per line, as written by photochrom data study
        --group.
    near_bits : int
        Leave out a picture whose dHash differs from an earlier one's in at most this many bits.
    keep_duplicates : bool
        Keep duplicates and near-duplicates, so that a test set stays as it was published.
    format : str
        auto copies unchanged pictures byte for byte; it writes the others as PNG up to 64 pixels,
        and as AVIF above.
    quality : int
        Quality of a lossy format, 1 to 100.
    pca : float
        Reduce each picture to the principal components that hold this share of variance, such as
        0.98.
    shard : int
        Number of pictures per Parquet file.
    shuffle : bool
        Shuffle the pictures.
    seed : int
        Seed of the shuffle.
    limit : int
        Read at most this many pictures.
    jobs : int
        Number of processes; one per core by default.
    """
    _need_extra()
    from photochrom.workbench.datasets.prepare import Choice
    from photochrom.workbench.datasets.prepare import prepare as run
    from photochrom.workbench.datasets.standardize import Standard

    standard = Standard(size, fit, smallest, gray_rule, format, quality, pca)
    choice = Choice(
        label,
        str(annotations) if annotations else "",
        frozenset(read_keys(keys)) if keys else None,
        near_bits,
        shard,
        seed if shuffle else None,
        limit,
        keep_duplicates,
    )
    with ProgressLine(elsewhere=True) as line:

        def show(counts: "Counts") -> None:
            line(f"{counts.seen:,} looked at, {counts.kept:,} kept")

        counts = run(data, out, standard, choice, jobs, line.stay, show)
    _print_table(counts.rows())


def split(
    data: Path,
    out: Path,
    /,
    *,
    ratios: str | None = None,
    hold_out: float | None = None,
    folds: int | None = None,
    by_hue: Annotated[bool, Parameter(negative="")] = False,
    near_bits: int = 4,
    seed: int = 0,
) -> None:
    """Split pictures into training, validation and test: lists of keys.

    Near-duplicates stay in one part. A recipe names the list of its validation pictures:
    validation_keys = "validation.txt".

    Parameters
    ----------
    data : Path
        Prepared Parquet files.
    out : Path
        A folder for the lists: train.txt, validation.txt, test.txt, or fold-0.txt ...
    ratios : str
        Sizes of the training, validation and test parts; 80/10/10 by default, 90/10 for no test
        part.
    hold_out : float
        Split into training and validation only; this share, such as 0.1, is held out for
        validation.
    folds : int
        Split into this many parts of equal size, for cross-validation.
    by_hue : bool
        Sort by mean hue and take every n-th picture, without near-gray ones; otherwise the split is
        random.
    near_bits : int
        Maximum number of bits in which the dHashes of near-duplicates differ.
    seed : int
        Seed of the random order.
    """
    _need_extra()
    from photochrom.workbench.datasets import splits

    if sum(option is not None for option in (ratios, hold_out, folds)) > 1:
        raise InvalidValueError("Give one of --ratios, --hold-out and --folds.")
    described = splits.read_described(data, by_hue)
    if folds is not None:
        parted = splits.split_in_folds(described, folds, seed, by_hue, near_bits)
    else:
        shares = splits.read_ratios(ratios or "80/10/10")
        if hold_out is not None:
            shares = splits.read_hold_out(hold_out)
        parted = splits.split_by_ratios(described, shares, seed, by_hue, near_bits)
    splits.write_split(parted, out)
    rows = [(name, len(keys)) for name, keys in parted.parts.items()]
    rows += [("left out: gray", len(parted.left_out))] if by_hue else []
    rows += [("different pictures", parted.groups), ("largest group", parted.largest_group)]
    _print_table(rows)
