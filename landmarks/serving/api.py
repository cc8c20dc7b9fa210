"""The HTTP interface: routes, and how what they raise becomes an answer."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Annotated, Any

from fastapi import Depends, FastAPI, Query, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer

from landmarks.serving import problems, schemas
from landmarks.serving.metrics import CONTENT_TYPE
from landmarks.serving.problems import KINDS, Problem
from landmarks.serving.service import MOST_GUESSES, Service

_DESCRIPTION = """Names the landmark in a photo, and so the place where it was taken.

Errors are `application/problem+json` (RFC 9457); `/problems` lists their kinds. Nothing of a photo
is stored or logged."""
_BEARER = HTTPBearer(auto_error=False, description="Needed only where the operator set API keys.")
_ASKED = ("no-key", "rate-limit")
_PREDICT = (
    "bad-form", "no-key", "slow-upload", "too-large", "unsupported-type", "bad-parameter",
    "no-photo", "unreadable-photo", "rate-limit", "overloaded",
)  # fmt: skip


def _service(request: Request) -> Service:
    found: Service = request.app.state.service
    return found


async def _allowed(
    request: Request,
    given: Annotated[HTTPAuthorizationCredentials | None, Depends(_BEARER)],
) -> None:
    key = _service(request).keys.name(given.credentials if given else None)
    if key:
        request.scope["said"]["key"] = key


Asked = Annotated[Service, Depends(_service)]


def create_app(service: Service) -> FastAPI:
    """Return the application that answers for `service`."""

    @asynccontextmanager
    async def life(app: FastAPI) -> AsyncIterator[None]:
        seconds = service.settings.reload_seconds
        watching = asyncio.create_task(service.model.watch(seconds)) if seconds else None
        yield
        if watching:
            watching.cancel()
        service.engine.close()

    app = FastAPI(
        title="landmarks",
        version="1",
        description=_DESCRIPTION,
        lifespan=life,
        # Their pages fetch scripts from elsewhere.
        docs_url=None,
        redoc_url=None,
    )
    app.state.service = service
    _add_routes(app)
    _add_errors(app)
    return app


def _add_routes(app: FastAPI) -> None:
    app.post(
        "/v1/predict",
        summary="Name the landmarks in photos",
        dependencies=[Depends(_allowed)],
        responses={200: {"model": schemas.Answers}, **problems.responses(*_PREDICT)},
        openapi_extra={"requestBody": schemas.REQUEST_BODY},
        response_class=Response,
    )(predict)
    app.get(
        "/v1/landmarks",
        summary="The places that the model knows",
        dependencies=[Depends(_allowed)],
        responses=problems.responses("no-key"),
    )(list_landmarks)
    app.get("/problems", summary="Every kind of error, and what to do about it")(list_problems)
    app.get("/healthz", summary="Whether the process is alive")(health)
    app.get(
        "/readyz",
        summary="Whether requests should be sent here",
        responses=problems.responses("not-ready"),
    )(ready)
    app.get(
        "/metrics",
        summary="Figures for Prometheus",
        response_class=Response,
        responses={200: {"content": {CONTENT_TYPE: {"schema": {"type": "string"}}}}},
    )(figures)


async def predict(
    request: Request, service: Asked, top_k: Annotated[int, Query(ge=1, le=MOST_GUESSES)] = 5
) -> Response:
    """Photos go into the field `file` of a form, repeated for several, or alone into the body.

    The answer has an entry for each, in order: guesses with calibrated confidence, the likeliest
    first, and a `decision`: `named` (safe to write), `unsure`, or `unknown` (none of the known
    landmarks). A photo that cannot be read has a `problem` instead; if none can, the status is 422.
    """
    answers = await service.predict(request, top_k)
    return _json({"photos": answers})


async def list_landmarks(service: Asked) -> schemas.Landmarks:
    """Names, places and coordinates (WGS 84), in the order of the model's classes."""
    card = service.model.card
    return schemas.Landmarks(model=card.version, invented=card.invented, landmarks=card.classes)


async def list_problems() -> dict[str, schemas.ProblemKind]:
    """By the name at the end of `type`."""
    return {
        name: schemas.ProblemKind(status=kind.status, title=kind.title, advice=kind.advice)
        for name, kind in KINDS.items()
    }


async def health() -> schemas.Status:
    """Restart the process when this does not answer."""
    return schemas.Status(status="ok")


async def ready(service: Asked) -> schemas.Status:
    """503 from the moment the process is asked to stop."""
    if service.stopping:
        raise Problem("not-ready", "The service is about to stop.")
    return schemas.Status(status="ok", model=service.model.card.version)


async def figures(service: Asked) -> Response:
    """Text format 0.0.4."""
    return Response(service.metrics.text(), media_type=CONTENT_TYPE)


def _json(tree: Any) -> Response:
    return Response(json.dumps(tree, ensure_ascii=False).encode(), media_type="application/json")


def _answer(request: Request, problem: Problem) -> Response:
    request.scope["said"]["problem"] = problem.name
    body = problem.to_bytes(
        request.scope.get("root_path", ""), f"urn:uuid:{request.scope['number']}"
    )
    return Response(body, problem.kind.status, problem.headers, problems.MEDIA_TYPE)


def _add_errors(app: FastAPI) -> None:
    async def problem(request: Request, error: Exception) -> Response:
        assert isinstance(error, Problem)
        error.__traceback__ = None  # its frames hold photos
        return _answer(request, error)

    async def invalid(request: Request, error: Exception) -> Response:
        assert isinstance(error, RequestValidationError)
        said = "; ".join(f"{one['loc'][-1]}: {one['msg']}" for one in error.errors())
        return _answer(request, Problem("bad-parameter", f"{said}."))

    async def not_found(request: Request, error: Exception) -> Response:
        return _answer(request, Problem("not-found", "No such path."))

    async def not_allowed(request: Request, error: Exception) -> Response:
        headers = getattr(error, "headers", None)
        return _answer(request, Problem("method-not-allowed", "No such method here.", headers))

    async def defect(request: Request, error: Exception) -> Response:
        return _answer(request, Problem("defect", "It is in the log of the service."))

    app.add_exception_handler(Problem, problem)
    app.add_exception_handler(RequestValidationError, invalid)
    app.add_exception_handler(404, not_found)
    app.add_exception_handler(405, not_allowed)
    app.add_exception_handler(Exception, defect)
