import { Fault } from '../lib/fault.ts';

/** Where ELF puts the program in memory, and the length of its headers: one ELF header, one segment. */
const BASE = 0x400000;
const HEADERS = 64 + 56;

/**
 * Machine code that ignores SIGCHLD, so that the kernel reaps every orphan of the pod for it, and
 * then sleeps for ever. As process 1 of its namespace it is deaf to every signal but KILL.
 */
const MACHINES: Record<string, { elfMachine: number; code: (dataAddress: number) => Buffer }> = {
  x64: { elfMachine: 62, code: codeForX64 },
  arm64: { elfMachine: 183, code: codeForArm64 },
};

/** struct sigaction of rt_sigaction(2): SIG_IGN, no flags, no restorer, empty mask. */
const SIGACTION_IGNORE = Buffer.concat([u64(1), u64(0), u64(0), u64(0)]);

/**
 * The whole program that holds a pod's pid namespace: a static ELF file of about 200 bytes, made
 * here so that a pod needs no image of which nobody on the node is the owner (decision 0006).
 * @param arch as `process.arch` says it. Throws Fault unimplemented for one we have no code for.
 */
export function pauseProgram(arch: string): Buffer {
  const machine = MACHINES[arch];
  if (!machine) throw new Fault('unimplemented', `no pause program for ${arch}`);
  const length = machine.code(0).length;
  const code = machine.code(BASE + HEADERS + length);
  return staticProgram(machine.elfMachine, Buffer.concat([code, SIGACTION_IGNORE]));
}

/** A program that is nothing but its code, which begins at its first byte, and what that refers to. */
export function staticProgram(elfMachine: number, code: Buffer): Buffer {
  return Buffer.concat([elfHeader(elfMachine), loadSegment(HEADERS + code.length), code]);
}

function codeForX64(sigaction: number): Buffer {
  // biome-ignore format: one instruction a line
  return Buffer.concat([
    Buffer.from([0xb8]), u32(13), // mov eax, rt_sigaction
    Buffer.from([0xbf]), u32(17), // mov edi, SIGCHLD
    Buffer.from([0xbe]), u32(sigaction), // mov esi, sigaction
    Buffer.from([0x31, 0xd2]), // xor edx, edx
    Buffer.from([0x41, 0xba]), u32(8), // mov r10d, sizeof(sigset_t)
    Buffer.from([0x0f, 0x05]), // syscall
    Buffer.from([0xb8]), u32(34), // again: mov eax, pause
    Buffer.from([0x0f, 0x05]), // syscall
    Buffer.from([0xeb, 0xf7]), // jmp again
  ]);
}

function codeForArm64(sigaction: number): Buffer {
  const moveLow = (register: number, value: number) =>
    u32((0xd2800000 | ((value & 0xffff) << 5) | register) >>> 0);
  const moveHigh = (register: number, value: number) =>
    u32((0xf2a00000 | ((value >>> 16) << 5) | register) >>> 0);
  const syscall = u32(0xd4000001);
  return Buffer.concat([
    moveLow(8, 134), // rt_sigaction
    moveLow(0, 17), // SIGCHLD
    moveLow(1, sigaction),
    moveHigh(1, sigaction),
    moveLow(2, 0),
    moveLow(3, 8), // sizeof(sigset_t)
    syscall,
    moveLow(0, 0), // again: ppoll(NULL, 0, NULL, NULL): arm64 has no pause
    moveLow(1, 0),
    moveLow(2, 0),
    moveLow(3, 0),
    moveLow(8, 73),
    syscall,
    u32(0x17fffffa), // b again
  ]);
}

function elfHeader(machine: number): Buffer {
  const identity = Buffer.from([0x7f, 0x45, 0x4c, 0x46, 2, 1, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0]);
  const kind = Buffer.concat([u16(2), u16(machine), u32(1)]); // executable, version 1
  const places = Buffer.concat([u64(BASE + HEADERS), u64(64), u64(0), u32(0)]); // entry, segments, sections, flags
  const sizes = Buffer.concat([u16(64), u16(56), u16(1), u16(0), u16(0), u16(0)]);
  return Buffer.concat([identity, kind, places, sizes]);
}

function loadSegment(size: number): Buffer {
  const readAndExecute = Buffer.concat([u32(1), u32(5)]); // PT_LOAD, R+X
  return Buffer.concat([readAndExecute, u64(0), u64(BASE), u64(BASE), u64(size), u64(size), u64(0x1000)]);
}

function u16(value: number): Buffer {
  const bytes = Buffer.alloc(2);
  bytes.writeUInt16LE(value);
  return bytes;
}

function u32(value: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32LE(value);
  return bytes;
}

function u64(value: number): Buffer {
  const bytes = Buffer.alloc(8);
  bytes.writeBigUInt64LE(BigInt(value));
  return bytes;
}
