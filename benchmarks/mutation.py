"""Mutation testing: how many small faults, put into the code one at a time, no test notices.

    python benchmarks/mutation.py [--modules objectives/penalty,...] [--out results/mutation.json]

A mutant is one change to the syntax tree of a module (see `_changes`: the operators of mutmut and
cosmic-ray but for those on annotations, docstrings and the words of error messages). Packages are
imported once; each mutant gets a forked process that loads the changed module and runs the tests of
that module until one fails. It counts as killed as well where it spends more than `--limit` seconds
of processor time. Mutants that cannot change behaviour are named in `EQUIVALENT`. With `--every` n
only each n-th mutant of a module is tried, with `--sample` n so many at random. The share
that would go unnoticed is estimated with each module weighted by its mutants. What is printed may
be given back as `--known`: what was killed is then not tried again. Runs on Linux, macOS.
"""

from __future__ import annotations

import argparse
import ast
import contextlib
import copy
import gc
import importlib.machinery
import importlib.metadata
import math
import os
import random
import resource
import sys
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from types import CodeType
from typing import Any

from record import keep, parsed

ROOT = Path(__file__).parents[1]
NEGATIVES = ["negatives/test_contract.py", "negatives/test_masks.py", "negatives/test_null.py"]
PIECES = ["negatives/test_pieces.py", "negatives/test_seams.py"]
# Modules of src/nda, and the tests that are to notice; what notices soonest stands first.
TESTS = {
    "objectives/adversarial": ["objectives/test_adversarial.py"],
    "objectives/contrastive": ["objectives/test_contrastive.py"],
    "objectives/dense_predictive": ["objectives/test_dense_predictive.py"],
    "objectives/matched": ["objectives/test_matched.py"],
    "objectives/penalty": ["objectives/test_penalty.py"],
    "objectives/relativistic": ["objectives/test_relativistic.py"],
    "objectives/structure": ["objectives/test_structure.py"],
    "objectives/three_class": ["objectives/test_three_class.py"],
    "networks/biggan": ["networks/test_biggan.py", "networks/test_biggan_written_out.py"],
    "training/ema": ["training/test_ema.py"],
    "runtime/seeding": ["runtime/test_seeding.py"],
    "evaluation/outliers/auroc": ["evaluation/outliers/test_auroc.py"],
    "evaluation/outliers/auroc_interval": ["evaluation/outliers/test_auroc_interval.py"],
    "evaluation/outliers/baselines": ["evaluation/outliers/test_baselines.py"],
    "evaluation/outliers/conformal": ["evaluation/outliers/test_conformal.py"],
    "evaluation/outliers/metrics": ["evaluation/outliers/test_metrics.py"],
    "evaluation/outliers/surprise": ["evaluation/outliers/test_surprise.py"],
    "evaluation/shortcuts/audit": ["evaluation/shortcuts/test_audit.py"],
    "evaluation/shortcuts/treatments": ["evaluation/shortcuts/test_treatments.py"],
    "negatives/base": ["negatives/test_jigsaw.py", "negatives/test_patch.py", *NEGATIVES],
    "negatives/blemish": ["negatives/test_blemish.py", *NEGATIVES],
    "negatives/controls": ["negatives/test_controls.py", *NEGATIVES],
    "negatives/feather": [*PIECES, *NEGATIVES],
    "negatives/jigsaw": ["negatives/test_jigsaw.py", *PIECES, *NEGATIVES],
    "negatives/mixup": ["negatives/test_mixup.py", *NEGATIVES],
    "negatives/named": ["negatives/test_named.py"],
    "negatives/one_of": ["negatives/test_one_of.py", *NEGATIVES],
    "negatives/orders": ["negatives/test_jigsaw.py", *PIECES, *NEGATIVES],
    "negatives/patch": ["negatives/test_patch.py", *NEGATIVES],
    "negatives/pieces": [*PIECES, *NEGATIVES],
    "negatives/poisson": ["negatives/test_poisson.py", *NEGATIVES],
    "negatives/seams": [*PIECES, *NEGATIVES],
    "negatives/stitch": ["negatives/test_stitch.py", *PIECES, *NEGATIVES],
    "negatives/twins": ["negatives/test_twins.py"],
}
# Of the tests of every negative, those of these words alone: the others never meet the module.
ONLY = {
    "negatives/base": "not feather and not poisson and not grid and not blemish and not stitch",
    "negatives/blemish": "blemish",
    "negatives/feather": "pieces or seam or feather",
    "negatives/jigsaw": "(jigsaw or pieces or seams) and not poisson",
    "negatives/mixup": "mixup",
    "negatives/one_of": "one_of or +",
    "negatives/orders": "test_jigsaw or test_pieces or test_stitch",
    "negatives/patch": "patch or cutout or cutmix",
    "negatives/pieces": "pieces or offset or edge",
    "negatives/poisson": "poisson",
    "negatives/seams": "(seam or edge or pieces) and not poisson",
    "negatives/stitch": "(stitch or pieces or seams) and not poisson",
}
# Module: {a survivor as it is printed, without its line: why no test can notice it}.
STRICT = "both are of one length by construction"
ON_CPU = "the tests run on a processor, where it is the default"
SYMMETRICAL = "the larger of two is the same in either order"
EQUIVALENT: dict[str, dict[str, str]] = {
    "objectives/adversarial": {
        "uniform < fake_weight -> uniform <= fake_weight": "they are equal once in 2^24 draws",
    },
    "runtime/seeding": {"torch.random.fork_rng(devices=[]) -> torch.random.fork_rng()": ON_CPU},
    "negatives/base": {
        "torch.ones(x.shape[0], 1, *x.shape[-2:], device=x.device) -> "
        "torch.ones(x.shape[0], 1, *x.shape[-2:])": ON_CPU,
        "return x.device if generator is None else generator.device -> return None": ON_CPU,
    },
    "evaluation/shortcuts/audit": {
        "torch.maximum(hard, soft) -> torch.maximum(soft, hard)": SYMMETRICAL,
    },
    "training/ema": {
        "zip(self.module.buffers(), source.buffers(), strict=True) -> "
        "zip(self.module.buffers(), source.buffers())": STRICT,
        "True -> False": STRICT,
    },
    "objectives/penalty": {
        "torch.rand(len(real), generator=generator, device=device) -> "
        "torch.rand(len(real), generator=generator)": ON_CPU,
    },
}

