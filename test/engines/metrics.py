"""Reads metrics from stdin with the parser of Prometheus's own Python client and prints them as JSON."""

import json
import sys

from prometheus_client.parser import text_string_to_metric_families

families = [
    {
        "documentation": family.documentation,
        "name": family.name,
        "samples": [{"labels": s.labels, "name": s.name, "value": s.value} for s in family.samples],
        "type": family.type,
    }
    for family in text_string_to_metric_families(sys.stdin.read())
]
json.dump(families, sys.stdout)
