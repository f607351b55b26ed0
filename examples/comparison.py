"""A picture that compares versions of one photograph: the whole, and a detail of each."""

from matplotlib.figure import Figure
from matplotlib.patches import Rectangle


def save(path, whole, versions, detail):
    """Draw `whole`, then the detail (left, top, right, bottom) of four versions of its size, by their titles."""
    left, top, right, bottom = detail
    figure = Figure(figsize=(11, 5.9), layout="constrained")
    title, photo = whole
    grid = figure.add_gridspec(2, 4)
    axis = figure.add_subplot(grid[:, :2])
    axis.imshow(photo)
    axis.add_patch(Rectangle((left, top), right - left, bottom - top, fill=False, edgecolor="white", linewidth=1.5))
    axis.set_title(title)
    axis.set_axis_off()
    for place, (title, photo) in zip((grid[0, 2], grid[0, 3], grid[1, 2], grid[1, 3]), versions.items(), strict=True):
        axis = figure.add_subplot(place)
        axis.imshow(photo.crop(detail), interpolation="nearest")
        axis.set_title(title)
        axis.set_axis_off()
    figure.savefig(path, dpi=100)
