#!/bin/sh
# first_process.sh COMMAND…: the first process of a test run, in its namespaces. The first process must
# wait for all whose parents have ended, which a shell does and Deno doesn't. Standard error comes as 3.
# OMOIDE_TESTS_IMAGE: an image that is to be mounted as the run's directory (TMPDIR), or empty.
# OMOIDE_TESTS_MEMORY: a directory in it where databases are to lie in memory, or empty.
exec 2>&3 3>&-

# The table of mounts is a copy: what a test elsewhere has mounted would be held by it, and that test could
# never be rid of its disk. The innermost are the last. What this run's own directory lies on stays.
awk '$2 ~ "/omoide-" && index(ENVIRON["TMPDIR"] "/", $2 "/") != 1 { print $2 }' /proc/mounts | tac | while read -r path; do umount -l "$path" 2>/dev/null; done

# And what a test here has mounted would be held by the copy of each namespace that another test makes: a
# power cut would then be seen through a file system that never went. Those that are set to follow
# (`unshare --propagation=slave`) unmount when it does.
mount --make-rshared / 2>/dev/null

if [ -n "$OMOIDE_TESTS_IMAGE" ]; then
  mount -o loop,noinit_itable "$OMOIDE_TESTS_IMAGE" "$TMPDIR" || exit 1
  rmdir "$TMPDIR/lost+found"
fi
if [ -n "$OMOIDE_TESTS_MEMORY" ]; then
  mkdir "$OMOIDE_TESTS_MEMORY" && mount -t tmpfs -o mode=755,size=8g omoide-tests "$OMOIDE_TESTS_MEMORY" || exit 1
fi

"$@"
code=$?
if [ -n "$OMOIDE_TESTS_MEMORY" ]; then
  left=$(ls -A "$OMOIDE_TESTS_MEMORY")
  [ -z "$left" ] || echo "The tests left behind: $left" >&2
  umount -l "$OMOIDE_TESTS_MEMORY" && rmdir "$OMOIDE_TESTS_MEMORY"
fi
# In the image nobody outside sees it.
if [ -n "$OMOIDE_TESTS_IMAGE" ] && [ -n "$(ls -A "$TMPDIR")" ]; then
  echo "The tests left behind: $(ls -A "$TMPDIR")" >&2
fi
exit $code
