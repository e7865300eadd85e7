import { getSystemErrorMessage } from 'node:util';

import koffi from 'koffi';

import { errnoName } from './errno.ts';

// The one module that calls C. Calls are synchronous and act on the calling thread, which is what namespaces need,
// but for those that the kernel takes its time for: they are made by a thread of libuv's pool. The numbers are those of Linux on every architecture that Node runs on.

/** CLONE_* flags of unshare(2) and setns(2). */
export const CLONE_NEWUTS = 0x0400_0000;
export const CLONE_NEWIPC = 0x0800_0000;
export const CLONE_NEWNET = 0x4000_0000;

/** MS_* flags of mount(2). */
export const MS_RDONLY = 0x1;
export const MS_NOSUID = 0x2;
export const MS_NODEV = 0x4;
export const MS_NOEXEC = 0x8;
export const MS_REMOUNT = 0x20;
export const MS_BIND = 0x1000;
const MS_SLAVE = 0x8_0000;

/** Flags of umount2(2). */
export const MNT_DETACH = 0x2;
export const UMOUNT_NOFOLLOW = 0x8;

/** Calls for which C libraries have no function, or not all of them. */
const SYS_OPEN_TREE = 428;
const SYS_MOVE_MOUNT = 429;
const SYS_OPENAT2 = 437;
const SYS_PIDFD_SEND_SIGNAL = 424;
const SYS_PIDFD_OPEN = 434;
const OPEN_TREE_CLONE = 0x1;
const MOVE_MOUNT_F_EMPTY_PATH = 0x4;
const MOUNT_ATTR_IDMAP = 0x10_0000;
const AT_FDCWD = -100;
const AT_EMPTY_PATH = 0x1000;
const AT_RECURSIVE = 0x8000;
const O_PATH = 0x20_0000;
const O_CLOEXEC = 0x8_0000;
/** Absolute paths, symlinks and ".." stay below the directory, as after a chroot. */
const RESOLVE_IN_ROOT = 0x10;

const F_SETFL = 4;
const F_SETPIPE_SZ = 1031;
const O_NONBLOCK = 0x800;
const AF_INET = 2;
const AF_INET6 = 10;
const SOCK_DGRAM_CLOEXEC = 0x8_0002;
/** SOCK_STREAM with SOCK_NONBLOCK and SOCK_CLOEXEC. */
const SOCK_TCP = 0x8_0801;
const SIOCGIFFLAGS = 0x8913;
const SIOCSIFFLAGS = 0x8914;
const IFF_UP = 0x1;
/** sizeof(struct ifreq): 16 bytes of name, then a union whose first two bytes are the flags. */
const IFREQ_SIZE = 40;
const IFREQ_FLAGS = 16;
const CLOCK_REALTIME = 0;
/** As all system calls since Linux 5.1, of the same number everywhere. */
const SYS_MOUNT_SETATTR = 442;

/** O_CLOEXEC. */
const CLOSE_ON_EXEC = 0x8_0000;
const WNOHANG = 1;
const MFD_CLOEXEC = 0x1;
/** Since Linux 6.3, where an operator may allow no other memory files. */
const MFD_NOEXEC_SEAL = 0x8;
/** koffi takes up to 256 asynchronous calls at a time, and throws at the next. */
const MAX_IN_POOL = 200;
/** POSIX_SPAWN_SETSIGDEF, POSIX_SPAWN_SETSIGMASK and POSIX_SPAWN_SETSID. */
const SPAWN_FLAGS = 0x4 | 0x8 | 0x80;
/** More than any C library's posix_spawnattr_t and posix_spawn_file_actions_t take; a sigset_t has 128. */
const SPAWN_STRUCT_SIZE = 1024;
const SIGSET_SIZE = 128;
/** What is ignored stays so over an exec: SIGPIPE by Node, and others by whoever started us. */
const ALL_SIGNALS = Buffer.alloc(SIGSET_SIZE, 0xff);
const NO_SIGNALS = Buffer.alloc(SIGSET_SIZE);

