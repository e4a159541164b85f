"""The documented settings of outlier scores: they are part of what a figure means."""

from __future__ import annotations

from tests.support.defaults import defaults_of


def test_defaults_are_the_documented_ones() -> None:
    assert defaults_of("nda.evaluation.outliers") == {
        "knn_score": {"neighbours": 50},
        "ClassifierBaselines": {"neighbours": 50},
        "conformal_threshold": {"of": "images"},
        "DetectorSettings": {
            "method": "negatives",
            "kept": 0,
            "groups": 0,
            "image_width": 0,
            "image_height": 0,
            "overlap": 0,
            "templates": 0,
            "parts": False,
        },
        "DriftWatch": {"seed": 0},
        "judge_large": {"at_once": 32},
        "image_scores": {"pooling": "max"},
        "score_maps": {"batch_size": 32},
        "build_network": {"seed": 0, "published": False},
        "load_detector": {"device": "cpu"},
        "cell_surprise": {"temperature": 1.0},
        "video_surprise": {"batch_size": 4},
    }
