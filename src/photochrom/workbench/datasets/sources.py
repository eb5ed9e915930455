"""Open data sets: a folder, Parquet, CIFAR-10, or the Hugging Face hub."""

import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from difflib import get_close_matches
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from photochrom.errors import DataError
from photochrom.extras import require
from photochrom.workbench.datasets.annotations import annotated_label, read_annotations
from photochrom.workbench.datasets.cifar10 import (
    CIFAR,
    NAMES,
    cifar_batches,
    cifar_units,
    is_cifar_folder,
)
from photochrom.workbench.datasets.file_states import Report
from photochrom.workbench.datasets.picture_files import (
    Credit,
    Encoded,
    data_files,
    earlier_fingerprint,
    fingerprint,
)
from photochrom.workbench.datasets.shards import (
    IMAGE_COLUMNS,
    UNREADABLE,
    Unit,
    expand_addresses,
    group_units,
    is_remote,
    one_word,
)

if TYPE_CHECKING:
    from datasets import ClassLabel, IterableDataset

OTHER_LABEL = "other label"
NOT_LISTED = "not listed"
HUB = "hub:"


@dataclass(frozen=True)
class Source:
    """Pictures to prepare.

    units : in the order of the data set
    fingerprint : changes when the data set does, as far as names, sizes and a sample can tell
    published : whether someone made it as a data set, so that more than a few unreadable pictures
        mean damage; in a folder they are only counted
    damaged_files : Parquet files that were skipped
    files : those that are read, where they are on this machine
    earlier : callable; gives the fingerprint by which photochrom 0.2 knew the data set
    """

    units: list[Unit]
    fingerprint: str
    published: bool
    damaged_files: int = 0
    files: tuple[Path, ...] = ()
    earlier: Callable[[], str] = str


def open_source(
    data: str,
    labels: tuple[str, ...] = (),
    annotations: Path | None = None,
    keys: frozenset[str] | None = None,
    report: Report = lambda line: None,
) -> Source:
    """Detect the kind of a data set, and open it.

    Raise DataError if there is nothing to read, no picture can have the label, or annotations are
    given without labels or for other data than a folder of pictures.

    Parameters
    ----------
    data : str
        A path, an address of Parquet files, or `hub:OWNER/NAME`, `hub:OWNER/NAME:SPLIT`,
        `hub:OWNER/NAME:CONFIGURATION:SPLIT`.
    labels : tuple of str
        Only pictures with one of these; all if empty.
    annotations : Path, optional
        A folder of lists that say which pictures of a folder carry a label.
    keys : set of str, optional
        Only these pictures.
    report : callable
        Is told about files that are damaged or missing.
    """
    if annotations is not None and not labels:
        raise DataError(
            "Annotation lists need a label (--label) that selects one of them, such as bird."
        )
    source = _open(data, labels, annotations, report)
    if not labels and keys is None:
        return source
    wanted = frozenset(labels)
    units = [Unit(u.name, u.rows, partial(_chosen, u, wanted, keys)) for u in source.units]
    return replace(source, units=units)


def read_pictures(data: str | Path) -> Iterator[Encoded]:
    """Read the pictures of a data set in order, in constant memory.

    Raise DataError if there is nothing to read, or too much is damaged.

    Parameters
    ----------
    data : str or Path
        As for `open_source`.

    Returns
    -------
    iterator of Encoded
        The picture's bytes, empty where they cannot be read, and what is known of it: its key is
        its place in the folder, or its row.
    """
    return rows_of(open_source(str(data)))


def rows_of(source: Source) -> Iterator[Encoded]:
    """Read the pictures of an opened data set; see `read_pictures`."""
    for unit in source.units:
        for one in unit.read():
            yield one if isinstance(one, Encoded) else Encoded(b"", "", "", unit.name)


def _open(data: str, labels: tuple[str, ...], annotations: Path | None, report: Report) -> Source:
    if data.startswith(HUB):
        _refuse_annotations(annotations, "a hub data set")
        return Source([_hub_unit(data.removeprefix(HUB))], data, True)
    path = Path(data)
    is_pattern = data.endswith(".parquet") or "{" in data
    if is_remote(data) or data.endswith(".txt") or (is_pattern and not path.exists()):
        _refuse_annotations(annotations, "Parquet files")
        addresses = expand_addresses(data)
        return _parquet_source(None, addresses, report)
    if path.name.endswith((".tar.gz", ".tgz", ".zip", ".tar")):
        raise DataError(f"{path}: an archive. Unpack it, and give the folder.")
    if (path.is_dir() or path.is_file()) and (batches := cifar_batches(path)):
        _refuse_annotations(annotations, "CIFAR-10")
        _check_classes(labels)
        return _of_files(cifar_units(batches, report), True, path, batches)
    files = data_files(path)
    if files[0].suffix == ".parquet":
        _refuse_annotations(annotations, "Parquet files")
        return _parquet_source(path, [str(f) for f in files], report)
    lists = read_annotations(annotations, labels) if annotations is not None else None
    root = path if path.is_dir() else path.parent
    units = _folder_units(root, files, labels, lists)
    present = [f for f in files if f.exists()]  # a link may lead nowhere
    return _of_files(units, False, path, present, sorted((lists or {}).items()))


def _of_files(
    units: list[Unit],
    published: bool,
    root: Path,
    files: list[Path],
    *options: object,
    damaged: int = 0,
) -> Source:
    now = fingerprint(root, files, *options)
    earlier = partial(earlier_fingerprint, root, files, *options)
    return Source(units, now, published, damaged, tuple(files), earlier)


def _refuse_annotations(annotations: Path | None, what: str) -> None:
    if annotations is not None:
        raise DataError(f"Annotation lists go with a folder of pictures; this is {what}.")