type Call = (...args: unknown[]) => number;
/** One that can be made by a thread of the pool. */
type PoolCall = Call & { async(...args: unknown[]): void };

const libc = koffi.load(null); // the C library that Node itself runs on
const c = {
  unshare: libc.func('int unshare(int flags)') as Call,
  setns: libc.func('int setns(int fd, int type)') as Call,
  sethostname: libc.func('int sethostname(const char *name, size_t length)') as Call,
  mount: libc.func(
    'int mount(const char *src, const char *dst, const char *type, unsigned long flags, const char *data)',
  ) as Call,
  umount2: libc.func('int umount2(const char *path, int flags)') as PoolCall,
  mkfifo: libc.func('int mkfifo(const char *path, unsigned int mode)') as Call,
  fcntl: libc.func('int fcntl(int fd, int command, ...)') as Call,
  socket: libc.func('int socket(int family, int type, int protocol)') as Call,
  ioctl: libc.func('int ioctl(int fd, unsigned long request, ...)') as Call,
  close: libc.func('int close(int fd)') as Call,
  lgetxattr: libc.func(
    'long lgetxattr(const char *path, const char *name, _Out_ void *value, size_t size)',
  ) as Call,
  lsetxattr: libc.func(
    'int lsetxattr(const char *path, const char *name, const void *value, size_t size, int flags)',
  ) as Call,
  syscall: libc.func('long syscall(long number, ...)') as Call,
  pipe2: libc.func('int pipe2(_Out_ int *fds, int flags)') as Call,
  memfd_create: libc.func('int memfd_create(const char *name, unsigned int flags)') as Call,
  waitpid: libc.func('int waitpid(int pid, _Out_ int *status, int options)') as Call,
  clock_gettime: libc.func('int clock_gettime(int clock, _Out_ void *time)') as Call,
};

const spawning = {
  spawnp: libc.func(
    'int posix_spawnp(_Out_ int *pid, const char *file, void *actions, void *attr, const char **argv, const char **envp)',
  ) as PoolCall,
  initActions: libc.func('int posix_spawn_file_actions_init(void *actions)') as Call,
  destroyActions: libc.func('int posix_spawn_file_actions_destroy(void *actions)') as Call,
  addDup2: libc.func('int posix_spawn_file_actions_adddup2(void *actions, int fd, int as)') as Call,
  addChdir: libc.func('int posix_spawn_file_actions_addchdir_np(void *actions, const char *path)') as Call,
  initAttr: libc.func('int posix_spawnattr_init(void *attr)') as Call,
  setFlags: libc.func('int posix_spawnattr_setflags(void *attr, short flags)') as Call,
  setSigDefault: libc.func('int posix_spawnattr_setsigdefault(void *attr, void *set)') as Call,
  setSigMask: libc.func('int posix_spawnattr_setsigmask(void *attr, void *set)') as Call,
};

/** Of glibc alone. */
function findMallocTrim(): PoolCall | null {
  try {
    return libc.func('int malloc_trim(size_t pad)') as PoolCall;
  } catch {
    return null; // another C library, which has ways of its own
  }
}

const mallocTrim = findMallocTrim();

/** Calls, and turns -1 into an Error with `code` (such as ENOENT) that names the call and its object. */
function check(name: keyof typeof c, object: string, ...args: unknown[]): number {
  const result = c[name](...args);
  if (result !== -1) return result;
  throw failure(name, object, koffi.errno());
}

/** As `check`, for a system call by its number. Arguments after it are pairs of type and value. */
function call(name: string, object: string, number: number, ...args: unknown[]): number {
  const result = c.syscall(number, ...args);
  if (result !== -1) return result;
  throw failure(name, object, koffi.errno());
}

function failure(syscall: string, object: string, errno: number): Error {
  const code = errnoName(errno);
  const message = `${code}: ${getSystemErrorMessage(-errno)}, ${syscall} ${object}`.trimEnd();
  return Object.assign(new Error(message), { code, errno: -errno, syscall });
}

