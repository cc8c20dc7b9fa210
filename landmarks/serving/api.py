"""The HTTP interface: routes, and how what they raise becomes an answer."""

import asyncio
import json
import time
from collections.abc import AsyncIterator, Coroutine, Sequence
from contextlib import asynccontextmanager
from typing import Annotated, Any

from fastapi import Depends, FastAPI, Query, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer

from landmarks import images
from landmarks.answers import as_json
from landmarks.predictor import Predictor
from landmarks.serving import problems, schemas, uploads
from landmarks.serving.access import Keys, Rate
from landmarks.serving.engine import Costs, Engine
from landmarks.serving.metrics import CONTENT_TYPE, Metrics
from landmarks.serving.model import Model
from landmarks.serving.problems import KINDS, Problem
from landmarks.serving.queue import Queue
from landmarks.serving.settings import Settings

MOST_GUESSES = 1000
_DESCRIPTION = """Names the landmark in a photo, and so the place where it was taken.

Errors are `application/problem+json` (RFC 9457); `/problems` lists their kinds. Nothing of a photo
is stored or logged."""
_BEARER = HTTPBearer(auto_error=False, description="Needed only where the operator set API keys.")
_ASKED = ("no-key", "rate-limit")
_PREDICT = (
    "bad-form", "no-key", "slow-upload", "too-large", "unsupported-type", "bad-parameter",
    "no-photo", "unreadable-photo", "rate-limit", "overloaded",
)  # fmt: skip


class Service:
    """What the routes stand on.

    Attributes:
        stopping: whether the process was asked to end, and takes no more requests soon.
    """

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.metrics = Metrics()
        self.queue = Queue(settings.queue_photos, settings.queue_bytes, self.metrics)
        self.model = Model(settings.model, settings.model_threads, self.metrics)
        self.engine = Engine(
            settings.decoders,
            settings.runners,
            settings.batch,
            Costs(settings.max_pixels, settings.decode_memory_bytes),
            self.metrics,
        )
        self.keys = Keys(settings.api_keys)
        self.rate = Rate(settings.rate_per_minute, settings.rate_burst)
        self.stopping = False

    async def predict(self, request: Request, top_k: int) -> list[dict[str, Any]]:
        """Read the photos of a request and answer them.

        Raises:
            Problem: there is no answer for any of them.
        """
        client = self._client(request)
        self.rate.check(client)
        self.queue.check(uploads.check_length(request, self.settings))
        with self.queue.hold() as held:
            upload = await uploads.read(request, self.settings, held)
            self.rate.charge(client, len(upload.photos))
            request.scope["said"]["photos"] = len(upload.photos)
            guesses = _guesses(upload.top_k, top_k)
            predictor = self.model.predictor
            started = time.perf_counter()
            answers = await self._awaited(request, self._answers(predictor, upload.photos, guesses))
            self.queue.took(time.perf_counter() - started)
        if all("problem" in answer for answer in answers):
            reasons = {answer["problem"]["detail"] for answer in answers}
            raise Problem("unreadable-photo", " ".join(sorted(reasons)), photos=answers)
        return answers

    async def _answers(
        self, predictor: Predictor, photos: Sequence[uploads.Photo], top_k: int
    ) -> list[dict[str, Any]]:
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(self._answer(predictor, one, top_k)) for one in photos]
        return [task.result() for task in tasks]

    async def _answer(
        self, predictor: Predictor, photo: uploads.Photo, top_k: int
    ) -> dict[str, Any]:
        try:
            answer = await self.engine.answer(predictor, photo.content, top_k)
        except images.UnreadableImage as error:
            self.metrics.photos.labels("unreadable").inc()
            why = error.message.partition("cannot be read")[2]
            problem = Problem("unreadable-photo", f"It cannot be read{why}.", reason=error.reason)
            return {"photo": photo.name, "problem": problem.body(self.settings.root_path)}
        self.metrics.photos.labels(answer.decision).inc()
        return {"photo": photo.name} | as_json(answer)

    async def _awaited(
        self, request: Request, work: Coroutine[Any, Any, list[dict[str, Any]]]
    ) -> list[dict[str, Any]]:
        """Do the work while somebody waits for it, and no longer than the settings say."""
        working = asyncio.create_task(work)
        gone = asyncio.create_task(_gone(request))
        try:
            await asyncio.wait(
                (working, gone),
                timeout=self.settings.answer_seconds,
                return_when=asyncio.FIRST_COMPLETED,
            )
            if working.done():
                return working.result()
            if gone.done():
                raise Problem("client-gone", "The client went away before the answer.")
            raise self.queue.overloaded("The photos could not be looked at in time.")
        finally:
            working.cancel()
            gone.cancel()

    def _client(self, request: Request) -> str:
        """Return whose photos are counted together: a key's, or else an address's."""
        key = request.scope["said"].get("key")
        return key or (request.client.host if request.client else "")


async def _gone(request: Request) -> None:
    while (await request.receive())["type"] != "http.disconnect":
        pass


def _guesses(text: str | None, otherwise: int) -> int:
    """Return the number of guesses that a form asks for."""
    if text is None:
        return otherwise
    if not (text.isascii() and text.isdecimal() and 1 <= int(text) <= MOST_GUESSES):
        raise Problem("bad-parameter", f"top_k must be a whole number from 1 to {MOST_GUESSES}.")
    return int(text)


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
        root_path=service.settings.root_path,
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
