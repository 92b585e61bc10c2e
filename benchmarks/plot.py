"""Plots as plain SVG, text that shows what has changed: a group of bars for each case, a bar for each peer."""

from collections.abc import Mapping, Sequence
from xml.etree.ElementTree import Element, SubElement, indent, tostring

from benchmarks.results import Results, spread
from benchmarks.tables import short

# Of Okabe and Ito: told apart by eyes of all kinds; ours is the first.
_COLOURS = ("#d55e00", "#0072b2", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#999999", "#000000")
_WIDTH, _LEFT, _RIGHT = 760, 210, 70
_BAR, _GAP, _TOP = 13, 12, 58
_FONT = {"font-family": "sans-serif", "font-size": "11", "fill": "#222222"}


def bars(results: Results, workload: str, figure: str, title: str) -> str:
    """Return medians of *figure* as SVG; empty: there are none."""
    groups = [(case, _medians(results, workload, case, figure)) for case in results.cases(workload)]
    groups = [(case, values) for case, values in groups if values]
    if not groups:
        return ""
    peers = [peer for peer in results.peers(workload) if any(peer in values for _, values in groups)]
    colours = dict(zip(peers, _COLOURS, strict=False))
    height = _TOP + sum(len(values) * _BAR + _GAP for _, values in groups)
    root = Element(
        "svg", {"xmlns": "http://www.w3.org/2000/svg", "viewBox": f"0 0 {_WIDTH} {height}", "role": "img"}
    )
    SubElement(root, "title").text = title
    SubElement(root, "rect", {"width": str(_WIDTH), "height": str(height), "fill": "#ffffff"})
    _text(root, 10, 20, title, size=14)
    _legend(root, peers, colours)
    at = _TOP
    for case, values in groups:
        at = _group(root, at, case, values, colours)
    indent(root)
    return tostring(root, encoding="unicode") + "\n"


def _medians(results: Results, workload: str, case: str, figure: str) -> dict[str, float]:
    spreads = {
        peer: spread(results.by_turn(workload, case, peer, figure).values())
        for peer in results.peers(workload, case)
    }
    return {peer: value.median for peer, value in spreads.items() if value is not None}


def _legend(root: Element, peers: Sequence[str], colours: Mapping[str, str]) -> None:
    at = 10
    for peer in peers:
        _rectangle(root, at, 32, 10, colours[peer])
        _text(root, at + 15, 41, peer)
        at += 30 + 7 * len(peer)


def _group(
    root: Element, at: int, case: str, values: Mapping[str, float], colours: Mapping[str, str]
) -> int:
    """Draw the bars of *case* from *at* down; return where the next group begins.

    Each group has a scale of its own: cases that differ by a hundred would leave nothing to be seen.
    """
    most = max(values.values()) or 1.0
    _text(root, _LEFT - 8, at + len(values) * _BAR // 2 + 4, case, anchor="end")
    for peer, value in values.items():
        width = max(1, round((_WIDTH - _LEFT - _RIGHT) * value / most))
        _rectangle(root, _LEFT, at, width, colours[peer])
        _text(root, _LEFT + width + 5, at + _BAR - 3, short(value))
        at += _BAR
    return at + _GAP


def _rectangle(root: Element, x: int, y: int, width: int, colour: str) -> None:
    sizes = {"x": str(x), "y": str(y), "width": str(width), "height": str(_BAR - 3)}
    SubElement(root, "rect", {**sizes, "fill": colour})


def _text(root: Element, x: int, y: int, text: str, anchor: str = "start", size: int = 11) -> None:
    place = {"x": str(x), "y": str(y), "text-anchor": anchor}
    SubElement(root, "text", {**_FONT, **place, "font-size": str(size)}).text = text
