"""A line to type for every command: the end of its help."""

from __future__ import annotations

EXAMPLES = {
    "quickstart": "nda quickstart --out quickstart",
    "data dots": "nda data dots --objects 4,5,6,7 --count 5000 --size 32 --out dots32.zip",
    "data digits": "nda data digits --out digits.zip",
    "data clevr": "nda data clevr --objects 1,2,3 --count 1000 --out clevr.zip",
    "data shard": "nda data shard photos/ --out shards",
    "preview": "nda preview photos/ --resolution 128 --out negatives.png",
    "check": "nda check photos/ --resolution 64 --out check.html",
    "configs": "nda configs gan",
    "train gan": "nda train gan --data photos/ --resolution 64 --out runs/jigsaw",
    "train numerosity": "nda train numerosity --data dots32.zip --resolution 32 --out runs/six",
    "train anomaly": "nda train anomaly --data normal/ --out runs/parts",
    "train pix2pix": "nda train pix2pix --data street.zip --palette camvid --out runs/translate",
    "train moco": "nda train moco --data photos/ --out runs/encoder",
    "train detection": "nda train detection --encoder runs/encoder --data voc.zip --out runs/found",
    "train linear-probe": (
        "nda train linear-probe --encoder runs/encoder --data photos/ --out runs/probe"
    ),
    "train dpc": "nda train dpc --data videos/ --out runs/video",
    "train action": "nda train action --encoder runs/video --data videos/ --out runs/actions",
    "sweep": "nda sweep gan --space space.yaml --out sweeps/a --data photos/ --resolution 64",
    "resume": "nda resume runs/jigsaw",
    "evaluate": "nda evaluate runs/jigsaw --ood textures=textures.zip --corruptions",
    "score": "nda score runs/parts new/ --out scores.csv --html page.html",
    "serve": "nda serve runs/parts",
    "probe": "nda probe runs/jigsaw photos/ --out probe.html",
    "sample": "nda sample runs/jigsaw --count 64 --out samples.png",
    "report": "nda report runs/jigsaw",
    "compare": "nda compare runs/plain runs/jigsaw --out comparison.html",
    "export": "nda export runs/parts --format onnx",
    "completion": "nda completion bash > ~/.local/share/bash-completion/completions/nda",
}
