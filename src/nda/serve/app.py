"""The application: `GET /` is the page, `GET /about` and `POST /score` speak JSON."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from fastapi import FastAPI, HTTPException, Request
from fastapi.concurrency import run_in_threadpool
from fastapi.responses import HTMLResponse
from starlette.datastructures import UploadFile
from starlette.middleware.trustedhost import TrustedHostMiddleware

import nda
from nda.report.pages.render import render, script
from nda.report.pages.score import card, judged_by
from nda.report.pictures.heat import HOT, MILD
from nda.report.scored import Scored
from nda.report.thresholds import promises
from nda.serve.judge import Judge, Upload
from nda.serve.limits import TOO_LARGE, BodyLimit, Limits


def build_app(judge: Judge, *, name: str, limits: Limits, hosts: Sequence[str]) -> FastAPI:
    """The application of one detector, which is called `name`.

    `hosts` are the names it answers to, or `*`: with those of this machine alone, no page from
    elsewhere can speak to it under a name of its own.
    """
    # No page of documentation: FastAPI's own asks for files from elsewhere. /openapi.json is there.
    app = FastAPI(title=f"nda: {name}", version=nda.__version__, docs_url=None, redoc_url=None)
    app.add_middleware(BodyLimit, limits=limits)
    app.add_middleware(TrustedHostMiddleware, allowed_hosts=list(hosts))
    page = page_of(judge, name, limits)

    @app.get("/", response_class=HTMLResponse, include_in_schema=False)
    def index() -> str:
        return page

    @app.get("/about")
    def about() -> dict[str, Any]:
        """What judges here, and what a request may hold."""
        return about_of(judge, name, limits)

    @app.post("/score")
    async def score(request: Request, pictures: bool = False) -> dict[str, Any]:
        """Score the files of a form's field `images`, with pictures of their heat if asked for."""
        async with request.form() as form:
            files = [each for each in form.getlist("images") if isinstance(each, UploadFile)]
            refuse_count(len(files), limits)
            uploads = [Upload(f.filename or "image", f.size or 0, f.file) for f in files]
            found, notes = await run_in_threadpool(judge.score, uploads)
            said = await run_in_threadpool(lambda: [row_of(s, judge, pictures) for s in found])
        return {
            "false_alarm_rate": judge.rate,
            "threshold": judge.threshold,
            "images": said,
            "notes": notes,
        }

    return app


def refuse_count(count: int, limits: Limits) -> None:
    """Refuse a request without images, or with too many."""
    if count == 0:
        raise HTTPException(
            422, "There are no images; send one or more files as the field 'images' of a form."
        )
    if count > limits.images:
        raise HTTPException(
            TOO_LARGE, f"{count} images are too many; send at most {limits.images} in a request."
        )


def about_of(judge: Judge, name: str, limits: Limits) -> dict[str, Any]:
    """In plain values."""
    settings = judge.detector.settings
    return {
        "nda": nda.__version__,
        "detector": name,
        "method": settings.method,
        "resolution": settings.resolution,
        "fit": settings.fit,
        "tiles_of": [settings.image_width, settings.image_height] if settings.tiling else None,
        "calibrated_on": len(judge.detector.calibration),
        "false_alarm_rate": judge.rate,
        "threshold": judge.threshold,
        "most_images": limits.images,
        "most_megabytes": limits.megabytes,
    }


def row_of(scored: Scored, judge: Judge, pictures: bool) -> dict[str, Any]:
    """What is said of one file."""
    row: dict[str, Any] = {
        "file": scored.file,
        "verdict": scored.verdict,
        "score": scored.score,
        "p_value": scored.p_value,
        "reason": scored.reason,
    }
    if judge.detector.settings.tiling is not None:
        row["x"], row["y"] = scored.place or (None, None)
    if pictures and scored.score is not None:
        shown = card(scored, judged_by(judge.detector, judge.rate), "")
        row |= {"rank": shown.rank, "image": shown.image, "heat": shown.heat}
    return row


def page_of(judge: Judge, name: str, limits: Limits) -> str:
    """The page on which images are dropped."""
    steps, step = promises(judge.detector.calibration, judge.rate)
    own, digest = script("serve.js")
    return render(
        "serve.html",
        title=f"Is it anomalous? {name}",
        judged=judged_by(judge.detector, judge.rate),
        limits=limits,
        steps=steps,
        step=step,
        own_script=own,
        own_digest=digest,
        mild="#{:02x}{:02x}{:02x}".format(*MILD),
        hot="#{:02x}{:02x}{:02x}".format(*HOT),
        cold=min(1.0, 10 * judge.rate),
    )
