"""Models in a folder or on Hugging Face's hub, with a card; by `huggingface_hub`'s mixin."""

from __future__ import annotations

import contextlib
import functools
import os
import re
from pathlib import Path
from typing import Any, ClassVar, Self

from nda.errors import CheckpointError, ConfigError
from nda.evaluation.record import Evaluation
from nda.extras import require
from nda.report.model_card import Card, model_card
from nda.runtime.files import StrPath, absent
from nda.training.run_folder import RunFolder

NAME = "README.md"  # of the card, as the hub wants it
_REPOSITORY = re.compile(r"\w[\w.-]*/\w[\w.-]*")  # on the hub


class Shareable:
    """A model that can be saved to a folder or the hub with its card, and read from there.

    What inherits says how it is written to a file and read, and what its card tells.
    """

    _file: ClassVar[str]  # the model's, in a folder

    def save_pretrained(self, folder: StrPath) -> Path:
        """Write the model and its card, README.md, into `folder`; what is there is replaced.

        Raises `ConfigError` where the extra `hub` is not installed, and for a file.
        """
        _hub()
        self._card()  # refuses a model that there is not, before anything is written
        if Path(folder).exists() and not Path(folder).is_dir():
            raise ConfigError(f"{folder} is a file; give a folder to write the model into.")
        _on_hub()(self).save_pretrained(folder, config=_config(self))
        return Path(folder)

    def push_to_hub(self, repo_id: str, **settings: Any) -> str:
        """Send the model and its card to the repository `repo_id`, and give their address.

        `settings` are those of `huggingface_hub.ModelHubMixin.push_to_hub`, such as `private` and
        `token`. Raises `ConfigError` where the extra `hub` is not installed, and where the hub
        cannot be reached or refuses.
        """
        hub = _hub()
        self._card()  # as above: no empty repository is left
        try:
            return str(_on_hub()(self).push_to_hub(repo_id, config=_config(self), **settings))
        except _refusals(hub) as error:
            raise ConfigError(
                f"{repo_id} could not be sent to the hub ({' '.join(str(error).split())[:120]}). "
                "Give the name of a repository of yours, log in by 'hf auth login', and look at "
                "the network."
            ) from error

    @classmethod
    def from_pretrained(cls, name: StrPath, **settings: Any) -> Self:
        """The model in a folder that `save_pretrained` wrote, or in a repository of the hub.

        `settings` are those of `huggingface_hub.hf_hub_download`, such as `revision`, `token` and
        `local_files_only`; a folder has none. Raises `CheckpointError` where there is no such
        model, or it is damaged.
        """
        hub = _hub()
        place = _place(name)
        if place.is_dir():
            if not (place / cls._file).is_file():
                raise CheckpointError(
                    f"{name} holds no {cls._file}; give a folder that save_pretrained of "
                    f"{cls.__name__} wrote."
                )
            return cls.load(place / cls._file)
        if place.exists():
            raise CheckpointError(
                f"{name} is a file; give its folder, or read it with {cls.__name__}.load."
            )
        if _can_only_be_a_folder(str(name)):  # at once: the hub would be asked for half a minute
            raise CheckpointError(
                f"{absent(place)} Give a folder that save_pretrained of {cls.__name__} wrote, or a "
                "repository of the hub, OWNER/NAME."
            )
        try:
            found = hub.hf_hub_download(repo_id=str(name), filename=cls._file, **settings)
        except _refusals(hub) as error:
            raise CheckpointError(
                f"{name} is no folder with a {cls._file}, and no repository of the hub that can be "
                f"read ({' '.join(str(error).split())[:120]}). Give one of them."
            ) from error
        with contextlib.suppress(*_refusals(hub)):  # nothing is read from it; it is counted
            hub.hf_hub_download(repo_id=str(name), filename="config.json", **settings)
        return cls.load(Path(found))

    def save(self, path: StrPath) -> Path:
        """Write the model as one file."""
        raise NotImplementedError

    @classmethod
    def load(cls, path: StrPath) -> Self:
        """The model in a file that `save` wrote."""
        raise NotImplementedError

    def _card(self) -> tuple[Card, Evaluation | None]:
        raise NotImplementedError


def measured_in(run: StrPath) -> Evaluation | None:
    """The newest evaluation of the run in a folder; None where it is no run, or not measured."""
    folder = RunFolder(Path(run))
    found = folder.evaluations() if folder.config_path.is_file() else []
    return Evaluation.from_dict(found[-1]) if found else None


def _place(name: StrPath) -> Path:
    """The path that a model is read from, if it is one."""
    if not isinstance(name, str | os.PathLike) or not os.fspath(name):
        raise ConfigError(
            f"from_pretrained was given {name!r}; expected a folder that save_pretrained wrote, or "
            "a repository of the hub, OWNER/NAME."
        )
    return Path(name)


def _can_only_be_a_folder(name: str) -> bool:
    """Whether a name cannot be OWNER/NAME, or its first half is a folder here."""
    owner = name.partition("/")[0]
    return not _REPOSITORY.fullmatch(name) or Path(owner).is_dir()


def _config(model: Shareable) -> dict[str, str]:
    """What config.json says, by which the hub counts downloads; nothing is read from it."""
    return {"library": "nda", "model": type(model).__name__}


def _hub() -> Any:
    what = "save_pretrained, from_pretrained and push_to_hub need the package huggingface_hub"
    require("huggingface_hub.errors", what, "hub")
    return require("huggingface_hub", what, "hub")


def _refusals(hub: Any) -> tuple[type[Exception], ...]:
    """What the hub's package raises where names, rights or the network are not as they must be."""
    errors = hub.errors
    return (
        errors.HTTPError, errors.HfHubHTTPError, errors.HFValidationError,
        errors.EntryNotFoundError, OSError,
    )  # fmt: skip


@functools.cache
def _on_hub() -> Any:
    """huggingface_hub's mixin around a `Shareable`, for what is written.

    Read without it: it would give what config.json says to whatever reads the weights.
    """
    hub = _hub()

    base: Any = hub.ModelHubMixin

    class OnHub(base, library_name="nda"):  # type: ignore[misc,call-arg]
        def __init__(self, model: Any) -> None:
            self.model = model

        def _save_pretrained(self, save_directory: Path) -> None:
            self.model.save(save_directory / self.model._file)
            # A card that is there tells the figures of another model.
            self.generate_model_card().save(save_directory / NAME)

        def generate_model_card(self, *args: Any, **kwargs: Any) -> Any:
            return hub.ModelCard(model_card(*self.model._card()))

    return OnHub
