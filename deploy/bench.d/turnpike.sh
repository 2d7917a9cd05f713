#!/bin/sh
# Turnpike's agent as a peer of a data-plane benchmark that runs proxies side by side: `info` says
# what it is, `start` runs it in the foreground from the environment (ROLE, LISTEN, UPSTREAM, CERT,
# KEY, CA, MY_ID, PEER_ID, ALLOW_ID, DIR). One reactor, as the others have one worker.
#
# The agent has no unsigned mode: a throwaway trust document, which trusts the benchmark's CA beside
# a root of its own, and a snapshot are signed here offline. The names must be of the form that the
# mesh gives a service: spiffe://TRUST-DOMAIN/ns/NAMESPACE/svc/SERVICE, and for SNI
# SERVICE.NAMESPACE.svc.TRUST-DOMAIN.
#
# TURNPIKE_BIN names the directory of turnpike-agent and turnpike-server; else PATH is searched.
set -eu

program() {
    if [ -n "${TURNPIKE_BIN:-}" ]; then echo "$TURNPIKE_BIN/$1"; else command -v "$1" || true; fi
}
agent=$(program turnpike-agent)
server=$(program turnpike-server)

if [ "${1:-}" = info ]; then
    [ -x "$agent" ] && [ -x "$server" ] || exit 1
    echo "roles=client server"
    echo "binary=$(readlink -f "$agent")"
    echo "version=$("$agent" version | cut -d ' ' -f 2)"
    echo "note=identity by SPIFFE id and intention, from a snapshot signed offline"
    exit 0
fi

fail() { echo "turnpike.sh: $*" >&2; exit 1; }

# Prints "TRUST-DOMAIN NAMESPACE SERVICE" of a SPIFFE id.
parts() {
    echo "$1" | sed -nE 's,^spiffe://([^/]+)/ns/([^/]+)/svc/([^/]+)$,\1 \2 \3,p'
}
service() { # as `namespace/name`
    [ -n "$(parts "$1")" ] || fail "$1 is not of the form spiffe://TRUST-DOMAIN/ns/NAMESPACE/svc/SERVICE"
    parts "$1" | cut -d ' ' -f 2,3 | tr ' ' '/'
}
namespaces() { # a document for each but `default`, which exists
    for id in "$@"; do parts "$id" | cut -d ' ' -f 2; done | sort -u | while read -r name; do
        [ "$name" = default ] || printf -- '---\nkind: namespace\nname: %s\n' "$name"
    done
}
described() { # the fields that name a service
    printf -- '---\nkind: service\nnamespace: %s\nname: %s\nleaf_ttl: 24h\n' "${1%/*}" "${1#*/}"
}
leaf() {
    printf 'leaves:\n  - {"service": "%s", "certificate_file": "%s", "key_file": "%s"}\n' "$1" "$CERT" "$KEY"
}

mine=$(service "$MY_ID")
case "$ROLE" in
client)
    theirs=$(service "$PEER_ID")
    mesh=127.0.0.1:0
    {
        printf 'kind: agent\nname: bench\n'
        leaf "$mine"
        printf -- '---\nkind: agent\nname: other\nmesh_address: %s\n' "$UPSTREAM"
        namespaces "$MY_ID" "$PEER_ID"
        described "$mine"
        printf 'placements: ["bench"]\nupstreams:\n'
        printf '  - {"agent": "bench", "destination": "%s", "port": %s, "uids": "any"}\n' \
            "$theirs" "${LISTEN##*:}"
        described "$theirs"
        printf 'placements: ["other"]\ninstances:\n  - {"agent": "other", "port": 1}\n'
    } >"$DIR/mesh.yaml"
    ;;
server)
    theirs=$(service "$ALLOW_ID")
    mesh=$LISTEN
    {
        printf 'kind: agent\nname: bench\nmesh_address: %s\n' "$LISTEN"
        leaf "$mine"
        namespaces "$MY_ID" "$ALLOW_ID"
        described "$mine"
        printf 'placements: ["bench"]\ninstances:\n  - {"agent": "bench", "port": %s}\n' \
            "${UPSTREAM##*:}"
        printf 'intentions:\n  - {"source": "%s", "action": "allow"}\n' "$theirs"
    } >"$DIR/mesh.yaml"
    ;;
*) fail "the role $ROLE is not one of client, server" ;;
esac

"$server" snapshot sign -f "$DIR/mesh.yaml" --out "$DIR/signed" --root "$CA" \
    --trust-domain "$(parts "$MY_ID" | cut -d ' ' -f 1)" >&2
exec "$agent" run --data-directory "$DIR/signed/bench" --mesh-listen "$mesh" \
    --status-listen 127.0.0.1:0 --limits-reactors 1 --log-level error
