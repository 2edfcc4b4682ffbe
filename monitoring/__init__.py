"""Prometheus rules and their tests, Grafana dashboards, and the alert policies made of the rules."""
