#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Makes a zone with a record set of every type, by curl alone.
#   sh examples/every-type.sh [API [ZONE]]
set -eu
api=${1:-http://127.0.0.1:9001}
zone=${2:-every.example.}

post() { # path, body; prints the answer, or fails with it
    answer=$(curl -sS -w '\n%{http_code}' -H 'Content-Type: application/json' -d "$2" "$api$1")
    case $answer in
    *202) printf '%s\n' "$answer" | sed '$d' ;;
    *) printf '%s\n' "$answer" >&2; exit 1 ;;
    esac
}

made=$(post /v2/zones "{\"name\": \"$zone\", \"email\": \"admin@example.org\"}")
id=$(printf '%s' "$made" | sed 's/.*"id":"\([^"]*\)".*/\1/')
hex=$(printf 'ab%.0s' 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20 21 22 23 24 25 26 27 28 29 30 31 32)

while read -r name type record; do
    case $name in @) name=$zone ;; *) name=$name.$zone ;; esac
    record=$(printf '%s' "$record" | sed "s/HEX32/$hex/; s/ZONE/$zone/g" | sed 's/\\/\\\\/g; s/"/\\"/g')
    post "/v2/zones/$id/recordsets" "{\"name\": \"$name\", \"type\": \"$type\", \"records\": [\"$record\"]}" >/dev/null
    echo "$type $name"
done <<'TYPES'
www A 192.0.2.1
www AAAA 2001:db8::1
alias CNAME www.ZONE
@ MX 10 www.ZONE
@ TXT "v=spf1 -all" "two strings"
spf SPF "v=spf1 -all"
_sip._tcp SRV 10 20 5060 www.ZONE
child NS ns1.example.net.
ptr PTR www.ZONE
host SSHFP 6 2 HEX32
e164 NAPTR 100 10 "U" "E2U+sip" "!^.*$!sip:info@example.org!" .
@ CAA 128 issue "ca.example.net"
cert CERT PKIX 1 RSASHA256 TUlJQw==
svc HTTPS 1 . alpn=h2,h3 port=8443
svc SVCB 1 www.ZONE alpn=h2
_443._tcp TLSA 3 1 1 HEX32
child DS 60485 8 2 HEX32
tree DNAME elsewhere.example.net.
loc LOC 52 22 23.000 N 4 53 32.000 E -2.00m 0.00m 10000m 10m
uri URI 10 1 "https://example.org/"
pgp OPENPGPKEY TUlJQw==
mailcert SMIMEA 3 1 1 HEX32
info HINFO "PC" "Linux"
rp RP admin.ZONE www.ZONE
csync CSYNC 66 3 A NS AAAA
own TYPE65280 \# 4 0A000001
TYPES
