#!/usr/bin/perl
# What an intruder would try in the place of a worker, or of a scrub, which may not even create. Prints one line for each attempt: "NAME: done" or
# "NAME: refused". The test runs it under the program's unit, where every attempt must be refused, and
# without the sandbox, where every one must be done: an attack that cannot succeed proves nothing.
#
# Perl, since every Debian has it, and because syscall() reaches what no other library would call.
#
# Usage: hostile.pl ROOT PORT [scrub]    (something listens on 127.0.0.2:PORT; ROOT holds the victims)
use strict;
use warnings;
use Errno;
use Fcntl;
use IO::Handle;
use POSIX ();
use Socket;

my ($root, $port, $place) = @ARGV;
STDOUT->autoflush(1);

my %number = ((POSIX::uname())[4] eq 'aarch64')
  ? (unlinkat => 35, renameat2 => 276, truncate => 45, ftruncate => 46, fallocate => 47, fchmod => 52,
     fchmodat => 53, fchmodat2 => 452, fchownat => 54, setxattr => 5, lsetxattr => 6, fsetxattr => 7,
     removexattr => 14, mknodat => 33, symlinkat => 36, utimensat => 88, io_uring_setup => 425,
     memfd_create => 279, execveat => 281, unshare => 97, ptrace => 117)
  : (unlink => 87, rmdir => 84, rename => 82, renameat => 264, chmod => 90, unlinkat => 263,
     renameat2 => 316, truncate => 76, ftruncate => 77, fallocate => 285, fchmod => 91, fchmodat => 268,
     fchmodat2 => 452, fchownat => 260, setxattr => 188, lsetxattr => 189, fsetxattr => 190,
     removexattr => 197, mknodat => 259, symlinkat => 266, utimensat => 280, io_uring_setup => 425,
     memfd_create => 319, execveat => 322, unshare => 272, ptrace => 101);
my $HERE = -100;    # AT_FDCWD

# A system call by its name; true when it succeeded. What this processor does not have is not there to
# be refused, so it neither counts as done nor as refused.
sub try_call {
  my ($name, @arguments) = @_;
  return unless exists $number{$name};
  return syscall($number{$name}, @arguments) >= 0;
}

# Done when any of the ways works.
sub attempt {
  my ($name, @ways) = @_;
  my $done = 0;
  for my $way (@ways) { $done = 1 if eval { $way->() } }
  print "$name: ", ($done ? 'done' : 'refused'), "\n";
}

sub victim { return "$root/content/" . shift }

sub opened { my ($path, $flags) = @_; sysopen(my $file, $path, $flags, 0600) or return; return $file }

# A file of its own, open for writing: what a worker legitimately has.
sub own_file {
  my $path = "$root/content/own-$$-" . shift;
  sysopen(my $file, $path, O_CREAT | O_EXCL | O_RDWR, 0440) or die "cannot even create: $!";
  syswrite $file, "these are the worker's own bytes\n";
  return ($file, $path);
}

attempt 'delete a file',
  sub { try_call('unlink', victim('delete')) },
  sub { try_call('unlinkat', $HERE, victim('delete'), 0) };
attempt 'delete a directory',
  sub { try_call('rmdir', victim('directory')) },
  sub { try_call('unlinkat', $HERE, victim('directory'), 0x200) };
attempt 'rename a file',
  sub { try_call('rename', victim('rename'), victim('renamed')) },
  sub { try_call('renameat', $HERE, victim('rename'), $HERE, victim('renamed')) },
  sub { try_call('renameat2', $HERE, victim('rename'), $HERE, victim('renamed'), 0) };
attempt 'rename over another file',
  sub { my (undef, $own) = own_file('over'); rename $own, victim('replace') };
attempt 'exchange two files',
  sub { try_call('renameat2', $HERE, victim('one'), $HERE, victim('two'), 2) };
attempt 'truncate a file by name',
  sub { try_call('truncate', victim('truncate'), 0) },
  sub { chmod(0640, victim('truncate')) && try_call('truncate', victim('truncate'), 0) };
attempt 'truncate an open file',
  sub { my ($file) = own_file('open'); try_call('ftruncate', fileno $file, 0) };
attempt 'punch a hole into an open file',
  sub { my ($file) = own_file('hole'); try_call('fallocate', fileno $file, 3, 0, 8) };
attempt 'overwrite a file',
  sub { opened(victim('overwrite'), O_WRONLY) },
  sub { opened(victim('overwrite'), O_WRONLY | O_TRUNC) },
  sub { opened(victim('overwrite'), O_WRONLY | O_APPEND) },
  sub { chmod(0640, victim('overwrite')) && opened(victim('overwrite'), O_WRONLY | O_TRUNC) };
attempt 'chmod a file',
  sub { try_call('chmod', victim('chmod'), 0666) },
  sub { try_call('fchmodat', $HERE, victim('chmod'), 0666) },
  sub { try_call('fchmodat2', $HERE, victim('chmod'), 0666, 0) },
  sub { try_call('fchmod', fileno opened(victim('chmod'), O_RDONLY), 0666) };
attempt 'chmod a directory',
  sub { chmod 0777, $root };
