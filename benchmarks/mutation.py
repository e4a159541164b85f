"""Mutation testing: how many small faults, put into the code one at a time, no test notices.

    python benchmarks/mutation.py [--modules objectives/penalty,...] [--out results/mutation.json]

A mutant is one change to the syntax tree of a module (`mutants.py`). What tests import of others is
imported once; each mutant gets a forked process that loads the changed module and runs the tests of
that module (`mutation_tables.py`) until one fails. It counts as killed as well where it spends more
than `--limit` seconds of processor time. Mutants that cannot change behaviour are named in
`EQUIVALENT`. With `--every` n only each n-th mutant of a module is tried, with `--sample` n so many
at random. The share that would go unnoticed is estimated with each module weighted by its mutants.
What is printed may be given back as `--known`: what was killed is then not tried again. Runs on
Linux, macOS.
"""

from __future__ import annotations

import argparse
import ast
import contextlib
import gc
import importlib.machinery
import importlib.metadata
import math
import os
import resource
import sys
import tempfile
from collections.abc import Callable, Collection, Iterable
from pathlib import Path
from types import CodeType
from typing import Any

from mutants import Mutant, chosen, mutants
from mutation_tables import EQUIVALENT, ONLY, TESTS
from record import keep, parsed

ROOT = Path(__file__).parents[1]


def is_noticed(path: Path, tree: ast.Module, tests: list[str], limit: int) -> bool:
    """Whether a test fails with the changed module, in a process of its own."""
    return _in_child(lambda: _run_tests(path, tree, tests), limit) != 0


def import_for(path: Path, tests: list[str], limit: int) -> bool:
    """Import what the tests import of others, once for all mutants; whether the tests pass."""
    with tempfile.TemporaryDirectory() as folder:
        kept = Path(folder) / "names"

        def work() -> int:
            code = _run_tests(path, ast.parse(path.read_text(encoding="utf-8")), tests)
            kept.write_text("\n".join(sys.modules), encoding="utf-8")
            return code

        code = _in_child(work, limit)
        names = kept.read_text(encoding="utf-8").split() if kept.exists() else []
    _import(names)
    return code == 0


def _import(names: Iterable[str]) -> None:
    ours = ("nda", "tests", "conftest", "__main__")
    for name in names:
        if name.partition(".")[0] not in ours:
            with contextlib.suppress(Exception):  # some are made, not imported
                importlib.import_module(name)
    gc.freeze()  # a collection in a mutant's process need not look at all this


def _in_child(work: Callable[[], int], limit: int) -> int:
    """The exit status of a process of its own; 0 where all is well."""
    child = os.fork()
    if child:
        return os.waitpid(child, 0)[1]
    code = 1
    with contextlib.suppress(BaseException):
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, 1)
        os.dup2(nowhere, 2)
        resource.setrlimit(resource.RLIMIT_CPU, (limit, limit))
        code = work()
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
    only = f"({ONLY[module]} or defaults) and not compile" if module in ONLY else "not compile"
    tests = [*(str(ROOT / "tests" / name) for name in TESTS[module]), "-k", only]
    open_ones = [each for each in tried if _line("killed", module, each) not in known]
    if open_ones and not import_for(path, tests, 10 * limit):
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
    sys.stdout.flush()
    os._exit(0)  # compilers that were imported would tell of their leaks
