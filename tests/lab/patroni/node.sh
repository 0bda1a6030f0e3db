#!/bin/sh
# node.sh DIRECTORY BINARIES NAME: the first process of a node, in its namespaces of processes
# and of the network: what it has started ends with it, as with a machine that loses its power. It runs etcd
# and Patroni, which runs PostgreSQL, all as the user postgres.
directory=$1 name=$3
export PATH="$2:$PATH:/usr/sbin:/sbin" HOME="$directory" LC_ALL=C
ip link set lo up
until ip -4 -o address show dev eth0 2>/dev/null | grep -q inet; do sleep 0.05; done

# As Debian's units start them.
run() { setpriv --reuid=postgres --regid=postgres --clear-groups "$@"; }
(set -a && . "$directory/$name.etcd.conf" && run etcd --log-level warn --heartbeat-interval 200 \
  --election-timeout 2000) >>"$directory/$name.etcd.log" 2>&1 &
run patroni "$directory/$name.yml" >>"$directory/$name.log" 2>&1 &
wait
