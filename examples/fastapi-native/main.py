"""A FastAPI application that is its own handler: no adapter, lifespan once, answers in pieces."""

import asyncio
from contextlib import asynccontextmanager

from fastapi import FastAPI, Request, Response
from fastapi.responses import StreamingResponse

STARTED = []


@asynccontextmanager
async def lifespan(_app):
    """Run once in each environment, before its first request."""
    STARTED.append("up")
    yield


app = FastAPI(lifespan=lifespan)


@app.get("/items/{number}")
def item(number: int, tag: str = "none"):
    return {"number": number, "tag": tag, "started": len(STARTED)}


@app.post("/echo")
async def echo(request: Request):
    body = await request.body()
    return Response(body, media_type=request.headers.get("content-type"))


@app.get("/login")
def login(response: Response):
    response.set_cookie("session", "s1", httponly=True)
    response.set_cookie("theme", "dark")
    return {"ok": True}


@app.get("/count")
async def count(to: int = 3):
    async def numbers():
        for number in range(to):
            yield f"{number}\n"
            await asyncio.sleep(0.1)

    return StreamingResponse(numbers(), media_type="text/plain")
