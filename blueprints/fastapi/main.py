"""A FastAPI application, served as it is: the app itself is the handler."""

from contextlib import asynccontextmanager

from fastapi import FastAPI
from pydantic import BaseModel

GREETINGS = {}


@asynccontextmanager
async def lifespan(_app):
    """Run once for each environment, before its first request and after its last."""
    GREETINGS["en"] = "Hello"
    yield
    GREETINGS.clear()


app = FastAPI(lifespan=lifespan)


class Person(BaseModel):
    """Who is greeted."""

    name: str


@app.get("/")
async def index():
    return {"languages": sorted(GREETINGS)}


@app.post("/greet/{language}")
async def greet(language: str, person: Person):
    return {"message": f"{GREETINGS.get(language, 'Hi')}, {person.name}!"}
