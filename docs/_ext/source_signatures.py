"""Signatures in the reference as they are written in the sources: `BodySource | None`, not what that expands to.

autodoc shows evaluated annotations, in which a type alias is a line of its own. This extension takes them from the
source text, and links every name of ours to the package that publishes it.
"""

import ast
import builtins
import dataclasses
import functools
import importlib
import inspect
import sys
import textwrap
from types import ModuleType
from typing import Any

from docutils import nodes
from sphinx.addnodes import pending_xref
from sphinx.application import Sphinx
from sphinx.environment import BuildEnvironment

# Where a name is published by two packages, the first one counts.
PACKAGES = ("aiointercept", "aiointercept_core", "aiointercept_server", "aiointercept_dns", "aiointercept.compat")

# Other projects, to whose documentation only the published site links.
OTHERS = (
    "aiohttp",
    "asyncio",
    "collections",
    "concurrent",
    "contextlib",
    "io",
    "multidict",
    "re",
    "socket",
    "types",
    "yarl",
)

# What a name stands for that is not public, or leaves no trace of where it comes from.
ALIASES = {
    "BodyPattern": "str | bytes | re.Pattern[str] | re.Pattern[bytes]",
    "ByteStream": "aiointercept_core.UpgradedConnection",
    "ClientHandlerType": "aiohttp.ClientHandlerType",
    "Key": "tuple[str, yarl.URL]",
    "Query": "yarl.Query",
    "ResolveResult": "aiohttp.abc.ResolveResult",
    "StartResult": "collections.abc.Coroutine",
    "StopResult": "collections.abc.Coroutine",
}


@functools.cache
def published() -> dict[str, str]:
    """Return the full name of each of our public names."""
    found: dict[str, str] = {}
    for package in PACKAGES:
        module = importlib.import_module(package)
        for name in module.__all__:
            if not getattr(getattr(module, name), "__module__", "").startswith("yarl"):
                found.setdefault(name, f"{package}.{name}")
    return found


class Qualify(ast.NodeTransformer):
    """Replace the names in an annotation by their full names; `private` tells that one of ours is not public."""

    def __init__(self, namespace: dict[str, Any]) -> None:
        self.namespace = namespace
        self.private = False

    def visit_Constant(self, node: ast.Constant) -> ast.AST:
        """Unquote an annotation."""
        return self.visit(ast.parse(node.value, mode="eval").body) if isinstance(node.value, str) else node

    def visit_Name(self, node: ast.Name) -> ast.AST:
        """Give a name its package."""
        if node.id in ALIASES:
            return ast.parse(ALIASES[node.id], mode="eval").body
        value = self.namespace.get(node.id)
        full = published().get(node.id)
        if full is None and isinstance(value, ModuleType):
            full = value.__name__
        elif full is None and isinstance(value, type) and not hasattr(builtins, node.id):
            self.private |= value.__module__.startswith("aiointercept")
            # yarl and its kind define their names in private modules.
            full = f"{value.__module__.partition('._')[0]}.{node.id}"
        return ast.Name(full or node.id)


def from_function(function: Any, *, bound: bool) -> tuple[str, str | None, bool]:
    """Return the parameters and the return annotation of a function as written, and whether a type is private."""
    tree = ast.parse(textwrap.dedent(inspect.getsource(function))).body[0]
    assert isinstance(tree, ast.FunctionDef | ast.AsyncFunctionDef)
    qualify = Qualify(function.__globals__)
    arguments = tree.args
    if bound:
        (arguments.posonlyargs or arguments.args).pop(0)
    several = (*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs)
    for argument in (*several, *(one for one in (arguments.vararg, arguments.kwarg) if one is not None)):
        if argument.annotation is not None:
            argument.annotation = qualify.visit(argument.annotation)
    returns = None if tree.returns is None else ast.unparse(qualify.visit(tree.returns))
    return f"({ast.unparse(arguments)})", returns, qualify.private


def from_dataclass(cls: type) -> str:
    """Return the parameters with which a dataclass is made, as written."""
    tree = ast.parse(textwrap.dedent(inspect.getsource(cls))).body[0]
    assert isinstance(tree, ast.ClassDef)
    written = {one.target.id: one.annotation for one in tree.body if isinstance(one, ast.AnnAssign)}
    qualify = Qualify(vars(sys.modules[cls.__module__]))
    parameters = []
    for field in dataclasses.fields(cls):
        text = f"{field.name}: {ast.unparse(qualify.visit(written[field.name]))}"
        if field.default is not dataclasses.MISSING:
            text += f" = {field.default!r}"
        elif field.default_factory is not dataclasses.MISSING:
            text += " = ..."
        parameters.append(text)
    return f"({', '.join(parameters)})"


def process_signature(
    app: Sphinx, what: str, name: str, value: Any, options: Any, signature: str | None, returns: str | None
) -> tuple[str | None, str | None] | None:
    """Give autodoc the signature as it is in the source."""
    if what == "class":
        if issubclass(value, dict):
            return None
        if dataclasses.is_dataclass(value):
            return from_dataclass(value), None
        init = vars(value).get("__init__")
        # A protocol has one that forbids making it.
        if not inspect.isfunction(init) or init.__module__ == "typing":
            return "", None
        parameters, _, private = from_function(init, bound=True)
        # Users do not make what is made from private things.
        return "" if private else parameters, None
    if name.startswith("aiointercept_pytest."):
        # A fixture is not called by those who use it.
        return "", None
    function = inspect.unwrap(getattr(value, "__func__", value))
    if not inspect.isfunction(function):
        return None
    return from_function(function, bound=what == "method")[:2]


def resolve_name(app: Sphinx, env: BuildEnvironment, node: pending_xref, content: nodes.Element) -> Any:
    """Link the private name under which something was defined to its public one; show short names of others."""
    target = node["reftarget"]
    name = target.rpartition(".")[2]
    if node.get("refdomain") != "py":
        return None
    if target.partition(".")[0] in OTHERS:
        return nodes.inline(text=name)
    public = published().get(name)
    if public in (None, target) or not target.startswith("aiointercept"):
        return None
    text = nodes.inline(text=name)
    return env.domains.python_domain.resolve_xref(env, node["refdoc"], app.builder, "class", public, node, text)


def setup(app: Sphinx) -> dict[str, Any]:
    """Register the extension."""
    app.connect("autodoc-process-signature", process_signature)
    # After intersphinx, which knows where the names of others are documented.
    app.connect("missing-reference", resolve_name, priority=900)
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}
