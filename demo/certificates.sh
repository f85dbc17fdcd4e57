#!/bin/sh
# Make what TLS between devices and server needs, with openssl alone:
#   certificates.sh DIR [HOST...]     (default: localhost 127.0.0.1)
# leaves in DIR  ca.pem       the trust anchor: goes to devices and operators
#                ca.key       stays offline
#                server.pem   with server.key: goes to the server
# SPDX-License-Identifier: Apache-2.0
set -eu
dir=${1:?usage: certificates.sh DIR [HOST...]}
shift
[ $# -gt 0 ] || set -- localhost 127.0.0.1
names=
for host in "$@"; do
    case $host in
    *[!0-9.]*) kind=DNS ;;
    *) kind=IP ;;
    esac
    names="$names${names:+,}$kind:$host"
done

umask 077
mkdir -p "$dir"
quiet() { "$@" 2>"$dir/openssl.log" || { cat "$dir/openssl.log" >&2; exit 1; }; }
key="-newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes"

# shellcheck disable=SC2086  # $key is several words
quiet openssl req -x509 $key -keyout "$dir/ca.key" -out "$dir/ca.pem" -days 3650 \
    -subj "/CN=Fleet CA" -addext "basicConstraints=critical,CA:TRUE,pathlen:0" \
    -addext "keyUsage=critical,keyCertSign"
# shellcheck disable=SC2086
quiet openssl req -new $key -keyout "$dir/server.key" -out "$dir/server.csr" -subj "/CN=$1"
cat >"$dir/server.ext" <<END
basicConstraints=critical,CA:FALSE
keyUsage=critical,digitalSignature
extendedKeyUsage=serverAuth
subjectAltName=$names
END
quiet openssl x509 -req -in "$dir/server.csr" -CA "$dir/ca.pem" -CAkey "$dir/ca.key" \
    -CAcreateserial -days 825 -extfile "$dir/server.ext" -out "$dir/server.pem"
rm -f "$dir/server.csr" "$dir/server.ext" "$dir/openssl.log" "$dir/ca.srl"
