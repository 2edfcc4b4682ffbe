"""GET /metrics, for a scraper beside the service."""

import ipaddress

from flask import Blueprint
from werkzeug.exceptions import NotFound

from functions.request import ServingRequest, current_request
from functions.response import ServingResponse
from functions.service import Service

ROUTE = "/metrics"
SHARED_ADDRESSES = ipaddress.ip_network("100.64.0.0/10")
"""Not routed on the Internet (RFC 6598), and used for pods by clusters that ran out of private addresses. To
`ipaddress` they are not private, since carriers use them too, between a customer's router and their own."""


def blueprint(service: Service) -> Blueprint:
    """The metrics; in production only for a near peer, so that no load balancer publishes them."""
    routes = Blueprint("monitoring", __name__)

    @routes.get(ROUTE)
    def metrics() -> ServingResponse:
        request = current_request()
        if service.settings.production and not _near(request):
            raise NotFound
        body, content_type = service.metrics.exposition(request.environ.get("HTTP_ACCEPT"))
        return ServingResponse(body, content_type=content_type)

    return routes


def _near(request: ServingRequest) -> bool:
    """Whether the peer is on this machine or in a private network, and no proxy stands between."""
    if "HTTP_X_FORWARDED_FOR" in request.environ:
        return False
    try:
        peer = ipaddress.ip_address(request.environ.get("REMOTE_ADDR", ""))
    except ValueError:
        return False
    if isinstance(peer, ipaddress.IPv6Address):
        peer = peer.ipv4_mapped or peer
    return peer.is_loopback or peer.is_private or peer in SHARED_ADDRESSES
