"""The example runs as it stands, on data sets of Hugging Face in memory and of a folder."""

from __future__ import annotations

import runpy
from pathlib import Path
from typing import Any

import pytest
import torch

import nda

EXAMPLE = Path(__file__).parents[2] / "examples" / "hf_datasets_nda.py"

pytestmark = pytest.mark.filterwarnings("ignore")  # those of datasets are not ours to mend


@pytest.fixture(scope="module")
def example() -> dict[str, Any]:
    pytest.importorskip("datasets")
    return runpy.run_path(str(EXAMPLE))


def test_it_learns_negatives_and_judges_columns(example: dict[str, Any]) -> None:
    above, good, scratched = example["main"](steps=20)
    assert 0.5 < above <= 1
    assert 0 <= good < 0.3
    assert 0 <= scratched <= 1


def test_every_image_has_its_own_negative_and_one_with_a_partner(example: dict[str, Any]) -> None:
    rows = list(example["surfaces"](4, seed=0).with_transform(example["pairs"]))
    images, negatives = example["collate"](rows)
    assert (images.shape, negatives.shape) == ((4, 3, 32, 32), (8, 3, 32, 32))
    assert images.min() >= -1
    assert images.max() <= 1
    jigsaws = negatives[:4]
    assert not torch.equal(jigsaws, images)
    # The same pixels elsewhere: for each image the same sum.
    torch.testing.assert_close(jigsaws.sum((1, 2, 3)), images.sum((1, 2, 3)), rtol=0, atol=1e-2)


def test_a_folder_is_read_as_it_stands(example: dict[str, Any], tmp_path: Path) -> None:
    import datasets

    for number, row in enumerate(example["surfaces"](3, seed=0)):
        (tmp_path / "photos" / "good").mkdir(parents=True, exist_ok=True)
        row["image"].save(tmp_path / "photos" / "good" / f"{number}.png")
    data = datasets.load_dataset(
        "imagefolder",
        data_dir=str(tmp_path / "photos"),
        split="train",
        cache_dir=str(tmp_path / "cache"),
    )
    images, negatives = example["collate"](list(data.with_transform(example["pairs"])))
    assert (len(images), len(negatives)) == (3, 6)


def test_whole_rows_are_refused_with_what_to_give(example: dict[str, Any]) -> None:
    with pytest.raises(nda.UserError, match=r"a row with 'image', 'label' was found.*data\['image"):
        nda.AnomalyDetector(resolution=32, steps=2).fit(example["surfaces"](3, seed=0))
