#!/bin/sh
# A cluster on three hosts, each a container: deploy, reach the Service from both workers, scale,
# lose a worker, clean up. Prints every command; ends with the code of the first that failed.
#
#   make compose-demo              builds on the base image named in compose.yaml
#   BASE=IMAGE make compose-demo   builds on another Debian or Ubuntu with Python 3.11 or newer
#
# KEEP=1 leaves the cluster running.
set -eu
cd "$(dirname "$0")/.."

WAIT_S=90
if docker compose version >/dev/null 2>&1; then
    compose="docker compose"
elif command -v docker-compose >/dev/null 2>&1; then
    compose="docker-compose"
else
    echo "this needs docker with compose (docker compose, or docker-compose)" >&2
    exit 2
fi
export COMPOSE_PROJECT_NAME="${COMPOSE_PROJECT_NAME:-busk8s-demo}"
started=$(date +%s)

say() { printf '\n# %s\n' "$*"; }
run() { printf '$ %s\n' "$*"; "$@"; }
kubectl() { run $compose exec -T master kubectl "$@"; }
quietly() { $compose exec -T master kubectl "$@"; }
on() { # on WORKER COMMAND...
    worker=$1
    shift
    run $compose exec -T "$worker" "$@"
}

until_true() { # until_true WHAT COMMAND...
    what=$1
    shift
    waited=0
    while ! "$@" >/dev/null 2>&1; do
        waited=$((waited + 1))
        if [ "$waited" -gt "$WAIT_S" ]; then
            echo "waited $WAIT_S s in vain for $what" >&2
            return 1
        fi
        sleep 1
    done
}

finish() {
    code=$?
    trap - EXIT INT TERM
    if [ "$code" != 0 ]; then
        say "failed with $code; what the hosts say"
        $compose ps || true
        quietly get nodes,pods,events -A -o wide || true
        $compose logs --tail=40 || true
    fi
    if [ "${KEEP:-}" != 1 ]; then
        say "down: nothing is left behind"
        run $compose down -v --remove-orphans || code=1
    fi
    exit "$code"
}
trap finish EXIT
trap 'exit 130' INT TERM

nodes_listed() { [ "$(quietly get nodes -o name | wc -l)" -ge 2 ]; }
pods_on_worker_2_gone() { ! quietly get pods -l app=hello -o wide | grep -q worker-2; }
answered() { $compose exec -T "$1" curl -fsS --max-time 5 "http://$address/" | grep -q 'Hello from'; }

ask() { # ask WORKER: the Service, six times
    until_true "an answer on $1" answered "$1"
    on "$1" sh -c "for i in 1 2 3 4 5 6; do curl -fsS --max-time 5 http://$address/; done"
}

say "a cluster: one master, two workers"
run $compose build --quiet master
run $compose up -d
until_true "two nodes" nodes_listed
kubectl wait node/worker-1 node/worker-2 --for=condition=Ready "--timeout=${WAIT_S}s"
kubectl get nodes -o wide

say "an application: three pods and a Service"
kubectl apply -f - <examples/hello.yaml
kubectl rollout status deployment/hello "--timeout=${WAIT_S}s"
kubectl get pods,services -o wide
address=$(quietly get service hello -o 'jsonpath={.spec.clusterIP}')
ask worker-1
ask worker-2

say "scaling"
kubectl scale deployment/hello --replicas=6
kubectl rollout status deployment/hello "--timeout=${WAIT_S}s"
kubectl get pods -o wide
ask worker-1

say "a host dies: its node is NotReady, the Service answers from the other"
run $compose kill worker-2
kubectl wait node/worker-2 --for=condition=Ready=Unknown "--timeout=${WAIT_S}s"
kubectl get nodes
ask worker-1

say "it will not come back: its pods start elsewhere"
kubectl delete node worker-2
until_true "pods off worker-2" pods_on_worker_2_gone
kubectl rollout status deployment/hello "--timeout=${WAIT_S}s"
kubectl get pods -o wide
ask worker-1

say "done in $(($(date +%s) - started)) s"
