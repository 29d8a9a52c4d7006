"""Drawing for the page: matplotlib's SVG inline, in the page's own font and colours, light or dark as these are."""

from __future__ import annotations

import io
import re
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.typing import RcKeyType

WIDTH, HEIGHT = 420.0, 236.0
"""Units of the drawing; the page scales it to its column."""
INK, SOFT, LINE, ANSWERED, NO_ANSWER, FAILED, MARK = (f"#0{n}0{n}0{n}" for n in range(1, 8))
"""Stand for the page's colours, and are replaced by them."""
_VARIABLES = {
    INK: "--ink", SOFT: "--soft", LINE: "--line", ANSWERED: "--answered", NO_ANSWER: "--none", FAILED: "--failed",
    MARK: "--mark",
}  # fmt: skip
_STYLE: Mapping[RcKeyType, object] = {
    "svg.fonttype": "none",
    "font.size": 12,
    "text.color": INK,
    "axes.labelcolor": SOFT,
    "axes.labelsize": 12,
    "axes.edgecolor": LINE,
    "axes.linewidth": 1,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.spines.left": False,
    "axes.axisbelow": True,
    "axes.grid": True,
    "axes.grid.axis": "y",
    "grid.color": LINE,
    "grid.linewidth": 1,
    "xtick.color": LINE,
    "ytick.color": LINE,
    "xtick.labelcolor": SOFT,
    "ytick.labelcolor": SOFT,
    "ytick.major.size": 0,
    "axes.unicode_minus": True,
    "axes.formatter.use_mathtext": False,
    "text.parse_math": False,
    "text.usetex": False,
}


def drawn(name: str, draw: Callable[[Axes], None], *, height: float = HEIGHT) -> str:
    """The SVG of what ``draw`` puts on axes.

    Args:
        name: of ASCII letters; the drawing's ids begin with it, so that several fit on a page.
        draw: draws in the colours of this module alone.
        height: in units, of which there are ``WIDTH`` from side to side.
    """
    from matplotlib import rc_context
    from matplotlib.figure import Figure

    sink = io.StringIO()
    with rc_context({**_STYLE, "svg.hashsalt": name}):
        figure = Figure(figsize=(WIDTH / 72, height / 72), layout="constrained")
        figure.patch.set_alpha(0)
        axes = figure.subplots()
        axes.patch.set_alpha(0)
        draw(axes)
        figure.savefig(sink, format="svg", metadata={"Date": None, "Creator": None})
    return _inline(sink.getvalue(), name)


def _inline(svg: str, name: str) -> str:
    """The drawing without what only a file needs, its colours and font those of the page."""
    svg = svg[svg.index("<svg") :]
    svg = re.sub(r"<metadata>.*?</metadata>", "", svg, flags=re.DOTALL)
    svg = re.sub(r"<!--.*?-->\s*", "", svg, flags=re.DOTALL)  # matplotlib repeats each text in one
    svg = re.sub(r"<svg [^>]*?(viewBox=\"[^\"]*\")[^>]*>", r'<svg \1 aria-hidden="true">', svg, count=1)
    svg = svg.replace("xlink:href", "href")
    svg = re.sub(r'(\bid="|url\(#|href="#)', rf"\g<1>{name}-", svg)
    svg = re.sub(r"font: ([\d.]+px)[^;\"]*", r"font-size: \1", svg)
    svg = re.sub(r"font-family: [^;\"]*;? ?", "", svg)
    svg = re.sub(r"<style.*?</style>", "", svg, flags=re.DOTALL)  # it would be the whole page's
    for colour, variable in _VARIABLES.items():
        svg = svg.replace(colour, f"var({variable})")
    return svg.strip()
