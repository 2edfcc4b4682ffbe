"""Everything of mlops-core that answers a request or an event."""

__version__ = "2.0.0"
