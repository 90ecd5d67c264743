#!/usr/bin/env python3
"""Draws what overload_bench measured, for docs/overload.md.

usage: overload_chart.py NOW.json BEFORE.json > docs/images/overload.svg

Both files are written by overload_bench --json: by this tree, and by one without admission control.
"""

import json
import math
import sys

WIDTH, HEIGHT = 720, 360
LEFT, RIGHT, TOP, BOTTOM = 64, 150, 44, 56
X_MIN, X_MAX, Y_MAX = 0.5, 10, 1.2
STYLE = """
  text { font: 13px system-ui, sans-serif; fill: black }
  .title { font-weight: 600; font-size: 15px }
  .grid { stroke: gainsboro; stroke-width: 1 }
  .ideal { stroke: gray; stroke-dasharray: 4 4; fill: none; stroke-width: 1.5 }
  .now { stroke: seagreen; fill: none; stroke-width: 2.5 }
  .before { stroke: firebrick; fill: none; stroke-width: 2.5 }
  .now-dot, .now-text { fill: seagreen }
  .before-dot, .before-text { fill: firebrick }
  @media (prefers-color-scheme: dark) {
    text { fill: gainsboro }
    .grid { stroke: dimgray }
    .ideal { stroke: darkgray }
    .now { stroke: mediumaquamarine }
    .before { stroke: salmon }
    .now-dot, .now-text { fill: mediumaquamarine }
    .before-dot, .before-text { fill: salmon }
  }
"""


def place(times, part):
    """Where a figure lies: times the capacity on a logarithmic axis, its part on a linear one."""
    x = LEFT + (WIDTH - LEFT - RIGHT) * math.log(times / X_MIN) / math.log(X_MAX / X_MIN)
    y = HEIGHT - BOTTOM - (HEIGHT - TOP - BOTTOM) * part / Y_MAX
    return round(x, 1), round(y, 1)


def read_points(path):
    with open(path, encoding="utf-8") as file:
        result = json.load(file)
    capacity = result["capacity"]
    return [
        (row["times"], row["answered"] / capacity)
        for row in result["rates"]
        if row["kind"] == "get"
    ]  # fmt: skip


def draw_line(points, name):
    places = [place(*point) for point in points]
    path = " L".join(f"{x},{y}" for x, y in places)
    yield f'<path class="{name}" d="M{path}"/>'
    for x, y in places:
        yield f'<circle class="{name}-dot" cx="{x}" cy="{y}" r="4"/>'


def draw_axes(times):
    right = WIDTH - RIGHT
    for part in (0, 0.25, 0.5, 0.75, 1):
        _, y = place(X_MIN, part)
        yield f'<line class="grid" x1="{LEFT}" x2="{right}" y1="{y}" y2="{y}"/>'
        yield f'<text x="{LEFT - 8}" y="{y + 4}" text-anchor="end">{part:.0%}</text>'
    for each in times:
        x, y = place(each, 0)
        yield f'<text x="{x}" y="{y + 20}" text-anchor="middle">{each:g}</text>'
    middle = (LEFT + right) / 2
    yield (f'<text x="{middle}" y="{HEIGHT - 12}" text-anchor="middle">'
           "loads asked for, as multiples of what the source can do</text>")  # fmt: skip
    yield f'<text class="title" x="{LEFT}" y="24">Reads answered, of what the source can do</text>'


def draw(now, before):
    yield (f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" role="img"'
           ' aria-label="Reads answered under overload, and without its control">')
    yield f"<style>{STYLE}</style>"
    yield from draw_axes([times for times, _ in now])
    ideal = " L".join("{},{}".format(*place(x, min(x, 1))) for x in (X_MIN, 1, X_MAX))
    yield f'<path class="ideal" d="M{ideal}"/>'
    yield from draw_line(before, "before")
    yield from draw_line(now, "now")
    for points, name, words in ((now, "now", "with admission"), (before, "before", "first come,")):
        x, y = place(*points[-1])
        yield f'<text class="{name}-text" x="{x + 12}" y="{y + 4}">{words}</text>'
        if name == "before":
            yield f'<text class="{name}-text" x="{x + 12}" y="{y + 20}">first served</text>'
    yield "</svg>"


def main():
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    print("\n".join(draw(read_points(sys.argv[1]), read_points(sys.argv[2]))))


if __name__ == "__main__":
    main()
