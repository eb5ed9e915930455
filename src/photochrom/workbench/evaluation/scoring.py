"""From candidates to records: one flat row of numbers for each colouring of each photograph.

The records are stored, so that every table, interval and curve can be computed from them again.
"""

from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np

from photochrom.color.arrays import Bytes, Floats
from photochrom.color.gamut import lab_to_bytes
from photochrom.color.lab import bytes_to_lab
from photochrom.errors import MethodOutputError
from photochrom.workbench.datasets.reader_processes import map_ahead
from photochrom.workbench.evaluation import chroma_metrics, metrics
from photochrom.workbench.evaluation.class_prior import ClassPrior
from photochrom.workbench.evaluation.compared_rows import Candidate, Source
from photochrom.workbench.evaluation.evaluation_pictures import (
    Sample,
    reduce_planes,
    reduce_rgb,
    reduced,
)

Record = dict[str, Any]

# Told of every row of a table: the photograph, the row's name and its finished picture, at the size
# at which they are scored; what it gives is added to the record. It is called from several threads.
Observer = Callable[[Sample, str, Bytes], Record]

MOST_WORKERS = 2
TRUTH = "truth"
SCORED_PX = 256  # short side at which larger photographs are scored


def finish(sample: Sample, ab: Floats) -> Bytes:
    """Return the picture that a user gets from ab (h, w, 2): true lightness, in gamut, 8 bits."""
    return lab_to_bytes(_with_lightness(sample, ab))


def _with_lightness(sample: Sample, ab: Floats) -> Floats:
    return np.concatenate([sample.lab[..., :1], ab.astype(np.float32)], axis=-1)


def score(
    sample: Sample,
    candidate: Candidate,
    class_prior: ClassPrior | None = None,
    observers: Sequence[Observer] = (),
    scored: Sample | None = None,
) -> Record:
    """Measure one colouring of one photograph.

    Raise MethodOutputError if the colours have another size than the photograph, or are not finite.

    Parameters
    ----------
    candidate : Candidate
        Its colouring. Rows get every metric, points of the hint curve PSNR alone, those of the
        other curves what a curve is drawn from.
    class_prior : ClassPrior, optional
        Of all photographs; without it there is no class-rebalanced metric.
    observers : sequence of Observer
        Shown the finished picture of a row.
    scored : Sample, optional
        The photograph at a smaller size, at which it is scored: the picture is finished at full
        size, as a person gets it, and then reduced.

    Returns
    -------
    Record
        `part`, `name`, `setting`, `key`, `source`, and a number for each metric.
    """
    part, name, setting, ab, own = candidate
    if ab.shape != (*sample.lightness.shape, 2) or not np.isfinite(ab).all():
        raise MethodOutputError(
            f"{name} on {sample.key}: ab must be finite and {(*sample.lightness.shape, 2)}; "
            f"got {ab.shape}, {np.count_nonzero(~np.isfinite(ab))} numbers not finite."
        )
    rgb = finish(sample, ab) if own is None else own
    if scored is not None and scored is not sample:
        height, width = scored.lightness.shape
        rgb, ab = reduce_rgb(rgb, (height, width)), reduce_planes(ab, (height, width))
        sample = scored
    record: Record = {"part": part, "name": name, "setting": setting}
    record |= {"key": sample.key, "source": sample.source, "psnr": metrics.psnr(rgb, sample.rgb)}
    if part == "hints":
        return record
    lab = bytes_to_lab(rgb)
    record["ciede2000"] = metrics.mean_ciede2000(lab, sample.lab)
    unbounded = lab if own is not None else _with_lightness(sample, ab)
    record["ciede2000_unbounded"] = metrics.mean_ciede2000(unbounded, sample.lab)
    record |= _colour_metrics(rgb, lab)
    record |= _against_the_truth(lab, sample.lab)
    if part == "rows":
        record |= _row_metrics(sample, ab, rgb, class_prior)
        for observer in observers:
            record |= observer(sample, name, rgb)
    return record


