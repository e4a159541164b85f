"""Mutants: small faults put into the syntax tree of a module, one at a time.

The operators are those of mutmut and cosmic-ray (see `_changes`), but for what cannot change
behaviour: annotations, type aliases, docstrings, and the order of arguments that may stand in any.
The words of error messages are left alone too.
"""

from __future__ import annotations

import ast
import copy
import random
from collections.abc import Iterator
from dataclasses import dataclass

# Functions whose arguments may stand in any order, or all but so.
SYMMETRIC = (
    "min", "max", "zip",
    "torch.maximum", "torch.minimum", "torch.promote_types", "torch.equal",
)  # fmt: skip
SWAPS: dict[type[ast.AST], type[ast.AST]] = {
    ast.Add: ast.Sub, ast.Sub: ast.Add, ast.Mult: ast.Div, ast.Div: ast.Mult, ast.Pow: ast.Mult,
    ast.FloorDiv: ast.Div, ast.Mod: ast.Div, ast.BitAnd: ast.BitOr, ast.BitOr: ast.BitAnd,
    ast.Lt: ast.LtE, ast.LtE: ast.Lt, ast.Gt: ast.GtE, ast.GtE: ast.Gt, ast.Eq: ast.NotEq,
    ast.NotEq: ast.Eq, ast.Is: ast.IsNot, ast.IsNot: ast.Is, ast.In: ast.NotIn, ast.NotIn: ast.In,
    ast.And: ast.Or, ast.Or: ast.And, ast.Break: ast.Continue, ast.Continue: ast.Break,
}  # fmt: skip


@dataclass(frozen=True)
class Mutant:
    """A module with one change: `words` are the line, what stood there, and what stands there."""

    words: str
    tree: ast.Module

    @property
    def change(self) -> str:
        return self.words.partition(": ")[2]


def mutants(source: str) -> list[Mutant]:
    """All mutants of a module, in the order of its lines."""
    found = []
    for number, (node, _) in enumerate(_places(ast.parse(source))):
        if not isinstance(node, ast.expr | ast.stmt):
            continue
        before = ast.unparse(node)
        for which in range(len(list(_changes(node)))):
            tree = ast.parse(source)
            place, parent = list(_places(tree))[number]
            changed = list(_changes(place))[which]
            _put(parent, place, changed)
            ast.fix_missing_locations(tree)
            if isinstance(changed, ast.FunctionDef):  # a decorator has gone
                before = f"def {changed.name}"
            after = ast.unparse(changed).replace("\n", " ")
            found.append(Mutant(f"{node.lineno}: {before[:90]} -> {after[:90]}", tree))
    return found


def _places(parent: ast.AST) -> Iterator[tuple[ast.AST, ast.AST]]:
    """Nodes that may be changed, each with its parent."""
    for name, value in ast.iter_fields(parent):
        if name in ("annotation", "returns", "decorator_list", "type_params", "bases"):
            continue
        if isinstance(parent, ast.Raise | ast.JoinedStr | ast.Import | ast.ImportFrom):
            continue
        if isinstance(parent, ast.Subscript) and ast.unparse(parent.value) == "Literal":
            continue
        for node in value if isinstance(value, list) else [value]:
            is_text = isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)
            if isinstance(node, ast.AST) and not is_text:
                yield node, parent
                yield from _places(node)


def _changes(node: ast.AST) -> Iterator[ast.AST]:
    """What may stand in the place of a node."""
    if isinstance(node, ast.BinOp | ast.BoolOp | ast.AugAssign) and type(node.op) in SWAPS:
        yield _with(node, op=SWAPS[type(node.op)]())
    elif isinstance(node, ast.Compare):
        for index, operator in enumerate(node.ops):
            ops = [*node.ops]
            ops[index] = SWAPS[type(operator)]()  # type: ignore[call-overload]
            yield _with(node, ops=ops)
    elif isinstance(node, ast.UnaryOp):
        yield node.operand
    elif isinstance(node, ast.Break | ast.Continue):
        yield SWAPS[type(node)]()
    elif isinstance(node, ast.Constant):
        yield from _other_constants(node.value)
    elif isinstance(node, ast.Return) and node.value is not None:
        yield ast.Return(ast.Constant(None))
    elif isinstance(node, ast.Call):
        if len(node.args) > 1 and ast.unparse(node.func) not in SYMMETRIC:
            yield _with(node, args=[node.args[1], node.args[0], *node.args[2:]])
        for index in range(len(node.keywords)):
            yield _with(node, keywords=node.keywords[:index] + node.keywords[index + 1 :])
    elif isinstance(node, ast.FunctionDef) and node.decorator_list:
        yield _with(node, decorator_list=[])


def _other_constants(value: object) -> Iterator[ast.AST]:
    if isinstance(value, bool):
        yield ast.Constant(not value)
    elif isinstance(value, int | float):
        yield ast.Constant(value + 1)
    elif isinstance(value, str):
        yield ast.Constant(f"XX{value}")


def _with(node: ast.AST, **fields: object) -> ast.AST:
    changed = copy.copy(node)
    for name, value in fields.items():
        setattr(changed, name, value)
    return changed


def _put(parent: ast.AST, old: ast.AST, new: ast.AST) -> None:
    for name, value in ast.iter_fields(parent):
        if isinstance(value, list):
            setattr(parent, name, [new if each is old else each for each in value])
        elif value is old:
            setattr(parent, name, new)


def chosen(found: list[Mutant], every: int, sample: int | None, seed: str) -> list[Mutant]:
    """Each `every`-th mutant or, with `sample`, so many at random, in the order of their lines.

    A larger sample of a seed holds the smaller ones.
    """
    if sample is None:
        return found[::every]
    places = list(range(len(found)))
    random.Random(seed).shuffle(places)
    return [found[place] for place in sorted(places[:sample])]
