"""What `nda probe` measures of a run of dpc: the features of videos and of their negatives."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import torch
from torch import Tensor

from nda.api.media import refuse_no_videos, refuse_pictures, refuse_unlike_frames, same_place
from nda.api.probe.inputs import Subject, trained_on
from nda.api.settings import ProbeOptions
from nda.data.clips.batches import ClipShape, in_blocks
from nda.data.clips.clip_set import Clips
from nda.data.clips.stream import open_video_stream
from nda.data.reading.layout import class_names
from nda.data.reading.passed import skipped_note
from nda.errors import ConfigError, DataError
from nda.evaluation.features.structure import structure_similarity
from nda.evaluation.record import Protocol
from nda.negatives.named import negatives_from_list, suited
from nda.networks.dpc import VideoEncoder
from nda.recipes.dpc.load import Predictor, open_predictor
from nda.recipes.sources import clip_source
from nda.recipes.video.load import shape_of
from nda.report.pages.probe import Probed
from nda.report.probe_table import encoder_table
from nda.report.words import data_name, number, run_title
from nda.runtime.devices import choose_device
from nda.runtime.seeding import generator_for

FEWEST = 4  # videos, of which two pairs can be made
TOGETHER = 16  # clips encoded at once


def probe_video(options: ProbeOptions) -> Probed:
    """Cosines between the features of clips and of their negatives (paper, Figure 9)."""
    device = choose_device(options.device)
    predictor = open_predictor(options.model)
    subject = load_videos(options, predictor)
    config, encoder = predictor.config, predictor.network.encoder.to(device)
    protocol: Protocol = {
        "model": f"encoder of {predictor.name}",
        "step": predictor.step,
        "features": "the memory after all blocks, averaged over places",
        "clip": f"{clip_words(shape_of(config))}, from the middle of the video",
        "resolution": int(config.resolution or 0),
        **subject.protocol,
        "seed": options.seed,
    }
    metrics, histograms = structure_similarity(
        lambda x: pooled(encoder, x, config.frames),
        subject.images,
        subject.negatives,
        generator=generator_for(options.seed, purpose="probe"),
        protocol=protocol,
        of=subject.of,
        batch_size=TOGETHER,
        device=device,
    )
    title = run_title(predictor.folder.config())
    return Probed(
        title=f"{predictor.name}: do its features see global structure?",
        summary=f"{predictor.name} ({title}) at step {number(predictor.step)}, on {subject.words}.",
        notes=[*subject.notes, *trained_on(options, config.data, subject)],
        protocol=metrics[0].protocol,
        table=encoder_table(metrics, subject.names, subject.refused, of=subject.of),
        metrics=metrics,
        histograms=histograms,
        examples=subject.examples(),
        caption="Frames of a video and the negatives made of it, one draw for all frames",
    )


def pooled(encoder: VideoEncoder, clips: Tensor, frames: int) -> Tensor:
    """The memory after clips `(B, F, 3, R, R)`, averaged over places as for actions: `(B, D)`."""
    return encoder(in_blocks(clips, frames)).mean(dim=(2, 3))


def load_videos(options: ProbeOptions, predictor: Predictor) -> Subject:
    """Middle clips of videos drawn at random, as long and as large as those of the training."""
    if options.resolution is not None:
        raise ConfigError(
            f"resolution is {options.resolution}, but {options.model} is a run of dpc, which takes "
            f"frames as it was trained, of {predictor.config.resolution} pixels; leave the setting "
            "out."
        )
    refuse_no_videos(options.images, options.model)
    with open_video_stream(Path(options.images)) as stream:
        refuse_pictures(stream.videos, options.images, options.model)
        refuse_unlike_frames(stream, options.images, options.model)
    asked = negatives_from_list(options.negatives)
    clips, split = drawn_videos(options, predictor)
    shape, rows = shape_of(predictor.config), torch.arange(len(clips))
    images = shape.taken(clips, rows, starts=shape.middle(clips, rows))
    negatives, refused = suited(asked, images[:2])
    return Subject(
        images=images,
        labels=clips.labels,
        classes=clips.classes,
        split=split,
        data=data_name(options.images),
        negatives=negatives,
        refused=refused,
        names=list(asked),
        notes=notes_on(clips, shape),
        seed=options.seed,
        of="video",
    )


def drawn_videos(options: ProbeOptions, predictor: Predictor) -> tuple[Clips, str]:
    """Videos and their split; refuses fewer than can be measured (`DataError`)."""
    config = predictor.config
    own = same_place(options.images, config.data)
    source = replace(
        clip_source(config),
        path=options.images,
        classes=class_names(options.classes),
        split_file=config.split_file if own else None,
        skip_broken=options.skip_broken,
        bit_depth=options.bit_depth or config.bit_depth,
    )
    rng = generator_for(options.seed, purpose="probe images")
    clips, split = source.draw(options.count, generator=rng, split=options.split)
    if len(clips) < FEWEST:
        where = f" in the {split} split" if split else ""
        raise DataError(
            f"{options.images} has {len(clips)} video{'s' * (len(clips) != 1)}{where} to probe "
            f"with, and at least {FEWEST} are needed, since different videos are compared; give "
            "more of them."
        )
    return clips, split


def notes_on(clips: Clips, shape: ClipShape) -> list[str]:
    """Of videos that were left out, or do not fill a clip."""
    notes = [skipped_note(len(clips.skipped), "video")] if clips.skipped else []
    if clips.unlisted:
        notes.append(f"{number(clips.unlisted)} videos are not in the split files and left out.")
    if short := clips.shorter_than(shape.span):
        how = "looped" if shape.short == "loop" else "padded with their last frame"
        notes.append(
            f"Videos of fewer than {shape.span} frames are {how}: {number(short)} of them."
        )
    return notes


def clip_words(shape: ClipShape) -> str:
    return f"{shape.blocks} blocks of {shape.frames} frames, stride {shape.stride}"
