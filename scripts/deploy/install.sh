#!/bin/sh
# Puts one compiled Omoide worker into service on this machine, or takes it out again. Needs root and
# systemd 249 or newer; neither Deno nor Node. Running it again changes only what differs: so it also
# upgrades a worker, or fixes an installation.
set -eu

usage() {
  cat <<'END'
Usage: sh install.sh NAME --root DIR --database-address ADDRESS[,ADDRESS…] --binary FILE [--password-file FILE]
                          [--user USER] [--reader USER] [--no-start]
       sh install.sh NAME --uninstall

  NAME                        the storage's name, as in `deno task compile --storage NAME`; INBOX-NAME if
                              its inbox has a name: what the unit is called
  --root DIR                  the storage's root, as it was compiled in
  --database-address ADDRESS  the database's IP address, or its name in /etc/hosts; one for each of its
                              servers, with commas between them. The worker will reach no others, so no
                              name service can be asked
  --binary FILE               the compiled worker
  --password-file FILE        holds the password of the worker's role; copied to
                              /etc/omoide/NAME.password. Not needed again once it is there
  --user USER                 who the worker is (default: omoide-NAME, made where it is missing)
  --reader USER               who may read the storage, such as www-data for NGINX: joins USER's group
  --no-start                  check, but neither enable nor start
  --uninstall                 stop the worker and remove unit, binary and password. The storage, its user
                              and everything stored stay

Exit statuses: 0 the worker is ready; 2 wrong command line; 4 something is missing, as printed; otherwise as
omoide-worker --check.
END
}

step() { printf '%s\n' "- $*"; }
refuse() { printf 'install.sh: %s\n' "$1" >&2; exit "${2:-2}"; }

name='' root='' address='' binary='' password='' user='' reader='' start=yes uninstall=no
[ $# -gt 0 ] || { usage >&2; exit 2; }
case $1 in -h | --help) usage; exit 0 ;; -*) refuse "the first argument is the storage's name, not $1" ;; esac
name=$1
shift
while [ $# -gt 0 ]; do
  case $1 in
    --no-start) start=no; shift; continue ;;
    --uninstall) uninstall=yes; shift; continue ;;
    --root | --database-address | --binary | --password-file | --user | --reader) ;;
    *) refuse "unknown option $1; --help lists them" ;;
  esac
  [ $# -gt 1 ] || refuse "$1 takes a value"
  case $1 in
    --root) root=${2%/} ;;
    --database-address) address=$2 ;;
    --binary) binary=$2 ;;
    --password-file) password=$2 ;;
    --user) user=$2 ;;
    --reader) reader=$2 ;;
  esac
  shift 2
done

case $name in
  '' | [!a-z]* | *[!a-z0-9-]* | *-*-* | *- | *-[!a-z]*)
    refuse "$name is no storage's name: a small letter, then letters or digits; its inbox's before it, as tokyo-hot" ;;
esac
[ "$(id -u)" = 0 ] || refuse "needs root: it makes a user and a unit" 4
[ -d /run/systemd/system ] || refuse "systemd does not run here" 4
version=$(systemctl --version | awk 'NR == 1 { print $2 + 0 }')
[ "$version" -ge 249 ] || refuse "systemd is $version; the unit's sandbox needs 249 or newer" 4

units=/etc/systemd/system
here=$(dirname "$0")
worker=omoide-worker@$name.service
check=omoide-check@$name.service
program=/usr/local/bin/omoide-worker-$name
credential=/etc/omoide/$name.password

if [ "$uninstall" = yes ]; then
  step "stop and disable $worker"
  systemctl disable --quiet --now "$worker" 2>/dev/null || true
  for path in "$units/$worker.d/storage.conf" "$units/$check.d/storage.conf" "$program" "$credential"; do
    [ ! -e "$path" ] || { step "remove $path"; rm "$path"; }
  done
  rmdir "$units/$worker.d" "$units/$check.d" 2>/dev/null || true
  if ! ls "$units"/omoide-worker@?*.service.d/storage.conf >/dev/null 2>&1; then
    step "remove the units, since no other worker is left"
    rm -f "$units/omoide-worker@.service" "$units/omoide-check@.service"
    rm -rf /usr/local/lib/omoide
    rmdir /etc/omoide 2>/dev/null || true
  fi
  systemctl daemon-reload
  systemctl reset-failed "$worker" "$check" 2>/dev/null || true
  step "left alone: the storage's root and the user that owns it"
  exit 0
fi

