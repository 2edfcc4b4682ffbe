"""The controller of the VM fallback (docs/adr/0010-vm-fallback-switch.md).

Once a minute it probes both backends through the load balancer (probes), judges what it found
(decision), remembers it in Cloud Storage (memory) and turns the traffic (load_balancer).
"""