let callsInPool = 0;

/**
 * Has a thread of the pool make a call, or makes it here, should hundreds be on their way there. What pointers among
 * its arguments point to must be kept until then. Resolves to its result and errno.
 */
function inPool(func: PoolCall, ...args: unknown[]): Promise<[number, number]> {
  return new Promise((resolve, reject) => {
    if (callsInPool >= MAX_IN_POOL) return resolve([func(...args), koffi.errno()]);
    func.async(...args, (error: Error | null, result: number) => {
      callsInPool--;
      if (error) reject(error);
      else resolve([result, koffi.errno()]);
    });
    callsInPool++; // not where the line before has thrown
  });
}

/** Moves this thread into new namespaces of the kinds in `flags` (CLONE_NEW*). */
export function unshare(flags: number): void {
  check('unshare', `0x${flags.toString(16)}`, flags);
}

/** Moves this thread into the namespace that `fd` is open on; `type` is its CLONE_NEW* flag. */
export function setns(fd: number, type: number): void {
  check('setns', `0x${type.toString(16)}`, fd, type);
}

/** Sets the host name of this thread's UTS namespace. At most 64 bytes. */
export function sethostname(name: string): void {
  check('sethostname', name, name, Buffer.byteLength(name));
}

/** mount(2). `source`, `type` and `data` may be null where the kernel ignores them. */
export function mount(
  target: string,
  {
    source,
    type,
    flags,
    data,
  }: { source: string | null; type: string | null; flags: number; data: string | null },
): void {
  check('mount', source === null ? target : `${source} on ${target}`, source, target, type, flags, data);
}

export function umount2(path: string, flags: number): void {
  check('umount2', path, path, flags);
}

/** As `umount2`, which waits until every processor has seen it: 0.8 ms on a machine that is not idle. */
export async function umount2InPool(path: string, flags: number): Promise<void> {
  const [result, errno] = await inPool(c.umount2, path, flags);
  if (result === -1) throw failure('umount2', path, errno);
}

export function mkfifo(path: string, mode: number): void {
  check('mkfifo', path, path, mode);
}

/** Sets the capacity of a pipe or FIFO in bytes. EPERM above /proc/sys/fs/pipe-max-size. */
export function setPipeSize(fd: number, bytes: number): void {
  check('fcntl', `F_SETPIPE_SZ ${bytes}`, fd, F_SETPIPE_SZ, 'int', bytes);
}

/** Brings a network interface of this thread's network namespace up. */
export function bringUp(device: string): void {
  const request = Buffer.alloc(IFREQ_SIZE);
  request.write(device, 0, IFREQ_FLAGS - 1, 'latin1');
  const fd = check('socket', 'AF_INET', AF_INET, SOCK_DGRAM_CLOEXEC, 0);
  try {
    check('ioctl', `SIOCGIFFLAGS ${device}`, fd, SIOCGIFFLAGS, 'void *', request);
    request.writeUInt16LE(request.readUInt16LE(IFREQ_FLAGS) | IFF_UP, IFREQ_FLAGS);
    check('ioctl', `SIOCSIFFLAGS ${device}`, fd, SIOCSIFFLAGS, 'void *', request);
  } finally {
    c.close(fd);
  }
}

/**
 * Makes a TCP socket in this thread's network namespace, where it stays whichever thread uses it.
 * Non-blocking. The caller owns the descriptor, of which Node knows nothing.
 */
export function tcpSocket(family: 4 | 6): number {
  return check('socket', `tcp${family}`, family === 4 ? AF_INET : AF_INET6, SOCK_TCP, 0);
}

/** Closes a descriptor that Node knows nothing of. */
export function close(fd: number): void {
  check('close', `${fd}`, fd);
}

/**
 * The value of an extended attribute, '' when the file has none of that name or its filesystem has
 * no attributes. Values longer than 64 bytes come back as ''. Does not follow a symlink.
 */
