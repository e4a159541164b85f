"""What is measured of a pix2pix run, and the images that show it."""

from __future__ import annotations

import torch
from torch import Tensor

from nda.data import to_float
from nda.data.pairs.palette import Palette, nearest_classes
from nda.evaluation.fidelity.gap import discriminator_gaps
from nda.evaluation.record import Evaluation, Histogram, Metric, Protocol
from nda.evaluation.segmentation import measure_segmentation, segmentation_metrics
from nda.recipes.pix2pix.train import Pix2PixState, directed, remarks
from nda.recipes.pix2pix.translate import translate
from nda.report.pictures.grid import image_grid, save_png
from nda.report.pictures.translations import save_translations
from nda.runtime.seeding import generator_for
from nda.training.run_folder import RunFolder

SHOWN = 6  # pairs in a picture
LABEL_FIGURES = "Per-pixel accuracy, per-class accuracy and mean IoU"


def evaluate(state: Pix2PixState) -> Evaluation:
    """Label figures of held-out translations (Table 4), their error, the discriminator's gap."""
    config, heldout = state.config, state.splits.heldout
    inputs, truths = directed(heldout, config)
    outputs = translate(state.generator.module, inputs, heldout.names, seed=config.seed)
    protocol: Protocol = {
        "split": state.splits.heldout_name,
        "images": len(heldout),
        "resolution": inputs.shape[-1],
        "noise": "dropout on, one draw an image",
        "normalisation": "statistics of each image alone",
    }
    notes = remarks(state.splits)
    metrics: list[Metric] = []
    if config.direction == "labels_to_photo":
        notes.append(f"{LABEL_FIGURES}: the outputs are photographs, which have no label colours.")
    elif state.palette is None:
        notes.append(f"{LABEL_FIGURES}: the targets are pictures without a palette.")
    else:
        metrics += label_figures(outputs, truths, state.palette, protocol, notes)
    error = (outputs.int() - truths.int()).abs().double().mean() / 255
    title = "Mean absolute error of colours, as a share of the full range"
    metrics.insert(3, Metric("l1", title, float(error), "lower", protocol))
    gaps, histograms = gaps_of(state, inputs, truths)
    return Evaluation(state.step, metrics + gaps, histograms, notes)


def label_figures(
    outputs: Tensor, truths: Tensor, palette: Palette, protocol: Protocol, notes: list[str]
) -> list[Metric]:
    """Accuracies and IoU of generated label images uint8 (N, 3, R, R)."""
    found = measure_segmentation(
        nearest_classes(outputs, palette),
        nearest_classes(truths, palette),
        palette.names,
        unlabelled=palette.unlabelled,
    )
    if found.absent:
        notes.append(
            f"Figures of {', '.join(found.absent)}: no pixel of the held-out labels is of such a "
            "class, so the means leave it out."
        )
    classes: Protocol = {"class_of_a_pixel": "nearest colour of the palette"}
    if palette.unlabelled is not None:
        classes["unlabelled_pixels"] = "left out in truth, wrong as prediction"
    return segmentation_metrics(found, protocol | classes)


def gaps_of(
    state: Pix2PixState, inputs: Tensor, truths: Tensor
) -> tuple[list[Metric], list[Histogram]]:
    """D(input, target) - D(input, negative(target)) for jigsaw and the run's own negative."""
    discriminator, device = state.discriminator.module, state.fabric.device
    conditions = to_float(inputs)

    def score(x: Tensor, rows: Tensor) -> Tensor:
        """Mean over patches; each pair by itself, as it is normalised."""
        pairs = zip(conditions[rows.cpu()].to(device), x, strict=True)
        return torch.stack([discriminator(c[None], image[None]).mean() for c, image in pairs])

    names = ["jigsaw"]
    if state.config.negative not in (*names, "none"):
        names.insert(0, state.config.negative)
    return discriminator_gaps(
        score,
        truths,
        torch.arange(len(truths)),
        names,
        seed=state.config.seed,
        device=device,
        protocol={"split": state.splits.heldout_name, "condition": "kept"},
    )


def draw_samples(state: Pix2PixState, folder: RunFolder) -> None:
    """Held-out pairs and their translations, and once the run's negatives."""
    inputs, truths = directed(state.splits.heldout, state.config)
    rows = torch.linspace(0, len(inputs) - 1, min(SHOWN, len(inputs))).long()
    names = [state.splits.heldout.names[row] for row in rows]
    outputs = translate(state.generator.module, inputs[rows], names, seed=state.config.seed)
    save_translations(folder.samples, state.step, inputs[rows], outputs, truths[rows])
    if state.step == 0:
        draw_negatives(state, folder)


def draw_negatives(state: Pix2PixState, folder: RunFolder) -> None:
    """samples/negatives.png: inputs, targets, and what the run shows as negatives of them."""
    rows = torch.linspace(0, len(state.inputs) - 1, min(SHOWN, len(state.inputs))).long()
    rows = rows.to(state.inputs.device)
    shown, names = [state.inputs[rows], state.targets[rows]], ["input", "real target"]
    if state.negative is not None:
        rng = generator_for(state.config.seed, purpose="samples", device=state.fabric.device)
        params = state.negative.draw(shown[1], rng)
        if state.config.negative_pair == "both":
            others = state.inputs[rows.roll(1)]
            shown.append(state.negative.replay(others, params))
            names.append("negative's input")
        shown.append(state.negative.replay(state.targets[rows], params))
        names.append(state.config.negative)
    grid = image_grid(torch.cat(shown), len(rows), row_labels=names)
    save_png(grid, folder.samples / "negatives.png")
