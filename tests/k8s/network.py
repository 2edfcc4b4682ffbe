"""What the network policies of a build let through, as Kubernetes decides it.

A pod that no policy selects is open; one that policies select takes what any of them allows.
https://kubernetes.io/docs/concepts/services-networking/network-policies/
"""

import ipaddress
from dataclasses import dataclass, field
from typing import Any

Labels = dict[str, str]
NAMESPACE_LABEL = "kubernetes.io/metadata.name"


@dataclass(frozen=True)
class Peer:
    """Somebody on the network: a pod in a namespace, or an address outside the cluster."""

    namespace: str | None = None
    labels: Labels = field(default_factory=dict, hash=False)
    address: str | None = None


def matches(selector: dict[str, Any], labels: Labels) -> bool:
    """Whether a label selector takes `labels`; an empty one takes all."""
    for expression in selector.get("matchExpressions", []):
        assert expression["operator"] == "In", "no other operator is used here"
        if labels.get(expression["key"]) not in expression["values"]:
            return False
    return all(labels.get(key) == value for key, value in selector.get("matchLabels", {}).items())


def allows(
    policies: list[dict[str, Any]],
    direction: str,
    pod: Labels,
    peer: Peer,
    port: int,
    names: dict[str, int],
    protocol: str = "TCP",
) -> bool:
    """Whether `pod` may talk with `peer` on a port of a protocol; `names` are the destination's named ports."""
    concerned = [
        policy["spec"]
        for policy in policies
        if direction in policy["spec"]["policyTypes"] and matches(policy["spec"]["podSelector"], pod)
    ]
    sides = {"Ingress": "from", "Egress": "to"}
    rules = [rule for spec in concerned for rule in spec.get(direction.lower(), [])]
    return not concerned or any(
        _peer_in(rule.get(sides[direction]), peer) and _port_in(rule.get("ports"), port, names, protocol)
        for rule in rules
    )


def _peer_in(sides: list[dict[str, Any]] | None, peer: Peer) -> bool:
    return sides is None or any(_peer_is(side, peer) for side in sides)


def _peer_is(side: dict[str, Any], peer: Peer) -> bool:
    if "ipBlock" in side:
        return peer.address is not None and (
            ipaddress.ip_address(peer.address) in ipaddress.ip_network(side["ipBlock"]["cidr"])
        )
    if peer.namespace is None:
        return False
    if "namespaceSelector" in side:
        in_namespace = matches(side["namespaceSelector"], {NAMESPACE_LABEL: peer.namespace})
    else:
        in_namespace = peer.namespace == "mlops"
    return in_namespace and matches(side.get("podSelector", {}), peer.labels)


def _port_in(ports: list[dict[str, Any]] | None, port: int, names: dict[str, int], protocol: str) -> bool:
    return ports is None or any(
        names.get(entry["port"], entry["port"]) == port for entry in ports if entry.get("protocol", "TCP") == protocol
    )
