"""Evaluate another program: a folder of its coloured pictures becomes a row."""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from pathlib import Path
from threading import Lock

from photochrom.color.arrays import Bytes
from photochrom.color.lab import bytes_to_lab
from photochrom.errors import DataError
from photochrom.workbench.datasets.picture_files import SUFFIXES, decode, resized
from photochrom.workbench.datasets.shards import one_word
from photochrom.workbench.evaluation.compared_rows import Candidate
from photochrom.workbench.evaluation.evaluation_pictures import Sample

OUTPUT_SUFFIXES = SUFFIXES | {".gif", ".jp2", ".ppm", ".tga"}
NAMED = 5  # missing pictures that an error names


class Outputs:
    """Coloured pictures of another program, each found by the photograph's key or file stem.

    They are in any common format, at any depth of the folder, in the colours of their profiles,
    else sRGB. With `true_lightness` the photograph's is restored, as that of photochrom's own rows
    is, and only the colours are judged. Without it the pixels are judged as they are, and the row's
    name says so. Raise DataError as `match_outputs`.
    """

    def __init__(
        self, name: str, folder: Path, keys: Sequence[str], true_lightness: bool = False
    ) -> None:
        self.row = name if true_lightness else f"{name} (own lightness)"
        self.name, self.true_lightness = name, true_lightness
        self._files = match_outputs(name, folder, keys)
        self._resized: set[str] = set()
        self._lock = Lock()

    def __call__(self, sample: Sample) -> Iterator[Candidate]:
        """Yield the one row of a photograph; see `compared_rows.Source`."""
        rgb = self._read(sample)
        ab = bytes_to_lab(rgb)[..., 1:]
        yield Candidate("rows", self.row, None, ab, None if self.true_lightness else rgb)

    def notes(self) -> list[str]:
        """Return notes on how the row was scored, after all photographs."""
        how = (
            "with the photographs' true lightness restored, as photochrom's own rows are"
            if self.true_lightness
            else "by its own pixels, lightness included (--true-lightness judges the colours alone)"
        )
        found = [f"'{self.row}' is scored {how}."]
        if self._resized:
            found.append(
                f"'{self.row}': {len(self._resized)} of {len(self._files)} pictures had another "
                "size than the photograph and were resized to it."
            )
        return found

    def _read(self, sample: Sample) -> Bytes:
        path = self._files[sample.key]
        rgb: Bytes | None = decode(path.read_bytes())
        if rgb is None:
            raise DataError(f"{path}: not a picture that can be decoded. Create it again.")
        if rgb.shape == sample.rgb.shape:
            return rgb
        with self._lock:
            self._resized.add(sample.key)
        return resized(rgb, (sample.rgb.shape[1], sample.rgb.shape[0]))


def match_outputs(name: str, folder: Path, keys: Sequence[str]) -> dict[str, Path]:
    """Find another program's picture of each photograph.

    Raise DataError if there is no such folder, no picture of some photograph, several of one, or
    one that fits several.

    Parameters
    ----------
    keys : sequence of str
        Of the photographs. A picture is found by the whole key as a path below the folder, else by
        the file's stem, or the stem and `-color`.
    """
    if not folder.is_dir():
        raise DataError(f"{folder}: no such folder of outputs of '{name}'.")
    files = sorted(
        f for f in folder.rglob("*") if f.suffix.lower() in OUTPUT_SUFFIXES and f.is_file()
    )
    by_path = {
        one_word(file.relative_to(folder).with_suffix("").as_posix()): file for file in files
    }
    by_stem: dict[str, list[Path]] = defaultdict(list)
    for file in files:
        by_stem[one_word(file.stem)].append(file)
    found: dict[str, Path] = {}
    taken: dict[Path, str] = {}
    for key in keys:
        fitting = _fitting(key, by_path, by_stem)
        if len(fitting) > 1:
            raise DataError(
                f"{folder}: needs one picture of '{name}' for {key}; it holds {len(fitting)}: "
                f"{', '.join(f.relative_to(folder).as_posix() for f in fitting[:NAMED])}."
            )
        if fitting:
            found[key] = fitting[0]
            if (other := taken.setdefault(fitting[0], key)) != key:
                raise DataError(
                    f"{fitting[0]}: fits two photographs, {other} and {key}. Put the pictures of "
                    f"'{name}' into folders like those of the photographs."
                )
    missing = [key for key in keys if key not in found]
    if missing:
        more = f" and {len(missing) - NAMED} more" if len(missing) > NAMED else ""
        raise DataError(
            f"{folder}: needs a picture of '{name}' for each of {len(keys)} photographs, named by "
            f"key or file stem; {len(missing)} are missing: {', '.join(missing[:NAMED])}{more}."
        )
    return found


def _fitting(key: str, by_path: dict[str, Path], by_stem: dict[str, list[Path]]) -> list[Path]:
    path = Path(key)
    plain = path.with_suffix("").as_posix()
    for name in (key, plain, f"{plain}-color"):
        if name in by_path:
            return [by_path[name]]
    for stem in (path.name, path.stem):  # a key such as `12.5` has no suffix
        for name in (stem, f"{stem}-color"):  # as `photochrom` itself names its files
            if name in by_stem:
                return by_stem[name]
    return []