# Where the unit mounts something of its own, no storage can be; the rest would break the drop-in.
case $root/ in
  /) refuse "--root is missing, or is the whole file system" ;;
  /home/* | /root/* | /run/* | /tmp/* | /var/tmp/* | /dev/* | /proc/* | /sys/* | /usr/* | /lib/* | /etc/*)
    refuse "--root $root: the unit needs that place; choose one such as /srv/omoide/$name" ;;
  *[,:\"\\%]* | *[[:space:]]*) refuse "--root $root has a comma, colon, quote, backslash, percent sign or space" ;;
  */../* | */./* | *//*) refuse "--root $root has an empty part, . or .." ;;
  /*) ;;
  *) refuse "--root $root is not absolute" ;;
esac
[ -n "$address" ] || refuse "--database-address is missing"
[ -n "$binary" ] || refuse "--binary is missing"
[ -f "$binary" ] || refuse "--binary $binary is no file" 4
if [ -n "$password" ]; then
  [ -f "$password" ] || refuse "--password-file $password is no file" 4
elif [ ! -e "$credential" ]; then
  refuse "--password-file is missing, and there is no $credential yet"
fi
: "${user:=omoide-$name}"
[ ${#user} -le 32 ] || refuse "the user's name $user is longer than 32 characters; give --user"

case $address in
  ,* | *, | *,,*) refuse "--database-address $address has an empty part between its commas" ;;
  *[[:space:]]*) refuse "--database-address $address has a space; put commas between addresses" ;;
esac
ips=''
for each in $(printf '%s' "$address" | tr ',' ' '); do
  case $each in
    *:*) ip=${each#[}; ip=${ip%]} ;;
    *[!0-9.]*)
      ip=$(getent --service=hosts:files hosts "$each" | awk '{ print $1; exit }')
      [ -n "$ip" ] || refuse "$each is not in /etc/hosts; add it there, or give the IP address" 4
      ;;
    *) ip=$each ;;
  esac
  ips="${ips:+$ips }$ip"
done

[ ! -L "$root" ] || refuse "$root is a symbolic link; give the directory that it leads to" 4
if [ -d "$root" ]; then
  owner=$(stat -c %U "$root")
  [ "$owner" = root ] || [ "$owner" = "$user" ] || refuse "$root belongs to $owner; give --user $owner" 4
  if [ "$owner" = root ]; then
    # Given away is only what nobody but root can have put there: no hard link to a file of root's, say.
    shared=$(find "$root" -xdev \( ! -user root -o -type d -perm /022 \) -print -quit)
    [ -z "$shared" ] ||
      refuse "$shared is not root's alone, although $root is: see what is in it, then chown -R it all to $user" 4
  fi
else
  [ -d "$(dirname "$root")" ] || refuse "there is no $(dirname "$root"); is the disk mounted?" 4
fi
[ "$(id -u "$user" 2>/dev/null)" != 0 ] ||
  refuse "--user $user is root, who may overwrite every file; choose another" 4
[ -z "$reader" ] || id -u "$reader" >/dev/null 2>&1 || refuse "--reader $reader: there is no such user" 4

# From here on things are changed.
if ! id -u "$user" >/dev/null 2>&1; then
  step "make the user $user"
  useradd --system --user-group --no-create-home --home-dir /nonexistent --shell /usr/sbin/nologin "$user"
fi
if [ ! -d "$root" ]; then
  step "make $root"
  mkdir -m 0750 "$root"
fi
# What `storage init` made as root before the user existed; a worker cannot be root.
if [ "$(stat -c %u "$root")" = 0 ]; then
  step "give $root to $user"
  chown -hR "$user:$(id -gn "$user")" "$root"
fi
# What the worker stores has its group, so that it is the root's: NGINX reads by it.
group=$(stat -c %G "$root")
if [ -n "$reader" ]; then
  step "let $reader read what the group $group may"
  usermod --append --groups "$group" "$reader"
fi

# Installed under another name first: a running program cannot be overwritten, and must not be half there.
put() { install -m "$1" "$2" "$3.new" && mv -f "$3.new" "$3"; }
step "install $program"
put 0755 "$binary" "$program"
# The second is what the unit's own root directory is mounted over; systemd makes a skeleton in it.
install -d -m 0755 /etc/omoide /usr/local/lib/omoide
if [ -n "$password" ]; then
  step "install $credential, which only root can read"
  put 0600 "$password" "$credential"
fi
step "install the units"
put 0644 "$here/systemd/omoide-worker@.service" "$units/omoide-worker@.service"
put 0644 "$here/systemd/omoide-check@.service" "$units/omoide-check@.service"
for unit in "$worker" "$check"; do
  step "write $units/$unit.d/storage.conf"
  install -d -m 0755 "$units/$unit.d"
  cat >"$units/$unit.d/storage.conf" <<END
# Written by install.sh, which overwrites it: put your own settings into another file beside it.
[Unit]
RequiresMountsFor=$root

[Service]
User=$user
Group=$group
BindPaths=$root
NoExecPaths=+$root
IPAddressAllow=$ips
END
done
systemctl daemon-reload

step "ask the worker whether it will run (systemctl start $check)"
since=$(date '+%Y-%m-%d %H:%M:%S')
told() { journalctl --sync; journalctl --quiet --output=cat --since="$since" "$@"; }
if ! systemctl start "$check" 2>/dev/null; then
  code=$(systemctl show --value --property=ExecMainStatus "$check")
  [ "$code" != 0 ] || code=4 # it could not even be tried: the root's disk is not mounted, say
  told --unit="$check"
  refuse "not ready yet: fix what the lines above name, then run this again, or systemctl start $check" "$code"
fi
told "_SYSTEMD_UNIT=$check"
if told --unit="$check" | grep -q "firewalling"; then
  step "WARNING: this kernel cannot filter the unit's packets (no BPF for cgroups), so its network is open"
fi
if [ "$start" = no ]; then
  step "ready; start it with: systemctl enable --now $worker"
  exit 0
fi
step "enable and start $worker"
systemctl enable --quiet "$worker"
systemctl restart "$worker"
step "running; its log: journalctl -f -u $worker"
