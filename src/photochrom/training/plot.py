"""Plot a run's log: the logarithm of the loss against the pictures seen."""

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
            rows = list(csv.DictReader(lines))
        axes.plot(
            [int(row["pictures"]) for row in rows],
            [float(row["cross_entropy"]) for row in rows],
            label=label,
        )
    axes.set(xlabel="pictures seen", ylabel="cross-entropy", yscale="log")
    axes.legend()
    figure.savefig(folder / "loss.png", dpi=100)
    plt.close(figure)
