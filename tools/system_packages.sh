#!/bin/sh
# The system's programs that busk8s uses where it can: installed by apt where we are root on
# Debian, named otherwise. Everything else comes from Python packages.
set -eu

missing=""
need() { command -v "$1" >/dev/null 2>&1 || missing="$missing $2"; }
need nft nftables
need ip iproute2
need curl curl
need mount mount
need ps procps
python3 -c 'import ensurepip' 2>/dev/null || missing="$missing python3-venv"
if [ "${WRK:-}" = 1 ]; then need wrk wrk; fi
[ -n "$missing" ] || exit 0

if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null 2>&1; then
    echo "installing:$missing" >&2
    export DEBIAN_FRONTEND=noninteractive
    apt-get update -qq >/dev/null
    # shellcheck disable=SC2086
    apt-get install -y -qq --no-install-recommends $missing >/dev/null </dev/null
elif [ "${CI:-}" = true ]; then
    echo "CI needs these packages and cannot install them:$missing" >&2
    exit 1
else
    echo "please install these for pod networks and services (busk8s works in part without):$missing" >&2
fi