export function attribute(path: string, name: string): string {
  const value = Buffer.alloc(64);
  const length = c.lgetxattr(path, name, value, value.length);
  if (length >= 0) return value.toString('latin1', 0, length);
  const code = errnoName(koffi.errno());
  if (['ENODATA', 'EOPNOTSUPP', 'ERANGE', 'EPERM'].includes(code)) return '';
  throw Object.assign(new Error(`${code}: lgetxattr ${name} ${path}`), { code, syscall: 'lgetxattr' });
}

/** Sets an extended attribute. False where the file system has none. Does not follow a symlink. */
export function setAttribute(path: string, name: string, value: Buffer): boolean {
  if (c.lsetxattr(path, name, value, value.length, 0) === 0) return true;
  const code = errnoName(koffi.errno());
  if (code === 'EOPNOTSUPP') return false;
  throw Object.assign(new Error(`${code}: lsetxattr ${name} ${path}`), { code, syscall: 'lsetxattr' });
}

/** Whether this kernel has mount_setattr(2). A call without a size is refused before it does anything. */
export function hasMountAttributes(): boolean {
  const args = ['int', -1, 'const char *', '', 'unsigned int', 0, 'void *', null, 'size_t', 0];
  return c.syscall(SYS_MOUNT_SETATTR, ...args) === -1 && errnoName(koffi.errno()) === 'EINVAL';
}

/** A pipe as [end to read, end to write]. Neither lives on in a program that we start. */
export function pipe(): [number, number] {
  const fds: [number, number] = [-1, -1];
  check('pipe2', '', fds, CLOSE_ON_EXEC);
  return fds;
}

/** From here on reads of a pipe's end fail with EAGAIN rather than wait. Its other end is as it was. */
export function setNonBlocking(fd: number): void {
  check('fcntl', 'O_NONBLOCK', fd, F_SETFL, 'int', O_NONBLOCK);
}

/** Whether this kernel knows MFD_NOEXEC_SEAL; null until it was asked. */
let hasNoExecSeal: boolean | null = null;

/** An empty file in memory that has no name, and that lives on in no program that we start. */
export function memoryFile(): number {
  if (hasNoExecSeal !== false) {
    const fd = c.memfd_create('', MFD_CLOEXEC | MFD_NOEXEC_SEAL);
    hasNoExecSeal = fd !== -1 || errnoName(koffi.errno()) !== 'EINVAL';
    if (fd !== -1) return fd;
  }
  return check('memfd_create', '', '', MFD_CLOEXEC);
}

/** What every program is started with. Made once, and only read after. */
let spawnAttributes: Buffer | null = null;

/**
 * Starts a program in a session of its own, in the directory "/", with `fds` as its standard streams and no
 * others. Without a "/" in its name it is looked for in our PATH. The parent is not copied, as it is by fork(2),
 * so that the cost does not grow with our memory; it waits until the program has begun, which is why a thread of
 * the pool does. Whoever calls keeps `fds` open until then, and reaps it.
 * @returns its process id
 */
export async function spawnProcess(
  file: string,
  { args, env, fds }: { args: string[]; env: string[]; fds: readonly [number, number, number] },
): Promise<number> {
  const must = (errno: number): void => {
    if (errno !== 0) throw failure('posix_spawnp', file, errno);
  };
  spawnAttributes ??= makeSpawnAttributes(must);
  const actions = Buffer.alloc(SPAWN_STRUCT_SIZE);
  must(spawning.initActions(actions));
  try {
    for (const [as, fd] of fds.entries()) must(spawning.addDup2(actions, fd, as));
    must(spawning.addChdir(actions, '/'));
    const pid = [0];
    const texts = [
      [file, ...args, null],
      [...env, null],
    ];
    const [errno] = await inPool(spawning.spawnp, pid, file, actions, spawnAttributes, ...texts);
    must(errno);
    return pid[0] ?? 0;
  } finally {
    spawning.destroyActions(actions);
  }
}

