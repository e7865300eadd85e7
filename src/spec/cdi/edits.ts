import { posix } from 'node:path';
import { Fault } from '../../lib/fault.ts';
import { isDeviceAccess } from '../devices.ts';
import type { HookName, OciHook, OciIntelRdt, OciMount } from '../oci.ts';
import type { Fields } from './values.ts';
import { fieldsAt, flagAt, listAt, numberAt, textAt, textsAt } from './values.ts';

/** What a device, or all devices of a file, change in a container (CDI, containerEdits). */
export interface CdiEdits {
  /** `NAME=value` each. */
  env: string[];
  deviceNodes: CdiDeviceNode[];
  mounts: OciMount[];
  hooks: { name: HookName; hook: OciHook }[];
  intelRdt: OciIntelRdt | null;
  additionalGids: number[];
}

export interface CdiDeviceNode {
  /** In the container. */
  path: string;
  hostPath: string;
  /** Null: as the host's. `p` is a FIFO, `u` an unbuffered character device. */
  type: 'b' | 'c' | 'u' | 'p' | null;
  major: number;
  minor: number;
  fileMode: number | null;
  permissions: string;
  uid: number | null;
  gid: number | null;
}

const EDITS = ['env', 'deviceNodes', 'hooks', 'mounts', 'intelRdt', 'additionalGids'];
const NODE = ['path', 'hostPath', 'type', 'major', 'minor', 'fileMode', 'permissions', 'uid', 'gid'];
const HOOKS = ['prestart', 'createRuntime', 'createContainer', 'startContainer', 'poststart', 'poststop'];

/** Reads the edits at a place of a document. Throws `invalid_argument`, which says where it is wrong. */
export function readEdits(at: string, value: unknown): CdiEdits {
  const edits = fieldsAt(at, value ?? {}, EDITS);
  return {
    env: listAt(`${at}.env`, edits['env']).map(([where, entry]) => readEnv(where, entry)),
    deviceNodes: listAt(`${at}.deviceNodes`, edits['deviceNodes']).map(([where, node]) =>
      readDeviceNode(where, fieldsAt(where, node, NODE)),
    ),
    mounts: listAt(`${at}.mounts`, edits['mounts']).map(([where, mount]) => readMount(where, mount)),
    hooks: listAt(`${at}.hooks`, edits['hooks']).map(([where, hook]) => readHook(where, hook)),
    intelRdt: readIntelRdt(`${at}.intelRdt`, edits['intelRdt']),
    additionalGids: listAt(`${at}.additionalGids`, edits['additionalGids']).map(
      ([where, gid]) => numberAt(where, gid) ?? 0,
    ),
  };
}

export function isEmpty(edits: CdiEdits): boolean {
  return Object.values(edits).every((part: unknown) =>
    Array.isArray(part) ? part.length === 0 : part === null,
  );
}

function readEnv(at: string, value: unknown): string {
  const entry = textAt(at, value);
  if (entry.indexOf('=') < 1) throw new Fault('invalid_argument', `${at}: "${entry}" is not NAME=value`);
  return entry;
}

function readDeviceNode(at: string, node: Fields): CdiDeviceNode {
  const path = absolute(`${at}.path`, node['path']);
  const type = textAt(`${at}.type`, node['type']);
  const permissions = textAt(`${at}.permissions`, node['permissions']) || 'rwm';
  if (!/^[bcup]?$/.test(type)) {
    throw new Fault('invalid_argument', `${at}.type: "${type}" is none of b, c, u, p`);
  }
  if (!isDeviceAccess(permissions)) {
    throw new Fault('invalid_argument', `${at}.permissions: "${permissions}" are not of r, w, m`);
  }
  return {
    path,
    hostPath: textAt(`${at}.hostPath`, node['hostPath']) || path,
    type: type === '' ? null : (type as NonNullable<CdiDeviceNode['type']>),
    major: numberAt(`${at}.major`, node['major']) ?? 0,
    minor: numberAt(`${at}.minor`, node['minor']) ?? 0,
    fileMode: numberAt(`${at}.fileMode`, node['fileMode']),
    permissions,
    uid: numberAt(`${at}.uid`, node['uid']),
    gid: numberAt(`${at}.gid`, node['gid']),
  };
}

function readMount(at: string, value: unknown): OciMount {
  const mount = fieldsAt(at, value, ['hostPath', 'containerPath', 'options', 'type']);
  const source = textAt(`${at}.hostPath`, mount['hostPath']);
  if (source === '') throw new Fault('invalid_argument', `${at}.hostPath: is missing`);
  const destination = absolute(`${at}.containerPath`, mount['containerPath']);
  const options = textsAt(`${at}.options`, mount['options']);
  const type = textAt(`${at}.type`, mount['type']) || 'bind';
  const binds = options.includes('bind') || options.includes('rbind');
  return { destination, type, source, options: type === 'bind' && !binds ? ['rbind', ...options] : options };
}

function readHook(at: string, value: unknown): CdiEdits['hooks'][number] {
  const hook = fieldsAt(at, value, ['hookName', 'path', 'args', 'env', 'timeout']);
  const name = textAt(`${at}.hookName`, hook['hookName']);
  if (!HOOKS.includes(name)) {
    throw new Fault('invalid_argument', `${at}.hookName: "${name}" is none of ${HOOKS.join(', ')}`);
  }
  const args = textsAt(`${at}.args`, hook['args']);
  const env = listAt(`${at}.env`, hook['env']).map(([where, entry]) => readEnv(where, entry));
  const timeout = numberAt(`${at}.timeout`, hook['timeout']);
  return {
    name: name as HookName,
    hook: {
      path: absolute(`${at}.path`, hook['path']),
      ...(args.length > 0 && { args }),
      ...(env.length > 0 && { env }),
      ...(timeout !== null && { timeout }),
    },
  };
}

function readIntelRdt(at: string, value: unknown): OciIntelRdt | null {
  if (value === undefined || value === null) return null;
  const known = ['closID', 'l3CacheSchema', 'memBwSchema', 'enableCMT', 'enableMBM'];
  const rdt = fieldsAt(at, value, known);
  const closID = textAt(`${at}.closID`, rdt['closID']);
  const l3CacheSchema = textAt(`${at}.l3CacheSchema`, rdt['l3CacheSchema']);
  const memBwSchema = textAt(`${at}.memBwSchema`, rdt['memBwSchema']);
  if (closID.length > 4095 || closID === '.' || closID === '..' || /[/\n]/.test(closID)) {
    throw new Fault('invalid_argument', `${at}.closID: "${closID}" is not the name of a directory`);
  }
  return {
    ...(closID !== '' && { closID }),
    ...(l3CacheSchema !== '' && { l3CacheSchema }),
    ...(memBwSchema !== '' && { memBwSchema }),
    ...(flagAt(`${at}.enableCMT`, rdt['enableCMT']) && { enableCMT: true }),
    ...(flagAt(`${at}.enableMBM`, rdt['enableMBM']) && { enableMBM: true }),
  };
}

function absolute(at: string, value: unknown): string {
  const path = textAt(at, value);
  if (!posix.isAbsolute(path))
    throw new Fault('invalid_argument', `${at}: "${path}" is not an absolute path`);
  return path;
}
