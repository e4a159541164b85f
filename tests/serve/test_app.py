"""The served detector says what the detector says, to any number at once, within its limits."""

from __future__ import annotations

import dataclasses
import http.client
import io
import json
import socket
import time
import uuid
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import numpy as np
import pytest
import torch
from PIL import Image

from nda.cli import main
from nda.evaluation.outliers.detector import Detector, save_detector
from tests.serve.conftest import pixels, png
from tests.support.processes import PATIENCE, started

Files = list[tuple[str, bytes]]


def ask(address: str, method: str, path: str, body: bytes = b"", **headers: str) -> tuple[int, Any]:
    """Status and answer, JSON where it is that."""
    connection = http.client.HTTPConnection(urlsplit(address).netloc, timeout=120)
    try:
        connection.request(method, path, body, headers)
        answer = connection.getresponse()
        content = answer.read()
    finally:
        connection.close()
    is_json = "json" in (answer.getheader("content-type") or "")
    return answer.status, json.loads(content) if is_json else content.decode()


def send(address: str, files: Files, path: str = "/score") -> tuple[int, Any]:
    """Files as a browser sends them."""
    mark = uuid.uuid4().hex
    head = 'Content-Disposition: form-data; name="images"; filename='
    body = b"".join(
        f'--{mark}\r\n{head}"{name}"\r\n\r\n'.encode() + content + b"\r\n"
        for name, content in files
    )
    kind = {"Content-Type": f"multipart/form-data; boundary={mark}"}
    return ask(address, "POST", path, body + f"--{mark}--\r\n".encode(), **kind)


def expected(detector: Detector, seed: int) -> tuple[float, float, str]:
    image = torch.from_numpy(pixels(seed)).permute(2, 0, 1)[None].contiguous()
    score, p_value, _ = (found[0] for found in detector(image))
    return float(score), float(p_value), "anomalous" if float(p_value) <= 0.05 else "normal"


def test_scores_are_the_detectors_in_the_order_of_the_files(
    address: str, detector: Detector
) -> None:
    status, said = send(address, [(f"{seed}.png", png(seed)) for seed in (205, 201, 203)])
    assert status == 200
    assert said["false_alarm_rate"] == 0.05
    for seed, found in zip((205, 201, 203), said["images"], strict=True):
        score, p_value, verdict = expected(detector, seed)
        assert (found["file"], found["verdict"], found["reason"]) == (f"{seed}.png", verdict, "")
        assert found["score"] == pytest.approx(score, abs=1e-5)
        assert found["p_value"] == pytest.approx(p_value, abs=1e-6)
        assert "image" not in found


def test_two_hundred_at_once_get_their_own_answers(address: str, detector: Detector) -> None:
    def one(seed: int) -> tuple[int, Any]:
        return send(address, [(f"{seed}.png", png(seed))])

    with ThreadPoolExecutor(200) as pool:
        answers = list(pool.map(one, range(300, 500)))
    assert [status for status, _ in answers] == [200] * 200
    for seed, (_, said) in zip(range(300, 500), answers, strict=True):
        (found,) = said["images"]
        score, _, verdict = expected(detector, seed)
        assert (found["file"], found["verdict"]) == (f"{seed}.png", verdict)
        assert found["score"] == pytest.approx(score, abs=1e-5)


def test_pictures_come_where_they_are_asked_for(address: str) -> None:
    _, said = send(address, [("a.png", png(7))], "/score?pictures=true")
    (found,) = said["images"]
    assert found["image"].startswith("data:image/jpeg;base64,")
    assert found["heat"].startswith("data:image/jpeg;base64,")
    assert found["rank"] == round(found["p_value"] * 100)


def test_what_is_no_picture_is_told_in_its_place(address: str, detector: Detector) -> None:
    status, said = send(address, [("a.txt", b"text"), ("b.png", png(3)), ("c.png", b"")])
    assert status == 200
    assert [each["verdict"] == "broken" for each in said["images"]] == [True, False, True]
    assert said["images"][0]["reason"]
    assert said["images"][0]["score"] is None
    assert said["images"][1]["score"] == pytest.approx(expected(detector, 3)[0], abs=1e-5)


def dark_in_16_bits(top: int) -> bytes:
    """A picture of 16 bits that uses those up to `top` alone."""
    file = io.BytesIO()
    values = np.random.default_rng(0).integers(0, top, (16, 16)).astype(np.uint16)
    Image.fromarray(values).save(file, "PNG")
    return file.getvalue()


