"""Draws what tools/includes has read: a box per folder or layer, the highest on top, with its
files; an arc from a box to each lower one that it depends on, unless other arcs lead there. It says
whether two boxes know each other and not how often, so that most changes leave it as it is."""

from xml.sax.saxutils import escape

WIDTH = 960
LEFT, RIGHT = 16, 690  # of the boxes; right of them are the arcs
TITLE_HEIGHT, LINE_HEIGHT, PADDING, GAP = 20, 17, 8, 14
COLUMN_WIDTH = 132
PORT_DISTANCE = 6  # between the ends of arcs at one box
COLORS = 6

STYLE = """
  text { font: 12.5px ui-monospace, Menlo, Consolas, monospace; fill: #1f2328 }
  .title { font-weight: 700 }
  .note { fill: #59636e; font-family: system-ui, sans-serif }
  .box { fill: #f6f8fa; stroke: #818b98 }
  .ground { fill: #ffffff }
  .arc { fill: none; stroke-width: 1.4 }
  .c0 { stroke: #0969da; color: #0969da } .c1 { stroke: #1a7f37; color: #1a7f37 }
  .c2 { stroke: #9a6700; color: #9a6700 } .c3 { stroke: #cf222e; color: #cf222e }
  .c4 { stroke: #8250df; color: #8250df } .c5 { stroke: #1b7c83; color: #1b7c83 }
  .head { fill: currentColor; stroke: none }
  @media (prefers-color-scheme: dark) {
    text { fill: #e6edf3 }
    .note { fill: #9198a1 }
    .box { fill: #161b22; stroke: #656c76 }
    .ground { fill: #0d1117 }
    .c0 { stroke: #58a6ff; color: #58a6ff } .c1 { stroke: #3fb950; color: #3fb950 }
    .c2 { stroke: #d29922; color: #d29922 } .c3 { stroke: #ff7b72; color: #ff7b72 }
    .c4 { stroke: #bc8cff; color: #bc8cff } .c5 { stroke: #39c5cf; color: #39c5cf }
  }
"""


class Box:
    """A folder or a layer: where it is drawn, and the boxes that it depends on."""

    def __init__(self, name, note, files):
        self.name = name
        self.note = note
        self.files = files
        self.needs = set()
        self.needed_by = set()
        self.top = 0
        self.height = 0
        self.index = 0
        self.color = 0


def labels(box_name, paths):
    """The files of a box without their folder; a header and its .c file are one label."""
    suffixes = {}
    for path in paths:
        name, _, suffix = path.rpartition(".")
        for folder in (box_name + "/", "accel/", box_name.rpartition("/")[0] + "/"):
            if len(folder) > 1:
                name = name.removeprefix(folder)
        suffixes.setdefault(name, []).append(suffix)
    for name, found in suffixes.items():
        yield name if len(found) > 1 else f"{name}.{found[0]}"


def collect(graph, boxes):
    """The boxes that have files, from the highest, with their arrows."""
    found = {}
    for name, note in reversed(boxes.items()):
        paths = sorted(path for path in graph.files if graph.box[path] == name)
        if paths:
            found[name] = Box(name, note, sorted(labels(name, paths)))
    for path in sorted(graph.files):
        source = found.get(graph.box[path])
        for target_path in graph.needs(path):
            target = found.get(graph.box[target_path])
            if source and target and source is not target:
                source.needs.add(target.name)
    for index, box in enumerate(found.values()):
        box.index, box.color = index, index % COLORS
    reduce_arrows(found)
    return found


def reduce_arrows(boxes):
    """Leaves out each arrow whose end is also reached over another box."""
    below = {}  # box -> all boxes that it reaches
    for box in reversed(boxes.values()):
        box.needs = {name for name in box.needs if boxes[name].index > box.index}
        below[box.name] = box.needs.union(*(below[name] for name in box.needs))
    for box in boxes.values():
        box.needs -= set().union(*(below[name] for name in box.needs))
        for name in box.needs:
            boxes[name].needed_by.add(box.name)


def columns_of(box):
    widest = max(len(label) for label in box.files)
    return max(1, int((RIGHT - LEFT - 2 * PADDING) // max(COLUMN_WIDTH, widest * 7.6 + 12)))


def place(boxes):
    """Gives each box its place, from the top down; returns where the last one ends."""
    y = 58
    for box in boxes.values():
        rows = -(-len(box.files) // columns_of(box))
        arcs = len(box.needs) + len(box.needed_by)
        box.top = y
        box.height = max(
            2 * PADDING + TITLE_HEIGHT + rows * LINE_HEIGHT, (arcs + 1) * PORT_DISTANCE
        )
        y += box.height + GAP
    return y


def port(boxes, box, other):
    """Where the arc between `box` and `other` touches `box`. Arcs from above end over those that
    go down, near ones outermost on the side of their other end, so that arcs of one box nest."""
    above = sorted(box.needed_by, key=lambda name: -boxes[name].index)
    below = sorted(box.needs, key=lambda name: -boxes[name].index)
    order = above + below
    first = box.top + (box.height - (len(order) - 1) * PORT_DISTANCE) / 2
    return first + order.index(other.name) * PORT_DISTANCE


def draw_box(box):
    x, y = LEFT + PADDING, box.top + PADDING + 11
    width = RIGHT - LEFT
    yield (
        f'<rect class="box" x="{LEFT}" y="{box.top}" width="{width}" height="{box.height}" rx="5"/>'
    )
    yield f'<text class="title" x="{x}" y="{y}">{escape(box.name)}</text>'
    note_x = x + len(box.name) * 7.6 + 14
    yield f'<text class="note" x="{note_x:.0f}" y="{y}">{escape(box.note)}</text>'
    columns = columns_of(box)
    width = (width - 2 * PADDING) / columns
    for number, label in enumerate(box.files):
        column, row = number % columns, number // columns
        left, base = x + column * width, y + TITLE_HEIGHT + row * LINE_HEIGHT
        yield f'<text x="{left:.0f}" y="{base}">{escape(label)}</text>'


def draw_arc(boxes, source, target):
    start, end = port(boxes, source, target), port(boxes, target, source)
    reach = RIGHT + 24 + (WIDTH - RIGHT - 40) * min(1, (end - start) / 1000) * 1.25
    yield (
        f'<g class="c{source.color}"><title>{escape(source.name)} depends on {escape(target.name)}'
        f'</title><path class="arc" d="M{RIGHT} {start:.1f}C{reach:.1f} {start:.1f} '
        f'{reach:.1f} {end:.1f} {RIGHT + 6} {end:.1f}"/>'
        f'<path class="head" d="M{RIGHT} {end:.1f}l8 -3v6z"/></g>'
    )


def draw(graph, boxes):
    """The picture as text. `boxes` are names with notes, from the lowest to the highest."""
    found = collect(graph, boxes)
    height = place(found)
    lines = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" role="img" '
        'aria-label="Which folders of accel depend on which">',
        f"<style>{STYLE}</style>",
        f'<rect class="ground" width="{WIDTH}" height="{height}"/>',
        f'<text class="note" x="{LEFT}" y="24">A box is a folder or a layer of accel/. An arc: '
        "files of the upper box include or call files of the lower one. What arcs</text>",
        f'<text class="note" x="{LEFT}" y="42">reach over another box has no arc of its own. A '
        "name without suffix is a header with its .c file. Drawn by tools/includes.</text>",
    ]
    for box in found.values():
        lines += draw_box(box)
    for source in found.values():
        for name in sorted(source.needs, key=lambda name: found[name].index):
            lines += draw_arc(found, source, found[name])
    return "\n".join(lines) + "\n</svg>\n"
