"""What mutants are made of: modules, the tests that are to notice, and what no test can notice."""

from __future__ import annotations

NEGATIVES = [
    "negatives/test_defaults.py",
    "negatives/test_devices.py",
    "negatives/test_contract.py",
    "negatives/test_masks.py",
    "negatives/test_null.py",
]
OBJECTIVES = ["objectives/test_defaults.py", "objectives/test_devices.py"]
OUTLIERS = ["evaluation/outliers/test_defaults.py"]
PIECES = ["negatives/test_pieces.py", "negatives/test_seams.py"]
# Modules of src/nda, and the tests that are to notice; what notices soonest stands first.
TESTS = {
    "objectives/adversarial": ["objectives/test_adversarial.py", *OBJECTIVES],
    "objectives/contrastive": ["objectives/test_contrastive.py", *OBJECTIVES],
    "objectives/dense_predictive": ["objectives/test_dense_predictive.py", *OBJECTIVES],
    "objectives/matched": ["objectives/test_matched.py", *OBJECTIVES],
    "objectives/penalty": ["objectives/test_penalty.py", *OBJECTIVES],
    "objectives/relativistic": ["objectives/test_relativistic.py", *OBJECTIVES],
    "objectives/structure": ["objectives/test_structure.py", *OBJECTIVES],
    "objectives/three_class": ["objectives/test_three_class.py", *OBJECTIVES],
    "networks/biggan": ["networks/test_biggan.py", "networks/test_biggan_written_out.py"],
    "training/ema": ["training/test_ema.py"],
    "runtime/seeding": ["runtime/test_seeding.py"],
    "evaluation/outliers/auroc": ["evaluation/outliers/test_auroc.py"],
    "evaluation/outliers/auroc_interval": ["evaluation/outliers/test_auroc_interval.py"],
    "evaluation/outliers/baselines": ["evaluation/outliers/test_baselines.py", *OUTLIERS],
    "evaluation/outliers/conformal": ["evaluation/outliers/test_conformal.py", *OUTLIERS],
    "evaluation/outliers/metrics": ["evaluation/outliers/test_metrics.py"],
    "evaluation/outliers/surprise": ["evaluation/outliers/test_surprise.py", *OUTLIERS],
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
EQUIVALENT: dict[str, dict[str, str]] = {
    "objectives/adversarial": {
        "uniform < fake_weight -> uniform <= fake_weight": "they are equal once in 2^24 draws",
    },
    "runtime/seeding": {"torch.random.fork_rng(devices=[]) -> torch.random.fork_rng()": ON_CPU},
    "training/ema": {
        "zip(self.module.buffers(), source.buffers(), strict=True) -> "
        "zip(self.module.buffers(), source.buffers())": STRICT,
        "True -> False": STRICT,
    },
}
