"""The figures that Prometheus fetches: counts and states, no names, so nobody needs a token to ask."""

from fastapi import APIRouter
from starlette.responses import Response

from orchestrator.metrics.registry import CONTENT_TYPE, OrchestratorMetrics


def router_of(metrics: OrchestratorMetrics) -> APIRouter:
    """The route to these figures."""
    router = APIRouter()

    @router.get("/metrics", include_in_schema=False)
    def show() -> Response:
        return Response(metrics.exposition(), headers={"Content-Type": CONTENT_TYPE})

    return router
