"""Reads what Python source does, without what is said about it.

Left out are comments, formatting, docstrings, annotations, type comments, `__all__`, blocks under
`TYPE_CHECKING`, and the texts of errors and asserts. Imports are kept apart from the statements.
"""

import ast
import functools
import re
from dataclasses import dataclass, field

# `ctx` follows from the place; the others are for type checkers
_LEFT_OUT = {"ctx", "annotation", "returns", "type_comment", "kind", "type_params"}
_MODULE_NAME = re.compile(r"mnist_seq(\.\w+)+\.?")


@dataclass(frozen=True)
class Imported:
    """One imported name.

    Attributes:
        module: "torch.nn"; of `import torch.nn` too. A relative one begins with its dots.
        name: "functional"; "" where the module itself is imported, "*" for all of its names.
        bound: the name that the file uses for it.
    """

    module: str
    name: str
    bound: str


@dataclass
class Source:
    """What a file does.

    Attributes:
        statements: a text for each top-level statement, equal where two do the same.
        defined: top-level names and the texts of their statements.
        used: all names that appear outside of annotations.
        imports: all imports, those inside of functions too.
    """

    statements: list[str] = field(default_factory=list)
    defined: dict[str, str] = field(default_factory=dict)
    used: set[str] = field(default_factory=set)
    imports: list[Imported] = field(default_factory=list)


@functools.cache
def read(text: str) -> Source:
    """Read a file's text."""
    source = Source()
    for statement in ast.parse(text).body:
        words: list[str] = []
        _write(statement, words, source)
        if words:
            written = " ".join(words)
            source.statements.append(written)
            source.defined.update(dict.fromkeys(_defined(statement), written))
    return source


def _write(
    node: ast.AST, words: list[str], source: Source, is_error: bool = False, is_field: bool = False
) -> None:
    """Append a node's words.

    Args:
        is_error: below a `raise`, where text is for people.
        is_field: directly in a class, where an annotation makes a field.
    """
    kind = type(node)
    if kind is ast.Name:
        source.used.add(node.id)  # type: ignore[attr-defined]
        words.append(node.id)  # type: ignore[attr-defined]
        return
    if kind is ast.Constant:
        words.append(_constant(node.value, is_error))  # type: ignore[attr-defined]
        return
    if _is_left_out(node, source, is_field):
        return
    if isinstance(node, ast.AnnAssign) and node.value is not None and not is_field:
        node = ast.Assign(targets=[node.target], value=node.value)
    elif isinstance(node, ast.Assert):
        node = ast.Assert(test=node.test)
    is_error = is_error or kind is ast.Raise
    words.append(f"({type(node).__name__}")
    for name in node._fields:
        value = getattr(node, name, None)
        if value is None or value == [] or name in _LEFT_OUT:
            continue
        words.append(name)
        is_inner_field = kind is ast.ClassDef and name == "body"
        for child in value if isinstance(value, list) else (value,):
            if isinstance(child, ast.AST):
                _write(child, words, source, is_error, is_inner_field)
            else:
                words.append(str(child))
    words.append(")")


def _constant(value: object, is_error: bool) -> str:
    if not isinstance(value, str):
        return f"{type(value).__name__}:{value!r}"
    # A name of a module, for a dynamic import, is no more than a place
    return "text" if is_error else "module" if _MODULE_NAME.fullmatch(value) else repr(value)


def _is_left_out(node: ast.AST, source: Source, is_field: bool) -> bool:
    """Whether a node does nothing, or is an import, which is noted."""
    match node:
        case ast.Import():
            for alias in node.names:
                bound = alias.asname or alias.name.partition(".")[0]
                source.imports.append(Imported(alias.name, "", bound))
            return True
        case ast.ImportFrom():
            for alias in node.names:
                bound = alias.asname or alias.name
                module = "." * node.level + (node.module or "")
                source.imports.append(Imported(module, alias.name, bound))
            return True
        case ast.Pass() | ast.Expr(value=ast.Constant()):
            return True
        case ast.Assign(targets=[ast.Name(id="__all__")]):
            return True
        case ast.AnnAssign(value=None):
            return not is_field
        case ast.If(test=ast.Name(id="TYPE_CHECKING"), orelse=[]):
            return True
    return False


def _defined(statement: ast.stmt) -> list[str]:
    """Names that a top-level statement defines."""
    match statement:
        case ast.FunctionDef() | ast.AsyncFunctionDef() | ast.ClassDef():
            return [statement.name]
        case ast.Assign():
            return [target.id for target in statement.targets if isinstance(target, ast.Name)]
        case ast.AnnAssign(target=ast.Name(id=name)):
            return [name]
    return []
