"""The page of the API says what is served, no more and no less."""

from __future__ import annotations

import gzip
import json
import re
from importlib import resources
from pathlib import Path
from typing import Any

from dynimo import settings as all_settings
from dynimo import testing
from dynimo.assembly.asynchronous import Asynchronous
from dynimo.assembly.services import LambdaService
from dynimo.functions.invoker import Invoker
from dynimo.model.names import Place
from dynimo.registry.registry import Registry
from dynimo.telemetry import Metrics

ROOT = Path(__file__).parents[3]


def served(tmp_path: Path) -> dict[str, tuple[str, str, int]]:
    """Name → (method, path, status) of every operation of Lambda's."""
    settings = all_settings.Settings()
    registry = Registry(tmp_path, settings.registry)
    clock = testing.VirtualClock()
    invoker = Invoker(
        sandbox=testing.ScriptedSandbox(clock, iter(())),
        clock=clock,
        config=settings.functions,
        metrics=Metrics(),
        resolve=registry.resolve,
        logs=testing.KeptLogs(),
        meter=testing.KeptMeter(),
    )
    later = Asynchronous(
        tmp_path, clock, settings.backlog, registry=registry, invoker=invoker, place=Place()
    )
    service = LambdaService(settings, registry, invoker, later, runtimes=(), key="k")
    found = {
        each.name: (each.method, each.path.replace("+}", "}"), each.status)
        for each in service.operations()
    }
    registry.close()
    return found


def model() -> dict[str, Any]:
    """The service model that every client of AWS is made from."""
    name = "data/lambda/2015-03-31/service-2.json.gz"
    packed = resources.files("botocore").joinpath(name).read_bytes()
    operations: dict[str, Any] = json.loads(gzip.decompress(packed))["operations"]
    return operations


def test_every_operation_has_the_models_method_path_and_status(tmp_path: Path) -> None:
    """DeleteFunction alone answers as recorded (204), not as the model says."""
    operations = model()
    for name, (method, path, status) in served(tmp_path).items():
        http = operations[name]["http"]
        plain = http["requestUri"].partition("?")[0].rstrip("/")
        assert (method, path) == (http["method"], plain), name
        expected = 204 if name == "DeleteFunction" else http.get("responseCode", 200)
        assert status == expected, name


def test_the_page_lists_what_is_served(tmp_path: Path) -> None:
    """docs/reference/lambda-api.md names each operation once."""
    page = (ROOT / "docs" / "reference" / "lambda-api.md").read_text()
    table = page.partition("## Operations of Lambda")[2].partition("Of STS:")[0]
    first = [row.split("|")[1] for row in table.splitlines() if row.startswith("| ")]
    listed = re.findall(r"\b[A-Z][A-Za-z]+\b", " ".join(first))

    assert len(listed) == len(set(listed))
    assert set(listed) == set(served(tmp_path))
