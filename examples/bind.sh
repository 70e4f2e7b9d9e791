#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Starts a BIND on loopback that Redesignate may tell of zones: DNS on port 530N, rndc on 953N, files in state/bindN.
#   sh examples/bind.sh N          needs Debian's bind9 and bind9-utils; stop it with: kill $(cat state/bindN/named.pid)
set -eu
n=${1:?which one: 1, 2, …}
folder=$(pwd)/${STATE:-state}/bind$n
dns=${DNS:-530$n}
control=${CONTROL:-953$n}
PATH=$PATH:/usr/sbin
for program in named tsig-keygen rndc; do
    command -v $program >/dev/null || {
        echo "bind.sh: there is no $program; on Debian, as root: apt-get install bind9 bind9-utils" >&2
        exit 1
    }
done
mkdir -p "$folder"
[ -s "$folder/rndc.key" ] || (umask 077 && tsig-keygen -a hmac-sha256 rndc-key >"$folder/rndc.key")
cat >"$folder/named.conf" <<CONF
include "$folder/rndc.key";
controls { inet 127.0.0.1 port $control allow { 127.0.0.1; } keys { rndc-key; }; };
options {
    directory "$folder";
    pid-file "$folder/named.pid";
    session-keyfile none;
    lock-file none;
    managed-keys-directory "$folder";
    listen-on port $dns { 127.0.0.1; };
    listen-on-v6 { none; };
    recursion no;
    minimal-responses yes;
    dnssec-validation no;
    empty-zones-enable no;
    notify no;
    allow-new-zones yes;                  # zones come and go by rndc
    allow-notify { 127.0.0.1; };          # the worker tells of changes
    serial-query-rate 1000;               # BIND's own limits (20, 10, 2) are for the Internet
    transfers-in 200;
    transfers-per-ns 200;
};
CONF
named -c "$folder/named.conf" -L "$folder/named.log"
for _ in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20; do
    if rndc -p "$control" -k "$folder/rndc.key" status >/dev/null 2>&1; then
        echo "BIND $n answers on 127.0.0.1:$dns"
        exit 0
    fi
    sleep 0.2
done
echo "BIND $n did not start: see $folder/named.log" >&2
exit 1
