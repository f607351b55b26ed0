"""A picture that compares versions of one photograph: the whole, and a detail of each."""

from matplotlib.figure import Figure
from matplotlib.patches import Rectangle


def save(path, whole, versions, detail):
    """Draw one photograph whole, and the detail (left, top, right, bottom) of four others, each with its title."""
    (left, top, right, bottom), (title, photo) = detail, whole
    ratio = photo.width / photo.height
    figure = Figure(figsize=(5.6 * (ratio + 1), 5.9), layout="constrained")
    grid = figure.add_gridspec(2, 3, width_ratios=(2 * ratio, 1, 1))
    large = figure.add_subplot(grid[:, 0])
    large.imshow(photo)
    large.set_title(title)
    large.add_patch(Rectangle((left, top), right - left, bottom - top, fill=False, edgecolor="white", linewidth=1.5))
    places = (grid[0, 1], grid[0, 2], grid[1, 1], grid[1, 2])
    for place, (title, photo) in zip(places, versions.items(), strict=True):
        small = figure.add_subplot(place)
        small.imshow(photo.crop(detail), interpolation="nearest")
        small.set_title(title)
    for axis in figure.axes:
        axis.set_axis_off()
    figure.savefig(path)
