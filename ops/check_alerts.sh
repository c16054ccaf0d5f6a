#!/bin/sh
# Check the scrape configuration and the rules of Prometheus, and run the unit tests of the alerts. Without promtool that is
# left out, and said; with CI=true it fails.

set -eu
cd "$(dirname "$0")/prometheus"

if ! command -v promtool >/dev/null; then
    echo "check-alerts: promtool is not there (Debian, Ubuntu: apt-get install prometheus); the alerts were not checked" >&2
    [ "${CI:-}" != true ]
    exit
fi
promtool check config prometheus.yml
promtool test rules tests/*.yml