def _row_metrics(
    sample: Sample,
    ab: Floats,
    rgb: Bytes,
    class_prior: ClassPrior | None,
) -> Record:
    truth_ab = sample.lab[..., 1:]
    record: Record = {
        "ab_mae": metrics.mean_absolute_error(ab, truth_ab),
        "ab_mse": metrics.mean_squared_error(ab, truth_ab),
        "ssim": metrics.ssim(rgb, sample.rgb),
        "rgb_mae": metrics.mean_absolute_rgb_error(rgb, sample.rgb),
        "within_2": metrics.share_within(rgb, sample.rgb, 0.02),
        "within_5": metrics.share_within(rgb, sample.rgb, 0.05),
        "auc": metrics.area_under_curve(ab, truth_ab),
    }
    gaps = metrics.kolmogorov_smirnov(rgb, sample.rgb)
    record |= dict(zip(("ks_red", "ks_green", "ks_blue"), gaps, strict=True))
    record["ks"] = sum(gaps) / 3
    if class_prior is not None:
        weights = class_prior.weights(truth_ab)
        record["auc_weighted"] = metrics.area_under_curve(ab, truth_ab, weights)
        record["auc_weight"] = float(weights.mean(dtype=np.float64))
    return record


def _colour_metrics(rgb: Bytes, lab: Floats) -> Record:
    found = chroma_metrics.concentration(lab)
    return {
        "colourfulness": chroma_metrics.colourfulness(rgb),
        "colourfulness_ddcolor": chroma_metrics.colourfulness_ddcolor(rgb),
        "concentration": found or 0.0,
        "concentration_counts": float(found is not None),
    }


def _against_the_truth(lab: Floats, truth_lab: Floats) -> Record:
    found = chroma_metrics.left_gray(lab, truth_lab)
    return {
        "left_gray": found or 0.0,
        "left_gray_counts": float(found is not None),
        "neon": chroma_metrics.neon(lab, truth_lab),
    }


def score_sample(
    sample: Sample,
    sources: Sequence[Source],
    class_prior: ClassPrior | None = None,
    observers: Sequence[Observer] = (),
    scored_px: int = SCORED_PX,
) -> list[Record]:
    """Measure every candidate of one photograph; the first record is the truth's own."""
    scored = reduced(sample, scored_px)
    record: Record = {"part": "rows", "name": TRUTH, "setting": None}
    record |= {"key": sample.key, "source": sample.source}
    record |= _colour_metrics(scored.rgb, scored.lab)
    for observer in observers:
        record |= observer(scored, TRUTH, scored.rgb)
    return [record] + [
        score(sample, each, class_prior, observers, scored)
        for source in sources
        for each in source(sample)
    ]


def score_samples(
    samples: Iterable[Sample],
    sources: Sequence[Source],
    workers: int = MOST_WORKERS,
    progress: Callable[[int], None] | None = None,
    class_prior: ClassPrior | None = None,
    observers: Sequence[Observer] = (),
    scored_px: int = SCORED_PX,
) -> list[Record]:
    """Measure a stream of photographs.

    Parameters
    ----------
    samples : iterable of Sample
        Read one by one; at most a few are in memory.
    workers : int
        Threads, 1 or 2. More would only contend: networks and NumPy use cores of their own.
    progress : callable, optional
        Called with the number of photographs done.
    class_prior, observers :
        As for `score`.
    scored_px : int
        Short side at which larger photographs are scored.

    Returns
    -------
    list of Record
        In the order of the photographs, each with its number as `picture`.
    """
    records: list[Record] = []
    with ThreadPoolExecutor(max(1, min(workers, MOST_WORKERS))) as pool:
        scored = map_ahead(
            pool,
            lambda sample: score_sample(sample, sources, class_prior, observers, scored_px),
            samples,
            2 * MOST_WORKERS,
        )
        for number, rows in enumerate(scored):
            records += [{"picture": number} | row for row in rows]
            if progress is not None:
                progress(number + 1)
    return records
