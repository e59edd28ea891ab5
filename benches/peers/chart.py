"""A bar chart of ratios: a panel for each group, bars by shape and stack."""

import matplotlib
from matplotlib.figure import Figure

# Colors that people with any color vision tell apart (Okabe and Ito, 2008).
COLORS = ["#0072b2", "#56b4e9", "#009e73", "#e69f00", "#d55e00", "#cc79a7"]


def draw(path, shapes, panels):
    """`panels` are (title, name of the line at 1, bars), and bars (name, a ratio or None for each of `shapes`)."""
    style = {"font.size": 9, "svg.hashsalt": "peers", "axes.spines.top": False, "axes.spines.right": False}
    matplotlib.rcParams.update(style)
    # GitHub shows up to about 900 pixels; a pixel of an SVG is a 96th of an inch.
    heights = [2 + 0.2 * len(bars) for _, _, bars in panels]
    figure = Figure(figsize=(900 / 96, 1.4 * sum(heights)), layout="constrained")
    drawn = figure.subplots(len(panels), height_ratios=heights, squeeze=False)[:, 0]
    for panel, (title, line, bars) in zip(drawn, panels):
        draw_panel(panel, shapes, title, line, bars)
    figure.savefig(path, metadata={"Date": None})


def draw_panel(panel, shapes, title, line, bars):
    width = 0.84 / max(len(bars), 3)
    for index, ((name, ratios), color) in enumerate(zip(bars, COLORS, strict=False)):
        shift = width * (index - (len(bars) - 1) / 2)
        places = [place + shift for place in range(len(ratios))]
        drawn = panel.bar(places, [it or 0 for it in ratios], 0.9 * width, color=color, label=name)
        texts = [f"{it:.2f}" if it else "none" for it in ratios]
        panel.bar_label(drawn, texts, fontsize=7, rotation=90, padding=3)
    panel.axhline(1, color="black", linewidth=1, label=line)
    panel.set_title(title, loc="left", weight="bold")
    panel.set_xticks(range(len(shapes)), shapes)
    panel.set_xlim(-0.5, len(shapes) - 0.5)
    panel.set_xlabel("batch × tokens")
    panel.set_ylabel("ratio")
    panel.margins(y=0.18)
    panel.grid(axis="y", color="#dddddd")
    panel.set_axisbelow(True)
    panel.legend(ncols=3, fontsize=8, frameon=False, loc="upper center", bbox_to_anchor=(0.5, -0.16))