SYMMETRIC = ("min", "max", "zip")  # their arguments may stand in any order, or all but so
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


def is_noticed(path: Path, tree: ast.Module, tests: list[str], limit: int) -> bool:
    """Whether a test fails with the changed module, in a process of its own."""
    child = os.fork()
    if child:
        return os.waitpid(child, 0)[1] != 0
    code = 1
    with contextlib.suppress(BaseException):
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, 1)
        os.dup2(nowhere, 2)
        resource.setrlimit(resource.RLIMIT_CPU, (limit, limit))
        code = _run_tests(path, tree, tests)
    os._exit(code)


def _run_tests(path: Path, tree: ast.Module, tests: list[str]) -> int:
    import pytest

    usual = importlib.machinery.SourceFileLoader.get_code

    def get_code(
        self: importlib.machinery.SourceFileLoader, name: str
    ) -> CodeType | None:  # pragma: no cover
        if Path(self.path) == path:
            return compile(tree, str(path), "exec")
        return usual(self, name)

    importlib.machinery.SourceFileLoader.get_code = get_code  # type: ignore[method-assign, assignment]
    options = ["-x", "-q", "-p", "no:cacheprovider", "-m", "not slow", "--assert=plain"]
    return int(pytest.main([*options, "--hypothesis-seed=0", *tests]))


def chosen(found: list[Mutant], every: int, sample: int | None, seed: str) -> list[Mutant]:
    """Each `every`-th mutant or, with `sample`, so many at random, in the order of their lines.

    A larger sample of a seed holds the smaller ones.
    """
    if sample is None:
        return found[::every]
    places = list(range(len(found)))
    random.Random(seed).shuffle(places)
    return [found[place] for place in sorted(places[:sample])]


