#!/bin/sh
# boot.sh SHARED: starts a systemd of its own, over a copy-on-write view of this machine's root, in fresh
# namespaces. Nothing it does reaches the machine, apart from SHARED, which is the same directory inside,
# and the network, which is the machine's own: so a test's PostgreSQL needs no bridge, and the units'
# packet filter works all the same, since it hangs on their cgroups. Root only; `machine.ts` calls it.
# MACHINE_ROOT names another system's root to look at, such as what debootstrap has made.
#
# Two stages, since a cgroup namespace begins at the cgroup that its maker is in: without one of our own
# the new systemd would take the machine's own tree of cgroups for itself.
set -eu
shared=$1

if [ "${2-}" != inside ]; then
  mount --make-rslave /
  cgroups=$shared/cgroups
  mkdir -p "$cgroups"
  mount -t cgroup2 none "$cgroups"
  mkdir "$cgroups/$(basename "$shared")"
  echo $$ >"$cgroups/$(basename "$shared")/cgroup.procs"
  umount "$cgroups"
  exec unshare --pid --fork --kill-child --uts --ipc --cgroup sh "$0" "$shared" inside
fi

# On a tmpfs: an overlay cannot be written to another overlay, which / is where containers run.
layers=$shared/layers
mkdir "$layers"
mount -t tmpfs -o mode=0755 tmpfs "$layers"
mkdir "$layers/upper" "$layers/work" "$layers/root"
mount -t overlay overlay -o "lowerdir=${MACHINE_ROOT:-/},upperdir=$layers/upper,workdir=$layers/work" "$layers/root"
root=$layers/root

mount -t proc proc "$root/proc"
mount -t sysfs -o ro sysfs "$root/sys"
mount -t cgroup2 cgroup2 "$root/sys/fs/cgroup"
for each in run tmp dev; do mount -t tmpfs -o mode=0755 tmpfs "$root/$each"; done
chmod 1777 "$root/tmp"
mkdir "$root/dev/pts" "$root/dev/shm"
mount -t devpts -o newinstance,ptmxmode=0666 devpts "$root/dev/pts"
mount -t tmpfs -o mode=1777 tmpfs "$root/dev/shm"
ln -s pts/ptmx "$root/dev/ptmx"
ln -s /proc/self/fd "$root/dev/fd"
for each in "null 3" "zero 5" "full 7" "random 8" "urandom 9"; do
  mknod -m 0666 "$root/dev/${each% *}" c 1 "${each#* }"
done
mknod -m 0666 "$root/dev/tty" c 5 0

mkdir -p "$root$shared"
mount --bind "$shared" "$root$shared"

# The machine's own services stay out of it: what is tested here is the unit, not this installation.
rm -rf "$root/etc/systemd/system" "$root/usr/local/lib/systemd"
mkdir -p "$root/etc/systemd/system/sysinit.target.wants" "$root/etc/systemd/journald.conf.d"
printf '[Journal]\nStorage=volatile\nRateLimitIntervalSec=0\n' >"$root/etc/systemd/journald.conf.d/test.conf"
for each in systemd-udevd.service systemd-udev-trigger.service systemd-networkd.service \
  systemd-resolved.service systemd-timesyncd.service systemd-journal-flush.service \
  systemd-sysctl.service systemd-modules-load.service systemd-udevd-control.socket \
  systemd-udevd-kernel.socket systemd-hwdb-update.service systemd-binfmt.service; do
  ln -s /dev/null "$root/etc/systemd/system/$each"
done
: >"$root/etc/fstab"

cat >"$root/etc/systemd/system/tell-booted.service" <<END
[Unit]
DefaultDependencies=no
After=sysinit.target
[Service]
Type=oneshot
ExecStart=/bin/sh -c 'echo booted >$shared/booted'
END
ln -s /etc/systemd/system/tell-booted.service "$root/etc/systemd/system/sysinit.target.wants/"

mkdir "$root/run/old"
cd "$root"
pivot_root . run/old
umount -l /run/old
rmdir /run/old
# Without shared propagation LoadCredential= is silently empty.
mount --make-rshared /
exec env -i container=other PATH=/usr/sbin:/usr/bin:/sbin:/bin /usr/lib/systemd/systemd \
  --system --unit=sysinit.target --show-status=false --log-target=journal
