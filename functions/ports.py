"""Whether a port can be listened on."""

import socket


def why_not_free(host: str, port: int) -> str | None:
    """Why nobody can listen on this address and port now, None if somebody can."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError as error:
            return error.strerror
    return None
