#!/bin/sh
# node.sh DIRECTORY BINARIES NAME ADDRESS PEERS: the first process of a node, in its namespaces of processes
# and of the network: what it has started ends with it, as with a machine that loses its power. It runs etcd
# and Patroni, which runs PostgreSQL, all as the user postgres.
directory=$1 name=$3 address=$4 peers=$5
export PATH="$2:$PATH:/usr/sbin:/sbin" HOME="$directory" LC_ALL=C
ip link set lo up
until ip -4 -o address show dev eth0 2>/dev/null | grep -q inet; do sleep 0.05; done

# The v2 API, which is off by default, is what Patroni's `etcd:` speaks.
setpriv --reuid=postgres --regid=postgres --clear-groups etcd --enable-v2=true --pre-vote=true \
  --name "$name" --data-dir "$directory/$name.etcd" --log-level warn \
  --heartbeat-interval 200 --election-timeout 2000 \
  --initial-cluster "$peers" --initial-cluster-state new \
  --initial-advertise-peer-urls "http://$address:2380" --listen-peer-urls "http://$address:2380" \
  --listen-client-urls "http://$address:2379,http://127.0.0.1:2379" \
  --advertise-client-urls "http://$address:2379" >>"$directory/$name.etcd.log" 2>&1 &
setpriv --reuid=postgres --regid=postgres --clear-groups \
  patroni "$directory/$name.yml" >>"$directory/$name.log" 2>&1 &
wait