def survival(rows: Iterable[tuple[int, int, int]]) -> dict[str, float | list[float]]:
    """Share of all mutants that would go unnoticed, from each module's (mutants, tried, survived).

    Modules are weighted by their mutants; the interval is Wilson's at 95 % with the size of sample
    that would estimate as precisely without the weights.
    """
    rows = list(rows)
    total = sum(of for of, _, _ in rows)
    share = sum(of / total * survived / tried for of, tried, survived in rows)
    size = 1 / sum((of / total) ** 2 / tried for of, tried, _ in rows)
    z = 1.959964
    middle = (share + z**2 / (2 * size)) / (1 + z**2 / size)
    half = z * math.sqrt(share * (1 - share) / size + z**2 / (4 * size**2)) / (1 + z**2 / size)
    return {
        "share": round(share, 4),
        "interval_95": [round(max(0.0, middle - half), 4), round(middle + half, 4)],
    }


def survivors_of(
    module: str, tried: list[Mutant], limit: int, known: Collection[str] = ()
) -> list[Mutant]:
    """Those of `tried` that all tests passed, but for those that `known` lines call killed."""
    path = path_of(module)
    only = f"({ONLY[module]}) and not compile" if module in ONLY else "not compile"
    tests = [*(str(ROOT / "tests" / name) for name in TESTS[module]), "-k", only]
    open_ones = [each for each in tried if _line("killed", module, each) not in known]
    source = path.read_text(encoding="utf-8")
    if open_ones and is_noticed(path, ast.parse(source), tests, 10 * limit):
        raise SystemExit(f"The tests of {module} fail without any change.")
    left = []
    for each in tried:
        noticed = each not in open_ones or is_noticed(path, each.tree, tests, limit)
        print(_line("killed" if noticed else "SURVIVED", module, each), flush=True)
        if not noticed:
            left.append(each)
    return left


def path_of(module: str) -> Path:
    return ROOT / "src" / "nda" / f"{module}.py"


def _line(verdict: str, module: str, mutant: Mutant) -> str:
    return f"{verdict:8} {module} {mutant.words}"


def preload() -> None:
    """Import what takes long and is not under test, once for all mutants."""
    import hypothesis
    import pytest
    import scipy.stats
    import torch

    one = torch.ones((), requires_grad=True)
    torch.autograd.grad(one, one, torch.ones(()))  # the first gradient imports more than torch did
    for plugin in importlib.metadata.entry_points(group="pytest11"):
        plugin.load()
    del pytest, scipy
    phases = [hypothesis.Phase.explicit, hypothesis.Phase.generate]  # a failure needs no shrinking
    hypothesis.settings.register_profile("mutation", phases=phases, database=None, deadline=None)
    hypothesis.settings.load_profile("mutation")
    sys.path.insert(0, str(ROOT / "src"))
    gc.freeze()  # a collection in a mutant's process need not look at all this


def main(argv: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--modules", default=",".join(TESTS), help="separated by commas")
    parser.add_argument("--every", type=int, default=1, help="try each n-th mutant only")
    parser.add_argument("--sample", type=int, help="try so many mutants a module, at random")
    parser.add_argument("--seed", type=int, default=0, help="of the sample")
    parser.add_argument("--limit", type=int, default=60, help="processor seconds a mutant")
    parser.add_argument("--known", type=Path, help="what an earlier run printed")
    parser.add_argument("--out", type=Path)
    options = parsed(parser, argv, modules="training/ema", every=1000)
    known = set(options.known.read_text("utf-8").splitlines()) if options.known else set()
    preload()
    rows: dict[str, dict[str, Any]] = {}
    for module in options.modules.split(","):
        found = mutants(path_of(module).read_text(encoding="utf-8"))
        tried = chosen(found, options.every, options.sample, f"{options.seed} {module}")
        left = survivors_of(module, tried, options.limit, known)
        alike = EQUIVALENT.get(module, {})
        equivalent = [each.words for each in left if each.change in alike]
        survived = [each.words for each in left if each.change not in alike]
        rows[module] = {
            "of": len(found),
            "mutants": len(tried),
            "killed": len(tried) - len(left),
            "equivalent": equivalent,
            "survived": survived,
        }
        counts = f"{len(equivalent)} equivalent, {len(survived)} survived"
        print(f"{module}: {len(tried)} mutants, {counts}")
        unnoticed = survival((r["of"], r["mutants"], len(r["survived"])) for r in rows.values())
        found_so_far = {"unnoticed": unnoticed, "modules": rows}
        keep(options, found_so_far, apart=("out", "known"))  # each time: it takes long


if __name__ == "__main__":
    main()
