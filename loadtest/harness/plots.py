"""Pictures: PNG files, small enough to live in docs/."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

_WIDTH, _HEIGHT, _DOTS = 8.0, 4.0, 90  # inches, and dots per inch


@contextmanager
def drawing(path: Path, title: str, rows: int = 1, columns: int = 1, height: float = _HEIGHT) -> Iterator[Any]:
    """Give Matplotlib's axes, several in an array, and save the picture afterwards. `height` is in inches, of a row."""
    # Here and not above: whoever draws nothing need not have it.
    import matplotlib as mpl

    mpl.use("Agg")  # no display is asked for
    from matplotlib import pyplot
    from PIL import Image

    size = (_WIDTH, height * (1 + 0.4 * (rows - 1)))
    figure, axes = pyplot.subplots(rows, columns, sharex=rows > 1, sharey=columns > 1, figsize=size, dpi=_DOTS)
    yield axes
    figure.suptitle(title, fontsize="medium")
    figure.tight_layout()
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path)
    pyplot.close(figure)
    with Image.open(path) as picture:  # a palette is a third of the bytes
        picture.convert("RGB").quantize(64, dither=Image.Dither.NONE).save(path, optimize=True)
