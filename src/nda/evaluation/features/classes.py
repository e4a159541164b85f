"""Figures of predicted classes: accuracy with its interval, and which classes are confused."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence

import torch
from torch import Tensor

from nda.errors import ShapeError
from nda.evaluation.features.knn import knn_accuracy
from nda.evaluation.intervals import wilson_interval
from nda.evaluation.record import Metric, Protocol

CONFUSION = "Confusion: share of a true class (row) that is predicted as"
MIXED_UP = "Classes that are most often confused"
MOST_IN_TABLE = 20  # classes: a larger matrix does not fit on a page
LISTED = 15  # confusions that are named of a larger one
NEIGHBOURS = 200  # that vote, as in MoCo's and lightly's monitors


def class_metrics(
    probabilities: Tensor, labels: Tensor, classes: Sequence[str], protocol: Protocol
) -> list[Metric]:
    """Top-1 with its 95 % interval, top-5 of more than 5 classes, and the confusion.

    Args:
        probabilities: `(N, K)`, or any scores of which the highest is predicted.
        labels: int64 `(N,)`, the true classes.
        classes: K names.
        protocol: what was done.

    Raises:
        ShapeError: where shapes do not match, or there is nothing to measure.
    """
    predicted = probabilities.argmax(dim=1)
    confused = confusion_metrics(predicted, labels, classes, protocol)
    metrics = [accuracy_metric("top1", "Accuracy (top-1)", predicted == labels, protocol)]
    if len(classes) > 5:
        near = (probabilities.topk(5, dim=1).indices == labels[:, None]).any(dim=1)
        title = "True class among the 5 likeliest (top-5)"
        metrics.append(accuracy_metric("top5", title, near, protocol))
    return metrics + confused


def accuracy_metric(name: str, title: str, correct: Tensor, protocol: Protocol) -> Metric:
    """The share of `correct` bool `(N,)`, with Wilson's 95 % interval."""
    count = int(correct.sum())
    interval = list(wilson_interval(count, len(correct)))
    return Metric(name, title, count / len(correct), "higher", protocol, interval)


def neighbours_metric(
    bank: Tensor,
    bank_labels: Tensor,
    features: Tensor,
    labels: Tensor,
    *,
    classes: int,
    protocol: Protocol,
) -> Metric:
    """Share of samples whose class their 200 nearest of the bank tell, as `knn_accuracy` has it."""
    found = knn_accuracy(bank, bank_labels, features, labels, classes=classes, k=NEIGHBOURS)
    asked: Protocol = {"neighbours": min(NEIGHBOURS, len(bank)), "among": len(bank)}
    title = "Accuracy of nearest neighbours (top-1)"
    return accuracy_metric("knn_top1", title, found.correct, protocol | asked)


def confusion_metrics(
    predicted: Tensor, labels: Tensor, classes: Sequence[str], protocol: Protocol
) -> list[Metric]:
    """A table of all pairs of classes; of more than 20, of those most often confused.

    Classes without samples are left out. Raises as `confusion`.
    """
    if len(classes) <= MOST_IN_TABLE:
        return _matrix(confusion(predicted, labels, len(classes)), classes, protocol)
    return _mixed_up(_pairs(predicted, labels, len(classes)), classes, protocol)


def confusion(predicted: Tensor, labels: Tensor, classes: int) -> Tensor:
    """Counts int64 `(K, K)`: of the true class of a row, those predicted as that of a column."""
    pairs = _pairs(predicted, labels, classes)
    return torch.bincount(pairs, minlength=classes**2).view(classes, classes)


def _pairs(predicted: Tensor, labels: Tensor, classes: int) -> Tensor:
    """Places in the matrix of confusion, row by row, int64 `(N,)`: it may be too large itself."""
    if labels.dim() != 1 or predicted.shape != labels.shape or not len(labels):
        raise ShapeError(
            f"A class is predicted for each sample; got predictions {tuple(predicted.shape)} and "
            f"labels {tuple(labels.shape)}."
        )
    return (labels.long() * classes + predicted.long()).cpu()


def confusion_csv(found: Tensor, classes: Sequence[str]) -> str:
    """The whole matrix as text, with the classes above and beside it."""
    file = io.StringIO()
    writer = csv.writer(file, lineterminator="\n")
    writer.writerow(["true \\ predicted", *classes])
    for name, row in zip(classes, found.tolist(), strict=True):
        writer.writerow([name, *row])
    return file.getvalue()


def _matrix(found: Tensor, classes: Sequence[str], protocol: Protocol) -> list[Metric]:
    totals = found.sum(dim=1).tolist()
    return [
        Metric(
            f"confusion_{true}_{predicted}",
            f"{true} predicted as {predicted}",
            round(int(found[row, column]) / totals[row], 4),
            "",
            protocol,
            table=CONFUSION,
            row=true,
            column=predicted,
        )
        for row, true in enumerate(classes)
        if totals[row]
        for column, predicted in enumerate(classes)
    ]


def _mixed_up(pairs: Tensor, classes: Sequence[str], protocol: Protocol) -> list[Metric]:
    """The confusions that happen most often, as shares of their true class."""
    totals = (pairs // len(classes)).bincount(minlength=len(classes))
    places, counts = pairs.unique(return_counts=True)  # in order of the matrix
    wrong = places // len(classes) != places % len(classes)
    places, counts = places[wrong], counts[wrong]
    metrics = []
    for entry in counts.argsort(descending=True, stable=True)[:LISTED].tolist():
        row, column = divmod(int(places[entry]), len(classes))
        metrics.append(
            Metric(
                f"confusion_{classes[row]}_{classes[column]}",
                f"{classes[row]} predicted as {classes[column]}",
                round(int(counts[entry]) / int(totals[row]), 4),
                "",
                protocol,
                table=MIXED_UP,
                row=f"{classes[row]} as {classes[column]}",
                column="share of the class",
            )
        )
    return metrics