# An access control list that lets everybody write: version 2, then tag, permissions and id of each.
my $list = pack 'V (vvV)*', 2, 1, 6, 0xffffffff, 4, 6, 0xffffffff, 32, 6, 0xffffffff;
attempt 'set an access control list',
  sub { try_call('setxattr', victim('acl'), 'system.posix_acl_access', $list, length $list, 0) },
  sub { try_call('lsetxattr', victim('acl'), 'system.posix_acl_access', $list, length $list, 0) },
  sub {
    my $file = opened(victim('acl'), O_RDONLY);
    try_call('fsetxattr', fileno $file, 'system.posix_acl_access', $list, length $list, 0);
  };
attempt 'give a file away',
  sub { try_call('fchownat', $HERE, victim('chown'), -1, (split ' ', $()[0] + 0, 0) };
attempt 'change a time',
  sub { try_call('utimensat', $HERE, victim('time'), pack('q4', 0, 0, 0, 0), 0) };
attempt 'plant a symbolic link',
  sub { try_call('symlinkat', '/etc/passwd', $HERE, victim("link-$$")) };
attempt 'plant a pipe',
  sub { try_call('mknodat', $HERE, victim("pipe-$$"), 0010600, 0) };
attempt 'set up an io_uring',
  sub { try_call('io_uring_setup', 8, "\0" x 120) };

if (($place // '') eq 'scrub') {
  attempt 'create a file', sub { own_file('new') };
  attempt 'make a directory', sub { mkdir victim("own-directory-$$") };
  attempt 'link a file', sub { link victim('delete-not'), victim("own-link-$$") };
  attempt 'append to a file that everybody may write', sub { opened("$root/writable", O_WRONLY | O_APPEND) };
}

attempt "write to $_", sub { opened("$_/hostile-$$", O_CREAT | O_EXCL | O_WRONLY) }
  for qw(/tmp /var/tmp /dev/shm /run /run/lock /dev/mqueue);
attempt 'write to a file that everybody may write', sub { opened("$root/../writable", O_WRONLY) };
attempt 'read a file that everybody may read', sub { opened('/etc/passwd', O_RDONLY) };

# Where packets are dropped, connecting hangs instead of failing.
sub in_time {
  my $way = shift;
  local $SIG{ALRM} = sub { die };
  alarm 1;
  my $done = eval { $way->() };
  alarm 0;
  return $done;
}
my $elsewhere = pack_sockaddr_in($port, inet_aton('127.0.0.2'));
sub connects {
  my ($family, $address) = @_;
  socket(my $to, $family, SOCK_STREAM, 0) or return;
  return in_time(sub { connect $to, $address });
}
attempt 'connect elsewhere', sub { connects(AF_INET, $elsewhere) };
attempt 'send a packet elsewhere',
  sub { socket(my $to, AF_INET, SOCK_DGRAM, 0) or return; send $to, 'secret', 0, $elsewhere };
attempt 'take connections', sub {
  socket(my $at, AF_INET, SOCK_STREAM, 0) or return;
  bind($at, pack_sockaddr_in(0, INADDR_LOOPBACK)) && listen $at, 1;
};
attempt 'talk to a service of this machine',
  sub { connects(AF_UNIX, pack_sockaddr_un('/run/systemd/journal/stdout')) };

# In a child process, since one that succeeds is gone.
sub exits_zero {
  my $way = shift;
  my $pid = fork // return;
  if ($pid == 0) { no warnings 'exec'; eval { $way->() }; POSIX::_exit(1) }
  waitpid $pid, 0;
  return $? == 0;
}
sub succeeds { my @call = @_; return exits_zero(sub { POSIX::_exit(try_call(@call) ? 0 : 1) }) }
sub copy_of_this_program {
  my $to = shift;
  open my $from, '<', '/proc/self/exe' or die;
  local $/;
  print {$to} <$from>;
  $to->flush;
}
attempt 'execute from the storage', sub {
  my $path = "$root/content/program-$$";
  sysopen(my $file, $path, O_CREAT | O_EXCL | O_WRONLY, 0550) or return;
  copy_of_this_program($file);
  close $file;
  exits_zero(sub { exec $path, '-e', 'exit 0' });
};
attempt 'make a set-uid program',
  sub { sysopen my $file, "$root/content/program-suid-$$", O_CREAT | O_EXCL | O_WRONLY, 04755 };
attempt 'execute from memory', sub {
  my $name = 'program';    # syscall() refuses a constant
  my $number = syscall $number{memfd_create}, $name, 0;
  return if $number < 0;
  open my $memory, '>&=', $number or return;
  copy_of_this_program($memory);
  open my $readable, '<', "/proc/self/fd/$number" or return;
  close $memory;    # no system executes what is open for writing
  exits_zero(sub { exec '/proc/self/fd/' . fileno($readable), '-e', 'exit 0' });
};
attempt 'execute a program of this machine', sub { exits_zero(sub { exec '/bin/true' }) };
attempt 'make a namespace of its own', sub { succeeds('unshare', 0x10000000) };
attempt 'be traced', sub { succeeds('ptrace', 0, 0, 0, 0) };
print "that was all\n";
