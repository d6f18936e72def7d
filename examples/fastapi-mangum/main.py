"""A FastAPI application behind Mangum, exactly as it would be written for AWS Lambda."""

from fastapi import FastAPI, Request, Response
from mangum import Mangum

app = FastAPI()


@app.get("/items/{number}")
def item(number: int, tag: str = "none"):
    return {"number": number, "tag": tag}


@app.post("/echo")
async def echo(request: Request):
    body = await request.body()
    return Response(body, media_type=request.headers.get("content-type"))


@app.get("/login")
def login(response: Response):
    response.set_cookie("session", "s1", httponly=True)
    response.set_cookie("theme", "dark")
    return {"ok": True}


handler = Mangum(app)
