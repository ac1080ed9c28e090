"""The chart of the page: for each row a group of bars, one for each library, as multiples of the floor."""

from html import escape

from benchmarks.comparison import ratio
from benchmarks.report import SHOWN
from benchmarks.results import Results
from benchmarks.subjects import SUBJECTS
from benchmarks.targets import FLOOR

__all__ = ["draw"]

_COLOURS = {
    "ours": "#0b6e4f",
    "ours_external": "#4fb286",
    "namesake": "#b23a48",
    "aioresponses": "#e09f3e",
    "aresponses": "#6c757d",
    "pytest_httpserver": "#577590",
}

# Sizes are in pixels; a longer bar than the last of the scale ends there.
_WIDTH, _MARGIN, _BAR, _LINE, _END = 480, 10, 12, 20, 4.0


def draw(results: Results) -> str:
    """Return the chart as SVG, dark on white, narrow enough for a phone."""
    scale = (_WIDTH - 5 * _MARGIN) / _END
    shapes: list[str] = []

    def text(left: float, top: float, words: str, more: str = "") -> None:
        shapes.append(f'<text x="{left:.0f}" y="{top:.0f}" {more}>{escape(words)}</text>')

    def bar(left: float, top: float, width: float, colour: str) -> None:
        shapes.append(f'<rect x="{left:.0f}" y="{top:.0f}" width="{width:.1f}" height="{_BAR - 2}" fill="{colour}"/>')

    for place, (name, colour) in enumerate(_COLOURS.items()):
        column, line = place % 2, place // 2
        bar(_MARGIN + column * _WIDTH / 2, _MARGIN + line * _LINE, 2 * _BAR, colour)
        text(_MARGIN + column * _WIDTH / 2 + 3 * _BAR, _MARGIN + line * _LINE + 10, SUBJECTS[name].title)
    y = _MARGIN + 4 * _LINE
    text(_MARGIN, y, "Time as a multiple of a bare aiohttp server's, the line; shorter is faster")
    top = y + _LINE / 2
    for scenario, (title, _) in SHOWN.items():
        if not results.find(scenario).values:
            continue
        y += 1.5 * _LINE
        text(_MARGIN, y, title, 'font-weight="bold"')
        y += 6
        for name, colour in _COLOURS.items():
            if (found := ratio(results, scenario, name, FLOOR)) is not None:
                multiple = found.median
                bar(_MARGIN, y, min(multiple, _END) * scale, colour)
                if multiple > _END:
                    text(_MARGIN + _END * scale + 3, y + 10, f"{multiple:.0f}")
                y += _BAR
    height, line = y + _MARGIN, _MARGIN + scale
    shapes.append(f'<path d="M{line:.0f} {top:.0f}V{y:.0f}" stroke="#000"/>')
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{_WIDTH}" height="{height:.0f}" '
        f'viewBox="0 0 {_WIDTH} {height:.0f}" font-family="sans-serif" font-size="13">\n'
        f'<rect width="100%" height="100%" fill="#fff"/>\n' + "\n".join(shapes) + "\n</svg>\n"
    )
