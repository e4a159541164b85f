"""What a request may take: how many bytes, whatever it says of itself, and how many images."""

from __future__ import annotations

from dataclasses import dataclass

from fastapi import HTTPException
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

TOO_LARGE = 413  # as HTTP calls it


@dataclass(frozen=True)
class Limits:
    """Of one request."""

    images: int
    megabytes: int

    @property
    def bytes(self) -> int:
        """All of its body."""
        return self.megabytes * 2**20


class BodyLimit:
    """Refuses a body of more bytes: at once where it declares them, else where they come."""

    def __init__(self, app: ASGIApp, limits: Limits) -> None:
        self.app = app
        self.limits = limits
        self.sentence = f"A request may have {limits.megabytes} MB; send fewer or smaller images."

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        declared = dict(scope["headers"]).get(b"content-length", b"0")
        if not declared.isdigit() or int(declared) > self.limits.bytes:
            refusal = JSONResponse({"detail": self.sentence}, status_code=TOO_LARGE)
            await refusal(scope, receive, send)
            return
        come = 0

        async def counted() -> Message:
            nonlocal come
            message = await receive()
            come += len(message.get("body", b""))
            if come > self.limits.bytes:
                raise HTTPException(TOO_LARGE, self.sentence)
            return message

        await self.app(scope, counted, send)