function makeSpawnAttributes(must: (errno: number) => void): Buffer {
  const attr = Buffer.alloc(SPAWN_STRUCT_SIZE);
  must(spawning.initAttr(attr));
  must(spawning.setFlags(attr, SPAWN_FLAGS));
  must(spawning.setSigDefault(attr, ALL_SIGNALS));
  must(spawning.setSigMask(attr, NO_SIGNALS));
  return attr;
}

/** The wait status of a child of ours that ended, and that is then no more; null while it runs. */
export function reap(pid: number): number | null {
  const status = [0];
  return check('waitpid', `${pid}`, pid, status, WNOHANG) === 0 ? null : (status[0] ?? 0);
}

/** A copy of the mount that `path` is on, from there down and with all mounts below, that is mounted nowhere yet. */
export function cloneTree(path: string): number {
  const flags = OPEN_TREE_CLONE | O_CLOEXEC | AT_RECURSIVE;
  return call('open_tree', path, SYS_OPEN_TREE, 'int', AT_FDCWD, 'const char *', path, 'unsigned int', flags);
}

/**
 * Gives all mounts of an unmounted copy the ids of the user namespace that `userns` is open on. They become slaves of
 * what they were copied from: as its peers they would take the mounts below that away with them when they go.
 */
export function setIdMap(tree: number, userns: number): void {
  const attr = Buffer.alloc(32); // struct mount_attr: set, clear, propagation, userns_fd
  attr.writeBigUInt64LE(BigInt(MOUNT_ATTR_IDMAP), 0);
  attr.writeBigUInt64LE(BigInt(MS_SLAVE), 16);
  attr.writeBigUInt64LE(BigInt(userns), 24);
  const flags = AT_EMPTY_PATH | AT_RECURSIVE;
  const where = ['int', tree, 'const char *', '', 'unsigned int', flags];
  call(
    'mount_setattr',
    'MOUNT_ATTR_IDMAP',
    SYS_MOUNT_SETATTR,
    ...where,
    'void *',
    attr,
    'size_t',
    attr.length,
  );
}

/** Mounts such a copy. */
export function moveMount(tree: number, target: string): void {
  const from = ['int', tree, 'const char *', ''];
  const to = ['int', AT_FDCWD, 'const char *', target, 'unsigned int', MOVE_MOUNT_F_EMPTY_PATH];
  call('move_mount', target, SYS_MOVE_MOUNT, ...from, ...to);
}

/** Opens what `path` stands for with the directory `rootFd` as the root, to learn its place. The caller closes it. */
export function openInRoot(rootFd: number, path: string): number {
  const how = Buffer.alloc(24); // struct open_how: flags, mode, resolve
  how.writeBigUInt64LE(BigInt(O_PATH | O_CLOEXEC), 0);
  how.writeBigUInt64LE(BigInt(RESOLVE_IN_ROOT), 16);
  const argument = ['int', rootFd, 'const char *', path, 'void *', how, 'size_t', how.length];
  return call('openat2', path, SYS_OPENAT2, ...argument);
}

/** A descriptor that stands for the process of that pid, also when the pid is another's by now. The caller closes it. */
export function openPidfd(pid: number): number {
  return call('pidfd_open', `${pid}`, SYS_PIDFD_OPEN, 'int', pid, 'unsigned int', 0);
}

/** ESRCH when the process has been reaped. */
export function signalPidfd(fd: number, signal: number): void {
  const args = ['int', fd, 'int', signal, 'void *', null, 'unsigned int', 0];
  call('pidfd_send_signal', `${signal}`, SYS_PIDFD_SEND_SIGNAL, ...args);
}

const timespec = Buffer.alloc(16);

/** The wall clock as [whole seconds, nanoseconds]: Node's own stops at the millisecond. */
export function wallClock(): [number, number] {
  check('clock_gettime', '', CLOCK_REALTIME, timespec);
  return [Number(timespec.readBigInt64LE(0)), Number(timespec.readBigInt64LE(8))];
}

/** Gives what the C library holds and does not use back to the kernel, in a thread of the pool. */
export async function trimHeap(): Promise<void> {
  if (mallocTrim !== null) await inPool(mallocTrim, 0);
}
