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
            rows = [r for r in csv.DictReader(lines) if r.get("loss") and r.get("epochs")]
        epochs, losses = ([float(row[name]) for row in rows] for name in ("epochs", "loss"))
        if len(rows) == 1:  # a level, since one dot is no curve
            axes.axhline(losses[0], linestyle="--", label=f"{label}, once")
        elif rows:
            axes.plot(epochs, losses, label=label, marker="." if len(rows) < 20 else None)
    axes.set(xlabel="epochs (the training pictures once)", ylabel="loss", yscale="log")
    if axes.lines:
        axes.legend()
    figure.savefig(folder / "loss.png", dpi=100)
    plt.close(figure)
