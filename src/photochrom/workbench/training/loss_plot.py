"""Plot a run's log: the loss, on a logarithmic axis, against epochs."""

import csv
from pathlib import Path


def plot_log(folder: Path) -> None:
    """Draw `loss.png` from `log.csv` and `validation.csv` in a run's folder."""
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    figure, axes = plt.subplots(figsize=(8, 5))
    for name, label in (("log.csv", "training"), ("validation.csv", "validation")):
        file = folder / name
        if not file.exists():
            continue
        with file.open() as lines:
            points = [p for row in csv.DictReader(lines) for p in _point(row)]
        epochs, losses = ([point[axis] for point in points] for axis in (0, 1))
        if len(points) == 1:  # a level, since one dot is no curve
            axes.axhline(losses[0], linestyle="--", label=f"{label}, once")
        elif points:
            axes.plot(epochs, losses, label=label, marker="." if len(points) < 20 else None)
    axes.set(xlabel="epochs (the training pictures once)", ylabel="loss", yscale="log")
    if axes.lines:
        axes.legend()
    figure.savefig(folder / "loss.png", dpi=100)
    plt.close(figure)


def _point(row: dict[str, str | None]) -> list[tuple[float, float]]:
    """Return a row's epochs and loss; nothing for a damaged row, or one without them."""
    try:
        return [(float(row["epochs"] or ""), float(row["loss"] or ""))]
    except (KeyError, ValueError):
        return []
