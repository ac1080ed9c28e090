"""Tables that fit a phone: each cell carries the title of its column, which is shown where rows become blocks.

The layout itself is in `_static/custom.css`.
"""

from docutils import nodes
from sphinx.application import Sphinx


class ColumnTitle(nodes.General, nodes.Inline, nodes.Element):
    """The title of a cell's column, in the attribute `text`: the search does not see it."""


def _add_titles(app: Sphinx, doctree: nodes.document, docname: str) -> None:
    for table in doctree.findall(nodes.tgroup):
        titles = [entry.astext() for head in table.findall(nodes.thead) for entry in head.findall(nodes.entry)]
        for body in table.findall(nodes.tbody):
            for row in body.findall(nodes.row):
                for title, cell in list(zip(titles, row.children, strict=False))[1:]:
                    if title and isinstance(cell, nodes.entry):
                        cell.insert(0, ColumnTitle(text=title))


def _visit(translator: nodes.NodeVisitor, node: ColumnTitle) -> None:
    translator.body.append(f'<span class="column-title">{translator.encode(node["text"])}</span>')
    raise nodes.SkipNode


def setup(app: Sphinx) -> dict[str, bool]:
    app.add_node(ColumnTitle, html=(_visit, None))
    app.connect("doctree-resolved", _add_titles)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
