"""`nda sweep RECIPE --space FILE`: search the settings of a recipe, and compare what was found."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, get_origin, get_type_hints

from nda.api.places import refuse_missing
from nda.commands.parser import parse, typed_names
from nda.commands.sweep.plan import Plan, keep
from nda.commands.sweep.space import Space, fitted, read_space, words_of
from nda.commands.verbs.train import settings_of
from nda.errors import ConfigError
from nda.recipes import RECIPES
from nda.validators import at_least, nearest

PARTS = 4  # into which evaluations divide a run


@dataclass(frozen=True)
class SweepOptions:
    """Search settings of a recipe with Optuna: runs are trained one by one, poor ones cut short.

    Args:
        recipe: what is trained; the options of 'nda train RECIPE' hold for every trial
        space: YAML file of what is searched, such as 'fake_weight: {low: 0.1, high: 0.9}' or
            'negative: [none, jigsaw]'
        out: folder for the runs and the page that compares them; a sweep that is there goes on
        trials: runs in all, those cut short included
        metric: name of the figure in metrics.json that is searched by; the first that judges a run
    """

    recipe: str
    space: str
    out: str
    trials: int = 20
    metric: str | None = None


def sweep(words: list[str]) -> int:
    """Search, compare, print; gives the exit code."""
    own, others = _divided(words)
    options = parse(own, SweepOptions, command="sweep", positional="recipe")
    plan = _plan(options, others)

    from nda.commands.sweep.child import evaluations_of
    from nda.commands.sweep.page import verdict, write_page
    from nda.commands.sweep.search import search
    from nda.extras import require
    from nda.training.lock import hold

    require("optuna", "nda sweep needs the package optuna", "sweep")
    plan.out.mkdir(parents=True, exist_ok=True)
    hold(plan.out)
    keep(plan)
    study = search(plan, evaluations_of, lambda text: print(text, flush=True))
    page = write_page(plan, study)
    print(verdict(study))
    print(f"page: {page}" if page else "Fewer than two runs were measured: there is no page.")
    return 0


def _divided(words: list[str]) -> tuple[list[str], list[str]]:
    """The words of the sweep, and those that are for the runs."""
    known = {field.name for field in dataclasses.fields(SweepOptions)} | {"help"}
    own: list[str] = list(words[:1])
    others: list[str] = []
    taker = own
    for word in words[1:]:
        if word == "-h" or word.startswith("--"):
            taker = own if word == "-h" or typed_names([word]) & known else others
        taker.append(word)
    return own, others


def _plan(options: SweepOptions, words: list[str]) -> Plan:
    """What will be done; refuses what no trial could be trained with."""
    name = options.recipe.replace("_", "-")
    if name not in RECIPES:
        raise ConfigError(
            f"There is no recipe {options.recipe!r}{nearest(name, RECIPES)} Give one of "
            f"{', '.join(RECIPES)}."
        )
    at_least(options, "trials", 2)
    space = fitted(read_space(options.space), RECIPES[name].config_class())
    if twice := sorted(typed_names(words) & set(space)):
        raise ConfigError(f"--{twice[0]} is given, and the space searches it; leave one out.")
    config = _refuse_untrainable(name, words, space, options.out)
    every = config.evaluate_every or max(1, config.steps // PARTS)
    return Plan(
        recipe=name,
        words=tuple(_without_every(words)),
        space=space,
        out=Path(options.out),
        trials=options.trials,
        metric=options.metric,
        seed=config.seed,
        steps=config.steps,
        evaluate_every=every,
    )


def _refuse_untrainable(recipe: str, words: list[str], space: Space, out: str) -> Any:
    """Refuse a space of which some value is no setting; gives the settings that all trials share.

    Values are tried one by one, so two that do not go together show in a trial.
    """
    if typed_names(words) & {"out"}:
        raise ConfigError("--out is the sweep's; give it once.")
    first = {name: part.tried[0] for name, part in space.items()}
    config = None
    for name, part in space.items():
        for value in part.tried:
            given = words_of({**first, name: value, "out": str(Path(out) / "trial")})
            config, _ = settings_of(recipe, [*words, *given])
            config.check()
            _refuse_no_negative(config)
    refuse_missing(config)
    return config


def _refuse_no_negative(config: Any) -> None:
    """Refuse a name that is no negative, which settings alone do not: it takes torch to know."""
    from nda.negatives import negative_from_name

    kinds = get_type_hints(type(config))
    for name in ("negative", "positives"):
        text = getattr(config, name, None)
        if text not in (None, "none", "data") and get_origin(kinds[name]) is not Literal:
            negative_from_name(text)


def _without_every(words: list[str]) -> list[str]:
    """The words without --evaluate_every, which every trial is given by the sweep."""
    kept: list[str] = []
    leaving = False
    for word in words:
        if word.startswith("--"):
            leaving = typed_names([word]) == {"evaluate_every"}
        if not leaving:
            kept.append(word)
    return kept
