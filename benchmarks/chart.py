"""The chart of the ratios, as SVG: mongotic and ODMantic beside raw PyMongo, with the bars.

Used by `page`.  Nothing in the file tells when it was drawn, so that the same figures give the same file.
"""

from collections.abc import Sequence
from pathlib import Path

import matplotlib as mpl
from harness import Figure, Row
from matplotlib.axes import Axes
from matplotlib.figure import Figure as Drawing

_MONGOTIC, _ODMANTIC, _BAR = "#1a7f4b", "#8a5a00", "#c0392b"
_LINE_HEIGHT = 0.26  # inches
_TICKS = (0.5, 1, 2, 4, 8, 16, 32, 64, 128)


def draw(rows: Sequence[Row], file: Path) -> None:
    """Write the chart of those rows that are ratios.

    Arguments:
        rows: of the table; what is measured in another unit is left out.
        file: where to.
    """
    ratios = [row for row in rows if row.unit == "×"]
    with mpl.rc_context({"svg.hashsalt": "mongotic", "svg.fonttype": "none", "font.size": 9}):
        drawing = Drawing(figsize=(10, 1.5 + _LINE_HEIGHT * len(ratios)), layout="constrained")
        axes = drawing.subplots()
        for line, row in enumerate(ratios):
            _figure(axes, line, row.mongotic, _MONGOTIC, "o", "mongotic")
            if row.odmantic is not None:
                _figure(axes, line, row.odmantic, _ODMANTIC, "s", "ODMantic")
            if row.bar is not None:
                axes.plot([row.bar], [line], "|", color=_BAR, markersize=14, markeredgewidth=2, label="bar")
        _label(axes, ratios)
        drawing.savefig(file, format="svg", metadata={"Date": None})


def _figure(axes: Axes, line: int, figure: Figure, colour: str, marker: str, label: str) -> None:
    axes.plot([figure.low, figure.high], [line, line], "-", color=colour, linewidth=1.5)
    axes.plot([figure.median], [line], marker, color=colour, markersize=5, label=label)


def _label(axes: Axes, rows: Sequence[Row]) -> None:
    axes.set_yticks(range(len(rows)), [f"{row.code} {row.title}, {row.kind}, {row.against}" for row in rows])
    axes.set_ylim(len(rows) - 0.5, -0.5)
    axes.set_xscale("log")
    axes.set_xticks(_TICKS, [f"{tick:g}" for tick in _TICKS])
    axes.set_xticks([], minor=True)
    axes.axvline(1, color="black", linewidth=0.8)
    axes.grid(axis="x", color="#dddddd", linewidth=0.6)
    axes.set_axisbelow(True)
    axes.set_xlabel("time per document as a multiple of the raw driver's, median and range of the rounds (log scale)")
    handles = dict(zip(*reversed(axes.get_legend_handles_labels()), strict=True))
    axes.legend(
        handles.values(), handles.keys(), loc="upper center", bbox_to_anchor=(0.5, 1.06), ncols=3, frameon=False
    )
