"""The words of every command: one dataclass a verb, free of torch; `--help` is made of them."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from nda.api.shown import CHECKED, PREVIEWED, STRUCTURAL

MIN_IMAGES = 40  # images of a check


@dataclass(frozen=True)
class ResumeOptions:
    """Continue a run from its newest checkpoint.

    Args:
        run: folder of the run
        data: where the data is now, if it has moved; the run remembers it
        steps: train to this step in place of the one in config.yaml
        device: auto, cpu, cuda, mps; as before if not given
        devices: processes that share the batches from here on, one a device; as before if not given
        num_nodes: machines that do so, as for training; as before if not given
    """

    run: str
    data: str | None = None
    steps: int | None = None
    device: str | None = None
    devices: int | None = None
    num_nodes: int | None = None


@dataclass(frozen=True)
class EvaluateOptions:
    """Measure a run at its newest checkpoint and renew its report.

    With --ood or --corruptions the run's detector is measured, and its other figures stay.

    Args:
        run: folder of the run
        data: where the data is now, if it has moved; the run remembers it
        evaluation_samples: images generated for each figure; as configured if not given
        inception_weights: file of torch-fidelity's Inception weights
        features: classifier, lite0 (EfficientNet-Lite0) or both; as configured if not given
        device: auto, cpu, cuda, mps; as before if not given
        ood: NAME=PATH of images from elsewhere (folder, .zip, torchvision:NAME); one or several
        corruptions: the 19 of CIFAR-10-C: made here if it stands alone, or a folder of its files
        ood_samples: at most so many images of each set, the held-out images too; all if not given
        ood_jpeg: quality of the JPEG pass that all images go through first; 0 for none
    """

    run: str
    data: str | None = None
    evaluation_samples: int | None = None
    inception_weights: str | None = None
    features: Literal["classifier", "lite0", "both"] | None = None
    device: str | None = None
    ood: list[str] = field(default_factory=list)
    corruptions: str | None = None
    ood_samples: int | None = None
    ood_jpeg: int = 75

    @property
    def outliers(self) -> bool:
        return bool(self.ood) or self.corruptions is not None


@dataclass(frozen=True)
class SampleOptions:
    """Draw images from a run's averaged generator, or translate images with a run of pix2pix.

    Args:
        run: folder of the run
        images: for a run of pix2pix, what to translate: an image, a folder or a .zip
        out: a .png file for one grid, or a folder for one file an image; of translations a folder
        overwrite: replace files that are there
        count: number of images; all that are given are translated
        costly: go ahead where that takes more than 2 hours or 20 GiB
        seed: seed of the latents, or of the noise of a translation
        device: auto, cpu, cuda, mps; as before if not given
    """

    run: str
    images: str | None = None
    out: str | None = None
    overwrite: bool = False
    count: int | None = None
    costly: bool = False
    seed: int = 0
    device: str | None = None


@dataclass(frozen=True)
class CheckOptions:
    """Find which negatives are valid and informative for your data, before training on them.

    Args:
        images: folder, .zip of a folder, or torchvision:NAME; at least 40 images
        out: page to write; where json alone is given, none
        json: file to write the figures to
        overwrite: replace files that are there
        negatives: what to check, separated by commas, such as jigsaw:grid=4,blemish
        resolution: side in pixels to bring the images to; needed where they differ in size
        classes: classes to use, separated by commas; all of them where none is given
        count: images to use at most, drawn at random; a fifth is held out, under 200 each in turn
        steps: steps that each probe is trained for
        seeds: trainings of the probes; with several, intervals include how trainings differ
        seed: seed of the choice of images, of the negatives and of the probes
        skip_broken: skip unreadable images in place of refusing them
        bit_depth: bits of the numbers in files of more than 8, such as 12 for a camera of 12 in 16
        device: auto, cpu, cuda, mps, or one card such as cuda:1
    """

    images: str
    out: str = "check.html"
    json: str | None = None
    overwrite: bool = False
    negatives: str = ",".join(CHECKED)
    resolution: int | None = None
    classes: str | None = None
    count: int = 10000
    steps: int = 300
    seeds: int = 1
    seed: int = 0
    skip_broken: bool = False
    bit_depth: int | None = None
    device: str = "auto"


@dataclass(frozen=True)
class ProbeOptions:
    """Measure how a model's output or features change when global structure breaks.

    Args:
        model: a run of gan, anomaly, moco or dpc, or a network torchvision:NAME[:weights.pth]
        images: folder, .zip of a folder, or torchvision:NAME; for a run of dpc, of videos
        out: page to write; where json alone is given, none
        json: file to write the figures to
        overwrite: replace files that are there
        count: images or videos to measure on, drawn at random, at least 4
        negatives: what to probe with, separated by commas, such as jigsaw:grid=4,stitch
        split: split of the images; the test or validation split where there is one
        resolution: side in pixels to bring the images to; needed where they differ in size
        input_size: side in pixels at which torchvision's networks see the images; by default 112
        classes: classes to use, separated by commas; all of them where none is given
        seed: seed of the choice of images, of the draws and of random weights
        device: auto, cpu, cuda, mps, or one card such as cuda:1
        skip_broken: skip unreadable images or videos in place of refusing them
        bit_depth: bits of the numbers in files of more than 8, such as 12 for a camera of 12 in 16
    """

    model: str
    images: str
    out: str = "probe.html"
    json: str | None = None
    overwrite: bool = False
    count: int = 2000
    negatives: str = ",".join(STRUCTURAL)
    split: str | None = None
    resolution: int | None = None
    input_size: int | None = None
    classes: str | None = None
    seed: int = 0
    device: str = "auto"
    skip_broken: bool = False
    bit_depth: int | None = None


@dataclass(frozen=True)
class ScoreOptions:
    """Score images with a run of anomaly, or videos with one of dpc: score, p-value, verdict.

    Args:
        run: folder of the run, or a detector file that nda exported
        images: folder or .zip of images (of videos for dpc), one image, or - for paths on stdin
        out: .csv file to write: file, score, p_value, log10_p, verdict, reason
        html: .html page to write, the most anomalous images or videos first
        heatmaps: folder to write a picture of each image under its heat to; not for videos
        false_alarm_rate: share of normal images that may be flagged; as trained, of videos 0.05
        threshold: flag images that score so high or higher, in place of a rate
        false_discovery_rate: share of the flagged images that may be normal, in place of a rate
        drift: say when the images, in their order, are no longer like the normal ones; the chance
            of ever saying so while nothing changes, such as 0.01
        normal: folders of normal images, by name, separated by commas: what lies in others is
            anomalous, and how well scores tell them is measured; good or normal, where there is one
        batch_size: images scored at once, or windows of a video; fewer of them on a processor
        fail_on_anomaly: end with code 3 where an image or video was flagged (2: none was readable)
        overwrite: replace files that are there
        resume: go on with a scoring that was cut off, where there is one
        bit_depth: bits of the numbers in files of more than 8, where they are not those of the run
        device: auto, cpu, cuda, mps
        workers: processes that score, beside this one, which alone does if none are given; with
            --ray as many as there are cores or GPUs
        ray: score on a Ray cluster: HOST:PORT, auto for the one that this machine belongs to, or
            local for one of its own; not for videos, nor are workers
    """

    run: str
    images: str
    out: str = "scores.csv"
    html: str | None = None
    heatmaps: str | None = None
    false_alarm_rate: float | None = None
    threshold: float | None = None
    false_discovery_rate: float | None = None
    drift: float | None = None
    normal: str | None = None
    batch_size: int = 64
    fail_on_anomaly: bool = False
    overwrite: bool = False
    resume: bool = False
    bit_depth: int | None = None
    device: str = "auto"
    workers: int | None = None
    ray: str | None = None


@dataclass(frozen=True)
class PreviewOptions:
    """Show negatives on your own images or video, as one labelled picture.

    Args:
        images: folder, .zip of a folder, or torchvision:NAME; or a video file
        out: .png file to write
        overwrite: replace files that are there
        count: images to show, or frames of the video; at least 2
        negatives: what to show, separated by commas, such as jigsaw:grid=4,stitch
        texture: folder or .zip of images that the negative texture takes its patches from
        resolution: side in pixels to bring the images to; needed where they differ in size
        classes: classes to use, separated by commas; all of them where none is given
        seed: seed of the choice of images and of the negatives
        skip_broken: skip unreadable images in place of refusing them
        bit_depth: bits of the numbers in files of more than 8, such as 12 for a camera of 12 in 16
        video: take a folder or .zip as videos: folders of frames, or video files
    """

    images: str
    out: str = "negatives.png"
    overwrite: bool = False
    count: int = 8
    negatives: str = ",".join(PREVIEWED)
    texture: str | None = None
    resolution: int | None = None
    classes: str | None = None
    seed: int = 0
    skip_broken: bool = False
    bit_depth: int | None = None
    video: bool = False


@dataclass(frozen=True)
class QuickstartOptions:
    """Train the same small GAN without and with negatives, and count what each generates.

    Args:
        out: folder for data, runs, figures and page; an interrupted quickstart there goes on
        seed: seed of the data and of both runs
        steps: training steps of each run
        count: images of each run whose dots are counted
    """

    out: str = "quickstart"
    seed: int = 0
    steps: int = 6000
    count: int = 4000


@dataclass(frozen=True)
class ExportOptions:
    """Write a run's model as one file, and check that it gives the same results.

    A run of anomaly has a detector, a run of moco an encoder.

    Args:
        run: folder of the run
        format: of a detector onnx (usual), openvino or safetensors; of an encoder safetensors
            (usual), timm or torchvision
        out: file to write; one in the run's folder, made anew, if not given
        int8: of a detector on lite0, as onnx: 8-bit numbers in the backbone, fitted and calibrated
            anew on the run's images; faster where a processor has instructions for them
        overwrite: replace files that are there
    """

    run: str
    format: Literal["onnx", "openvino", "safetensors", "timm", "torchvision"] | None = None
    out: str | None = None
    int8: bool = False
    overwrite: bool = False
