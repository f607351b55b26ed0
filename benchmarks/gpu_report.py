"""What a run found, in numbers and in a picture."""

from math import exp, log

__all__ = ["comparison", "draw", "lines"]


def _rivals(row, tf32):
    """The modes of equal precision."""
    return [s for mode, s in row["torch"].items() if s and mode.endswith("tf32") == tf32]


def comparison(rows):
    """By dtype: geometric mean and least of cuDNN's best seconds over ours, and the same over grouped layers alone."""
    found = {}
    for dtype in dict.fromkeys(row["dtype"] for row in rows):
        for name, grouped in ((dtype, None), (f"{dtype}, grouped", True)):
            ratios = {}
            for row in rows:
                best = min(_rivals(row, dtype == "tf32"), default=None)
                if row["dtype"] == dtype and best and row["ours"] and (grouped is None or row["groups"] > 1):
                    ratios[row["layer"]] = best / row["ours"]
            if ratios:
                mean = exp(sum(map(log, ratios.values())) / len(ratios))
                worst = min(ratios, key=ratios.get)
                found[name] = {"layers": len(ratios), "mean": mean, "least": ratios[worst], "least_layer": worst}
    return found


def lines(rows):
    """The comparison as a table."""
    yield f"{'cuDNN over ours':22} {'layers':>6} {'mean':>6} {'least':>6}"
    for name, row in comparison(rows).items():
        yield f"{name:22} {row['layers']:6} {row['mean']:6.2f} {row['least']:6.2f}  {row['least_layer']}"


def draw(rows, device, path):
    """Ours, cuDNN's best and the floor of each layer, one panel for each dtype."""
    import matplotlib as mpl

    mpl.use("Agg")
    from matplotlib import pyplot as plt

    dtypes = list(dict.fromkeys(row["dtype"] for row in rows))
    figure, panels = plt.subplots(len(dtypes), 1, figsize=(11, 3.2 * len(dtypes)), squeeze=False, layout="constrained")
    for dtype, (axes,) in zip(dtypes, panels, strict=True):
        ours = [row for row in rows if row["dtype"] == dtype and row["ours"]]
        names = [row["layer"] for row in ours]
        axes.plot(names, [row["ours"] * 1e6 for row in ours], "o", label="upconv")
        best = [min(_rivals(row, dtype == "tf32"), default=float("nan")) * 1e6 for row in ours]
        axes.plot(names, best, "x", label="PyTorch, its best mode")
        axes.plot(names, [max(row["floors"].values()) * 1e6 for row in ours], "_", label="floor")
        axes.set(yscale="log", ylabel="microseconds", title=f"{dtype} on {device}")
        axes.tick_params(axis="x", rotation=75, labelsize=7)
        axes.legend(fontsize=7)
    figure.savefig(path, dpi=90)
    plt.close(figure)
