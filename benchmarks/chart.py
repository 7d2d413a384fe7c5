"""The chart of the labelling rates that the README shows: bars with their figures on them, ours in colour."""

from pathlib import Path
from statistics import median
from typing import Any

from benchmarks.suites import CAMERA, LABELLING, Suite

# Drawn: what labels images from start to end. The engine and the decoder alone are a line, the roof.
BARS = ("notebook", "tf_data", "ray_keras", "ray_openvino", "embedded", "servers")
OURS = ("embedded", "servers")
INK, FAINT, OTHERS, ACCENT = "#1f2933", "#7b8794", "#b8c2cc", "#0b7285"
WIDTH_IN, BAR_IN, PANEL_IN = 8.0, 0.36, 0.75
PNG_DPI = 160


def draw_chart(values: dict[str, Any], path: Path) -> bool:
    """Draw it, as SVG or PNG.

    Args:
        values: as `benchmarks.report.to_json` makes them.
        path: the file; its suffix says which kind.

    Returns:
        Whether there was anything to draw.
    """
    panels = [(suite, _rates(values["suites"].get(suite.name, {}))) for suite in (LABELLING, CAMERA)]
    panels = [(suite, rates) for suite, rates in panels if any(key in rates for key in BARS)]
    if not panels:
        return False
    import matplotlib as mpl  # noqa: PLC0415 - only where something is drawn
    from matplotlib.figure import Figure  # noqa: PLC0415

    heights = [PANEL_IN + BAR_IN * sum(key in rates for key in BARS) for _, rates in panels]
    figure = Figure(figsize=(WIDTH_IN, sum(heights)), layout="constrained", facecolor="white")
    axes = figure.subplots(len(panels), 1, height_ratios=heights, squeeze=False)[:, 0]
    for axis, (suite, rates) in zip(axes, panels, strict=True):
        _draw_panel(axis, suite, rates, num_images=values["num_images"] or suite.num_images)
    path.parent.mkdir(parents=True, exist_ok=True)
    # Neither a date nor random names in the file: the same figures make the same file.
    metadata = {"Date": None} if path.suffix == ".svg" else {}
    with mpl.rc_context({"svg.hashsalt": "labelyard"}):
        figure.savefig(path, dpi=PNG_DPI, metadata=metadata)
    return True


def _rates(measured: dict[str, list[dict[str, float]]]) -> dict[str, float]:
    return {key: median(one["rate"] for one in rounds) for key, rounds in measured.items()}


def _draw_panel(axis: Any, suite: Suite, rates: dict[str, float], *, num_images: int) -> None:  # noqa: ANN401
    keys = [key for key in BARS if key in rates]
    widths = [rates[key] for key in keys]
    colours = [ACCENT if key in OURS else OTHERS for key in keys]
    bars = axis.barh(range(len(keys)), widths, height=0.68, color=colours)
    # On white, for the roof may pass behind a number.
    on_white = {"facecolor": "white", "edgecolor": "none", "pad": 1}
    axis.bar_label(bars, [f"{width:,.0f}" for width in widths], padding=4, color=INK, fontsize=10, bbox=on_white)
    names = [suite.sides[key].partition(") ")[2] for key in keys]
    axis.set_yticks(range(len(keys)), names, fontsize=10, color=INK)
    axis.invert_yaxis()
    roof = _roof(rates)
    if roof is not None:
        axis.axvline(roof, color=FAINT, linewidth=1, linestyle=(0, (3, 3)))
        axis.text(roof, -0.62, f"what engine and decoder allow: {roof:,.0f} ", ha="right", color=FAINT, fontsize=9)
    axis.set_xlim(0, max([*widths, roof or 0.0]) * 1.1)
    axis.set_title(
        f"Images per second: {suite.title.format(number=f'{num_images:,}')}", loc="left", fontsize=11, pad=14
    )
    axis.tick_params(length=0)
    axis.xaxis.set_visible(False)
    axis.spines[:].set_visible(False)


def _roof(rates: dict[str, float]) -> float | None:
    """What a processor could do at best whose cores the engine and the decoder share."""
    if "engine" in rates and "decoding" in rates:
        return 1 / (1 / rates["engine"] + 1 / rates["decoding"])
    return None