def _check_classes(labels: tuple[str, ...]) -> None:
    for label in labels:
        if label not in NAMES:
            close = get_close_matches(label, NAMES, 1)
            meant = f" Did you mean '{close[0]}'?" if close else ""
            raise DataError(f"CIFAR-10 has no class '{label}'.{meant} All: {', '.join(NAMES)}.")


def _parquet_source(root: Path | None, addresses: list[str], report: Report) -> Source:
    """Return row groups; what is damaged now and not another time makes another data set."""
    units, damaged = group_units(addresses, report)
    rows = [unit.rows for unit in units]
    if root is not None:
        return _of_files(units, True, root, [Path(a) for a in addresses], rows, damaged=damaged)
    local = [Path(a).resolve() for a in addresses if not is_remote(a)]
    return _of_files(units, True, Path("/"), local, addresses, rows, damaged=damaged)


def _folder_units(
    root: Path, files: list[Path], labels: tuple[str, ...], lists: dict[str, str] | None
) -> list[Unit]:
    """Return each picture of a folder; its label is the folder that it lies in."""
    found = []
    for file in files:
        inner = file.relative_to(root)
        label = inner.parent.name if lists is None else annotated_label(file, lists)
        found.append((file, inner, label))
    if labels and not any(label in labels for _, _, label in found):
        where = "The annotation lists name" if lists is not None else "The class folders hold"
        known = (
            ""
            if lists is not None
            else f" Folders: {', '.join(sorted({f[1].parent.name for f in found}))}."
        )
        raise DataError(f"{where} none of the {len(files)} pictures as {', '.join(labels)}.{known}")
    name = CIFAR if is_cifar_folder([inner for _, inner, _ in found]) else root.resolve().name
    return [
        Unit(str(file), 1, partial(_read_file, file, inner, label, name, labels))
        for file, inner, label in found
    ]


def _read_file(
    file: Path, inner: Path, label: str | None, root: str, labels: tuple[str, ...]
) -> Iterator[Encoded | str]:
    if labels and label not in labels:
        yield OTHER_LABEL  # without reading it
        return
    # train/cat/1.png of the folder cifar10 is of the source cifar10-train.
    source = f"{root}-{inner.parts[0]}" if len(inner.parts) > 2 else root
    try:
        if not file.is_file():  # a pipe would keep us waiting for ever
            yield UNREADABLE
            return
        yield Encoded(file.read_bytes(), source, label or "", one_word(inner.as_posix()))
    except OSError:
        yield UNREADABLE


def _chosen(
    unit: Unit, labels: frozenset[str], keys: frozenset[str] | None
) -> Iterator[Encoded | str]:
    for picture in unit.read():
        if isinstance(picture, str):
            yield picture
        elif labels and picture.label not in labels:
            yield OTHER_LABEL
        else:
            yield picture if keys is None or picture.key in keys else NOT_LISTED


def _hub_unit(name: str) -> Unit:
    """Open a data set of the hub, or a folder that is laid out like one."""
    require("train", "Reading the hub", "datasets")
    import datasets

    repository, *chosen = name.split(":")
    if len(chosen) > 2:
        raise DataError(f"{HUB}{name}: needs the form hub:OWNER/NAME:CONFIGURATION:SPLIT.")
    split = (chosen or ["train"])[-1] or "train"
    configuration = chosen[0] if len(chosen) == 2 else None
    try:
        stream = datasets.load_dataset(repository, configuration, split=split, streaming=True)
        features = stream.features or {}
    except Exception as error:  # offline, unknown, private, without that split: many kinds
        reason = (str(error).strip() or type(error).__name__).splitlines()[0]
        offline = " Offline?" if os.environ.get("HF_HUB_OFFLINE") else ""
        raise DataError(
            f"{HUB}{name}: cannot be opened ({reason}).{offline} Check the name, the split "
            "(hub:OWNER/NAME:SPLIT, or :CONFIGURATION:SPLIT) and the network, or fetch its Parquet "
            "files and give their folder."
        ) from error
    typed = [k for k, f in features.items() if isinstance(f, datasets.Image)]
    pictures = typed or [k for k in features if k in IMAGE_COLUMNS]
    if not pictures:
        raise DataError(f"{HUB}{name}: has no column of pictures; it has {', '.join(features)}.")
    classes = {k: f for k, f in features.items() if isinstance(f, datasets.ClassLabel)}
    if typed:
        stream = stream.cast_column(typed[0], datasets.Image(decode=False))
    read = partial(_read_hub, stream, pictures[0], classes, repository.rpartition("/")[2])
    return Unit(f"{HUB}{name}", None, read)


def _read_hub(
    stream: "IterableDataset", column: str, classes: dict[str, "ClassLabel"], source: str
) -> Iterator[Encoded | str]:
    label_column = next(iter(classes), "label")
    for number, row in enumerate(_unbroken(stream, source)):
        stored, label = row[column], row.get(label_column)
        image = stored
        if isinstance(stored, dict):
            path = Path(stored.get("path") or "")
            image = stored.get("bytes") or (path.read_bytes() if path.is_file() else b"")
        if not image:
            yield UNREADABLE
            continue
        if label_column in classes and isinstance(label, int) and label >= 0:
            label = classes[label_column].int2str(label)
        key = one_word(row.get("key") or f"{source}:{number}")
        text = "" if label is None else str(label)
        yield Encoded(image, row.get("source") or source, text, key, Credit.of(row))


def _unbroken(stream: "IterableDataset", name: str) -> Iterator[dict[str, Any]]:
    try:
        yield from stream
    except Exception as error:  # of the network, of the hub, of the data set's own format
        raise DataError(
            f"{HUB}{name}: was interrupted ({error}). Run the same command again to continue."
        ) from error
