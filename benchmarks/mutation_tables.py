"""What mutants are made of: modules, the tests that are to notice, and what no test can notice."""

from __future__ import annotations

SOON = [f"negatives/test_{name}.py" for name in ("unchanged", "defaults", "devices")]
MASKS = "negatives/test_masks.py"
FAULTS = [*SOON, *(f"negatives/faults/test_{name}.py" for name in ("faults", "membrane", "perlin"))]
OBJECTIVES = ["objectives/test_defaults.py", "objectives/test_devices.py"]
OUTLIERS = [f"evaluation/outliers/test_{name}.py" for name in ("defaults", "unchanged")]
SHORTCUTS = ["evaluation/shortcuts/test_unchanged.py"]
PIECES = ["negatives/test_pieces.py", "negatives/test_seams.py"]
# Modules of src/nda, and the tests that are to notice; what notices soonest stands first. Other
# tests meet them too: what is not noticed here may be noticed there.
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
    "training/batches": ["training/test_batches.py"],
    "training/ema": ["training/test_ema.py"],
    "data/batches": ["data/test_batches.py"],
    "runtime/seeding": ["runtime/test_seeding.py"],
    "evaluation/outliers/auroc": ["evaluation/outliers/test_auroc.py", *OUTLIERS],
    "evaluation/outliers/auroc_interval": ["evaluation/outliers/test_auroc_interval.py", *OUTLIERS],
    "evaluation/outliers/average_precision_interval": [
        "evaluation/outliers/test_average_precision_interval.py",
    ],
    "evaluation/outliers/baselines": ["evaluation/outliers/test_baselines.py", *OUTLIERS],
    "evaluation/outliers/conformal": ["evaluation/outliers/test_conformal.py", *OUTLIERS],
    "evaluation/outliers/corruptions": ["evaluation/outliers/test_metrics.py", *OUTLIERS],
    "evaluation/outliers/detector": ["evaluation/outliers/test_detector.py", *OUTLIERS],
    "evaluation/outliers/discoveries": ["evaluation/outliers/test_discoveries.py", *OUTLIERS],
    "evaluation/outliers/drift": ["evaluation/outliers/test_drift.py", *OUTLIERS],
    "evaluation/outliers/faults": ["evaluation/outliers/test_faults.py", *OUTLIERS],
    "evaluation/outliers/pixels": ["evaluation/outliers/test_pixels.py", *OUTLIERS],
    "evaluation/outliers/large": ["evaluation/outliers/test_large.py", *OUTLIERS],
    "evaluation/outliers/metrics": ["evaluation/outliers/test_metrics.py", *OUTLIERS],
    "evaluation/outliers/surprise": ["evaluation/outliers/test_surprise.py", *OUTLIERS],
    "evaluation/outliers/tradeoff": ["evaluation/outliers/test_tradeoff.py"],
    "evaluation/shortcuts/audit": ["evaluation/shortcuts/test_audit.py", *SHORTCUTS],
    "evaluation/shortcuts/treatments": ["evaluation/shortcuts/test_treatments.py", *SHORTCUTS],
    "negatives/base": [*SOON, "negatives/test_base.py", "negatives/test_contract.py"],
    "negatives/blemish": [*SOON, "negatives/test_blemish.py"],
    "negatives/controls": [*SOON, "negatives/test_controls.py"],
    "negatives/feather": [*SOON, *PIECES],
    "negatives/jigsaw": [*SOON, "negatives/test_jigsaw.py", *PIECES, MASKS],
    "negatives/mixup": [*SOON, "negatives/test_mixup.py"],
    "negatives/named": ["negatives/test_named.py"],
    "negatives/one_of": [*SOON, "negatives/test_one_of.py"],
    "negatives/orders": [*SOON, "negatives/test_jigsaw.py", *PIECES],
    "negatives/patch": [*SOON, "negatives/test_patch.py", MASKS],
    "negatives/pieces": [*SOON, *PIECES],
    "negatives/pixels/beta_quantiles": ["negatives/pixels/test_beta_quantiles.py"],
    "negatives/pixels/chosen": [*SOON, "negatives/pixels/test_chosen.py"],
    "negatives/pixels/layout": [*SOON, "negatives/pixels/test_layout.py"],
    "negatives/poisson": [*SOON, "negatives/test_poisson.py"],
    "negatives/seams": [*SOON, *PIECES, MASKS],
    "negatives/stitch": [*SOON, "negatives/test_stitch.py", *PIECES, MASKS],
    "negatives/transforms": ["negatives/test_transforms.py", *SOON],
    "negatives/twins": ["negatives/test_twins.py"],
    **{
        f"negatives/faults/{name}": FAULTS
        for name in (
            "crack",
            "fault",
            "membrane",
            "missing",
            "paste",
            "perlin",
            "scar",
            "stain",
            "texture",
        )
    },
}
# Of these tests those with these words alone: the others never meet the module, or take long.
ONLY = {
    "negatives/base": "base or unchanged or devices or refuses or cycle",
    "negatives/blemish": "blemish",
    "negatives/controls": "controls or flip or crop or noise or augmentations",
    "negatives/feather": "pieces or seam or feather",
    "negatives/jigsaw": "(jigsaw or pieces or seams) and not poisson",
    "negatives/mixup": "mixup",
    "negatives/one_of": "one_of or + or weighed",
    "negatives/orders": "jigsaw or test_pieces",
    "negatives/patch": "patch or cutout or cutmix",
    "negatives/pieces": "pieces or offset or edge",
    "negatives/poisson": "poisson",
    "negatives/seams": "(seam or edge or pieces) and not poisson",
    "negatives/transforms": "transform",
    "negatives/stitch": "(stitch or pieces or seams) and not poisson",
    "negatives/faults/crack": "crack or test_faults",
    "negatives/faults/fault": "crack or scar or stain or texture or paste or missing or faults",
    "negatives/faults/membrane": "paste or missing or faults",
    "negatives/faults/missing": "missing or test_faults",
    "negatives/faults/paste": "paste or test_faults",
    "negatives/faults/perlin": "stain or texture or test_perlin",
    "negatives/faults/scar": "scar or stain or test_faults",
    "negatives/faults/stain": "stain or test_faults",
    "negatives/faults/texture": "texture or test_faults",
}
# Module: {a survivor as it is printed, without its line: why no test can notice it}.
STRICT = "both are of one length by construction"
WHOLE = "sides are refused that are no multiples"
PRODUCT = "the two are multiplied"
LAST = "the last dimension, which it is, is what is sorted along anyway"
UNORDERED = "only the smallest of them is looked at"
ON_CPU = "the tests run on a processor, where it is the default"
EQUIVALENT: dict[str, dict[str, str]] = {
    "data/batches": {"last > first -> last >= first": "of the same epoch nothing is left to take"},
    "evaluation/outliers/discoveries": {
        "found * len(found) <= allowed * ranks * (1 + 1e-09) -> "
        "found * len(found) < allowed * ranks * (1 + 1e-09)": "equal ones pass by the 1e-09",
    },
    "evaluation/outliers/baselines": {
        "best.topk(min(k, best.shape[1]), dim=1, sorted=False) -> "
        "best.topk(min(k, best.shape[1]), dim=1)": UNORDERED,
        "False -> True": UNORDERED,
    },
    "evaluation/shortcuts/audit": {
        "torch.randint(count, (count,), generator=rng, device=draws) -> "
        "torch.randint(count, (count,), generator=rng)": ON_CPU,
    },
    "evaluation/shortcuts/treatments": {
        "scaled(FEATHER, side) -> scaled(side, FEATHER)": PRODUCT,
        "scaled(r, side) -> scaled(side, r)": PRODUCT,
        "scaled(MOVED, min(H, W)) -> scaled(min(H, W), MOVED)": PRODUCT,
    },
    "negatives/feather": {
        "zip(strips, soft, strict=True) -> zip(strips, soft)": STRICT,
        "True -> False": STRICT,
    },
    "negatives/orders": {
        "torch.rand(count, n, generator=generator, device=device).argsort(dim=1) -> "
        "torch.rand(count, n, generator=generator, device=device).argsort()": LAST,
        "torch.rand(count, things, grid, generator=generator, device=device).argsort(dim=2) -> "
        "torch.rand(count, things, grid, generator=generator, device=device).argsort()": LAST,
    },
    "negatives/pieces": {
        "H // grid -> H / grid": WHOLE,
        "W // grid -> W / grid": WHOLE,
    },
    "negatives/seams": {"size // tiles -> size / tiles": WHOLE},
    "negatives/stitch": {
        "H // 2 -> H / 2": WHOLE,
        "W // 2 -> W / 2": WHOLE,
        "H // 4 -> H / 4": "half a pixel more does not let a cut stray further",
        "W // 4 -> W / 4": "half a pixel more does not let a cut stray further",
    },
    "negatives/faults/fault": {"light < 0 -> light <= 0": "a light of 0 moves nothing"},
    "negatives/faults/perlin": {
        "zip(place, corner, strict=True) -> zip(place, corner)": STRICT,
        "True -> False": STRICT,
    },
    "runtime/seeding": {"torch.random.fork_rng(devices=[]) -> torch.random.fork_rng()": ON_CPU},
    "training/ema": {
        "zip(self.module.buffers(), source.buffers(), strict=True) -> "
        "zip(self.module.buffers(), source.buffers())": STRICT,
        "True -> False": STRICT,
    },
}
