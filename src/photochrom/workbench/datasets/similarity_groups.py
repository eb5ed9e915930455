"""Group similar pictures, for example to train and test on one group.

Source: the student system of the recipe `fusion`. Every picture is stretched to one size; for
each of red, green and blue the flattened pictures go through a PCA over pictures; the first score
of each channel is kept, three numbers a picture; k-means puts the pictures in groups. (Their
notebook then clustered random numbers instead of the scores; here it is the scores.) Groups are
numbered from 1, the largest first.
"""

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from photochrom.color.arrays import Bytes, Floats
from photochrom.errors import DataError, InvalidValueError
from photochrom.workbench.datasets.ab_palette import import_cluster
from photochrom.workbench.datasets.picture_files import resized

if TYPE_CHECKING:
    from sklearn.cluster import KMeans
    from sklearn.decomposition import PCA

SIDE_PX = 64  # of the stretched picture; the source's 256 give the same first scores
COMPONENTS = 100
GROUPS = 5


def thumbnail(rgb: Bytes, side_px: int = SIDE_PX) -> Bytes:
    """Stretch a picture (H, W, 3) to a square of `side_px`, whatever its aspect, as the source."""
    return resized(rgb, (side_px, side_px), "BILINEAR")


@dataclass(frozen=True)
class GroupModel:
    """A model that assigns pictures to groups; see `fit_group_model`.

    analyses : of red, green and blue
    kept_scores : scores kept of each channel
    order : int array, (groups,); the k-means' own numbers, the largest group first
    """

    analyses: "tuple[PCA, ...]"
    kept_scores: int
    kmeans: "KMeans"
    order: NDArray[np.intp]

    def scores(self, thumbnails: Bytes) -> Floats:
        """Return the kept scores of thumbnails (N, S, S, 3): (N, 3 * kept_scores)."""
        parts = [
            analysis.transform(_flat(thumbnails, channel))[:, : self.kept_scores]
            for channel, analysis in enumerate(self.analyses)
        ]
        return np.concatenate(parts, axis=1)

    def groups(self, thumbnails: Bytes) -> NDArray[np.intp]:
        """Return the group, from 1, of each of the thumbnails (N, S, S, 3)."""
        rank = np.argsort(self.order)
        return np.asarray(rank[self.kmeans.predict(self.scores(thumbnails))] + 1)

    def distances(self, thumbnails: Bytes) -> Floats:
        """Return how far each thumbnail lies from the centre of each group, (N, groups)."""
        found: Floats = self.kmeans.transform(self.scores(thumbnails))[:, self.order]
        return found

    def explained(self) -> Floats:
        """Return the share of variance that the first score of each channel keeps, (3,)."""
        return np.array([analysis.explained_variance_ratio_[0] for analysis in self.analyses])


def _flat(thumbnails: Bytes, channel: int) -> Floats:
    return thumbnails[..., channel].reshape(len(thumbnails), -1).astype(np.float32) / 255


def fit_group_model(
    thumbnails: Bytes, groups: int = GROUPS, seed: int = 0, *, all_scores: bool = False
) -> GroupModel:
    """Find groups of similar pictures.

    Parameters
    ----------
    thumbnails : uint8 array, (N, S, S, 3)
        Pictures as `thumbnail` gives them.
    groups : int
        From 1 to N.
    all_scores : bool
        Keep all scores (at most 100 a channel), not the first of each channel alone.

    Raises
    ------
    DataError
        If there are fewer different pictures than groups.
    InvalidValueError
        If `groups` is below 1.
    MissingExtraError
        If scikit-learn is not installed.
    """
    if groups < 1:
        raise InvalidValueError(f"groups must be 1 or more; got {groups}.")
    different = len(np.unique(thumbnails.reshape(len(thumbnails), -1), axis=0))
    if different < max(groups, 2):
        raise DataError(
            f"{groups} groups need at least {max(groups, 2)} different pictures; "
            f"there are {different}."
        )
    cluster = import_cluster()
    from sklearn.decomposition import PCA

    components = min(COMPONENTS, len(thumbnails) - 1, thumbnails.shape[1] * thumbnails.shape[2])
    analyses = tuple(
        PCA(components, svd_solver="randomized", random_state=seed).fit(_flat(thumbnails, channel))
        for channel in range(3)
    )
    kept = components if all_scores else 1
    kmeans = cluster.KMeans(groups, random_state=seed, n_init=10)
    found = GroupModel(analyses, kept, kmeans, np.arange(groups))
    labels = kmeans.fit_predict(found.scores(thumbnails))
    order = np.argsort(-np.bincount(labels, minlength=groups), kind="stable")
    return GroupModel(analyses, kept, kmeans, order)