def test_how_files_were_read_is_said(address: str, detector: Detector) -> None:
    _, said = send(address, [("a.png", png(1)), ("dark.png", dark_in_16_bits(4096))])
    (note,) = said["notes"]
    assert note.startswith("1 16-bit image is almost black (dark.png has values up to 4,0")
    assert "--bit_depth says how many bits there are" in note
    assert send(address, [("a.png", png(1))])[1]["notes"] == []  # of each request its own
    pytest.importorskip("fastapi")
    from nda.serve.judge import Judge, Upload

    content = dark_in_16_bits(4096)
    judge = Judge(detector, bit_depth=12)
    (found,), notes = judge.score([Upload("dark.png", len(content), io.BytesIO(content))])
    assert (found.verdict != "broken", notes) == (True, [])


def test_no_images_or_too_many_are_refused(address: str) -> None:
    assert send(address, []) == (422, {"detail": (
        "There are no images; send one or more files as the field 'images' of a form."
    )})  # fmt: skip
    assert send(address, [("a.png", png(1))] * 5) == (413, {"detail": (
        "5 images are too many; send at most 4 in a request."
    )})  # fmt: skip


def test_too_many_bytes_are_refused_whether_declared_or_not(address: str) -> None:
    sentence = {"detail": "A request may have 1 MB; send fewer or smaller images."}
    declared = ask(
        address, "POST", "/score", b"", **{"Content-Length": str(2**21)}
    )  # refused before any of it is sent
    assert declared == (413, sentence)
    connection = http.client.HTTPConnection(urlsplit(address).netloc, timeout=60)
    kind = {"Content-Type": "multipart/form-data; boundary=x"}
    head = b'--x\r\nContent-Disposition: form-data; name="images"; filename="a"\r\n\r\n'
    parts = (part for part in (head, *[b"0" * 2**16] * 20))
    connection.request("POST", "/score", parts, kind, encode_chunked=True)
    answer = connection.getresponse()
    assert (answer.status, json.loads(answer.read())) == (413, sentence)
    connection.close()


def test_other_hosts_are_refused(address: str) -> None:
    """A page from elsewhere that calls this machine by its own name gets nothing."""
    status, _ = ask(address, "GET", "/about", Host="evil.example")
    assert status == 400


def test_it_says_what_judges(address: str) -> None:
    status, said = ask(address, "GET", "/about")
    assert status == 200
    assert (said["detector"], said["resolution"], said["calibrated_on"]) == ("parts", 16, 99)
    assert (said["most_images"], said["most_megabytes"]) == (4, 1)
    assert ask(address, "GET", "/docs")[0] == 404  # its page would ask for files from elsewhere
    assert "/score" in ask(address, "GET", "/openapi.json")[1]["paths"]


@pytest.mark.parametrize(
    ("groups", "kept"),
    [(0, "that were kept from training"), (99, "of training, each by what the others say")],
)
def test_the_page_says_what_it_judges_by(detector: Detector, groups: int, kept: str) -> None:
    pytest.importorskip("fastapi")
    from nda.serve.app import page_of
    from nda.serve.judge import Judge
    from nda.serve.limits import Limits

    about = dataclasses.replace(detector.settings, groups=groups)
    judge = Judge(Detector(detector.network, detector.calibration, about))
    page = page_of(judge, "parts", Limits(images=4, megabytes=1))
    assert f"Judged by 99 normal images {kept}: of new images" in " ".join(page.split())


@pytest.mark.slow
def test_the_command_serves_until_it_is_interrupted(
    detector: Detector, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    save_detector(tmp_path / "parts.safetensors", detector)
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        port = str(found.getsockname()[1])
    words = ["serve", str(tmp_path / "parts.safetensors"), "--port", port, "--device", "cpu"]
    with started(words) as process:
        assert process.stderr is not None
        assert process.stderr.readline() == f"nda: http://127.0.0.1:{port}, until Ctrl-C\n"
        for _ in range(PATIENCE * 20):
            with suppress(ConnectionRefusedError):
                status, said = ask(f"http://127.0.0.1:{port}", "GET", "/about")
                break
            assert process.poll() is None
            time.sleep(0.05)
        assert (status, said["detector"]) == (200, "parts.safetensors")
        assert main(words) == 2
        assert capsys.readouterr().err == (
            f"nda: nda serve cannot listen at 127.0.0.1, port {port} (Address already in use); "
            "give another --port or --host.\n"
        )
        process.terminate()
        process.communicate(timeout=PATIENCE)


def test_what_cannot_be_served_is_refused(
    tmp_path: Path, detector: Detector, capsys: pytest.CaptureFixture[str]
) -> None:
    path = str(tmp_path / "parts.safetensors")
    save_detector(path, detector)
    for words, message in (
        (["runs/none"], "runs/none"),
        ([path, "--port", "70000"], "port is 70000; it must be at most 65535."),
        ([path, "--bit_depth", "0"], "bit_depth is 0"),
        ([path, "--most_images", "0"], "most_images is 0; it must be at least 1."),
        ([path, "--false_alarm_rate", "0.001"], "needs at least 999 normal images"),
    ):
        assert main(["serve", *words]) == 2
        assert message in capsys.readouterr().err
