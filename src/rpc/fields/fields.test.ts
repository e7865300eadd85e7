import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import type { MethodDefinition, ServiceDefinition } from '@grpc/proto-loader';
import { loadSync } from '@grpc/proto-loader';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { defaultConfig } from '../../config/schema.ts';
import { Fault } from '../../lib/fault.ts';
import { loadProtos } from '../../lib/load-protos.ts';
import type { World } from './effects.ts';
import { containerEffects, createWorld, podEffects } from './effects.ts';
import { ELSEWHERE, REFUSED, WITHOUT_EFFECT } from './excused.ts';
import type { Leaf } from './walk.ts';
import { leavesOf, otherValues, valueAt, withMessageOf, withValue } from './walk.ts';

// The promise that no field of a pod's or a container's config is ignored in silence: for each field a config in
// which only that one differs has to change what is made of it, or to be refused, or to be excused with a reason.

type Part = 'container' | 'pod';
type Configs = Record<Part, object>;

const protos = loadSync(resolve(import.meta.dirname, '../../../proto/cri.proto'), { keepCase: false });
const service = loadProtos(['cri.proto'])['runtime.v1.RuntimeService'] as unknown as ServiceDefinition;
const leaves: [name: string, part: Part, leaf: Leaf][] = [
  ...leavesOf(protos, 'ContainerConfig').map((leaf): [string, Part, Leaf] => [
    `container ${leaf.path}`,
    'container',
    leaf,
  ]),
  ...leavesOf(protos, 'PodSandboxConfig').map((leaf): [string, Part, Leaf] => [
    `pod ${leaf.path}`,
    'pod',
    leaf,
  ]),
];

const dir = mkdtempSync(join(tmpdir(), 'cristal-fields-'));
let world: World;

const IMAGE_MOUNT = { containerPath: '/image', readonly: true, image: { image: 'app' } };

beforeAll(() => {
  for (const name of ['a', 'b', 'rootfs/etc', 'cdi', 'apparmor'])
    mkdirSync(join(dir, name), { recursive: true });
  writeFileSync(
    join(dir, 'rootfs/etc/passwd'),
    'root:x:0:0::/root:/bin/sh\napp:x:1000:1000::/home/app:/bin/sh\n',
  );
  writeFileSync(join(dir, 'rootfs/etc/group'), 'root:x:0:\nstaff:x:50:app\n');
  writeFileSync(
    join(dir, 'apparmor/profiles'),
    'cristal-default (enforce)\nmine (enforce)\nyours (enforce)\n',
  );
  for (const name of ['a', 'b']) {
    const edits = { env: [`NAME=${name}`] };
    const document = {
      cdiVersion: '0.5.0',
      kind: `test.org/${name}`,
      devices: [{ name: 'x', containerEdits: edits }],
    };
    writeFileSync(join(dir, 'cdi', `${name}.json`), JSON.stringify(document));
    const action = name === 'a' ? 'SCMP_ACT_LOG' : 'SCMP_ACT_ALLOW';
    writeFileSync(join(dir, `${name}.json`), JSON.stringify({ defaultAction: action }));
  }
  world = createWorld(dir, defaultConfig());
});

afterAll(() => rmSync(dir, { recursive: true }));

/** A plain pod, held by a pause container, with a container that has one of everything. */
function plain(): Configs {
  return {
    pod: {
      metadata: { name: 'web', uid: 'u', namespace: 'default', attempt: 1 },
      hostname: 'web',
      logDirectory: '/var/log/pods/web',
      linux: { cgroupParent: '/pods/web', securityContext: { namespaceOptions: { pid: 'POD' } } },
    },
    container: {
      metadata: { name: 'app', attempt: 1 },
      image: { image: 'app' },
      command: ['/bin/app'],
      envs: [{ key: 'K', value: Buffer.from('v') }],
      mounts: [{ containerPath: '/data', hostPath: join(dir, 'a') }],
      devices: [{ containerPath: '/dev/x', hostPath: '/dev/null', permissions: 'rw' }],
      linux: { securityContext: { namespaceOptions: { pid: 'CONTAINER' } } },
    },
  };
}

const USERNS = 'linux.securityContext.namespaceOptions.usernsOptions';

/** What else has to be set for a field to mean something. */
function given(): Record<string, [Part, path: string, value: unknown][]> {
  const security = 'linux.securityContext';
  const range = [{ containerId: 0, hostId: 65_536, length: 65_536 }];
  const userns = { mode: 'POD', uids: range, gids: range };
  const mapped: [Part, string, unknown][] = [
    ['container', 'mounts[].uidMappings', range],
    ['container', 'mounts[].gidMappings', range],
  ];
  const both: [Part, string, unknown][] = [
    ['pod', USERNS, userns],
    ['container', USERNS, userns],
  ];
  const asPrivileged: [Part, string, unknown] = ['pod', `${security}.privileged`, true];
  return {
    [`container ${security}.privileged`]: [asPrivileged],
    [`container ${USERNS}.mode`]: both,
    [`container ${security}.runAsGroup.value`]: [['container', `${security}.runAsUser.value`, 1]],
    [`container ${security}.supplementalGroupsPolicy`]: [['container', `${security}.runAsUser.value`, 1000]],
    [`container ${security}.namespaceOptions.targetId`]: [
      ['container', `${security}.namespaceOptions`, { pid: 'TARGET', targetId: 'target-1' }],
    ],
    [`container ${security}.seccomp.localhostRef`]: [
      ['container', `${security}.seccomp`, { profileType: 'Localhost', localhostRef: join(dir, 'a.json') }],
    ],
    [`container ${security}.apparmor.localhostRef`]: [
      ['container', `${security}.apparmor`, { profileType: 'Localhost', localhostRef: 'mine' }],
    ],
    ...Object.fromEntries(
      [
        'imageSubPath',
        'image.image',
        'image.annotations',
        'image.userSpecifiedImage',
        'image.runtimeHandler',
        'image.imageRef',
      ].map((field) => [`container mounts[].${field}`, [['container', 'mounts[]', IMAGE_MOUNT]]]),
    ),
    ...Object.fromEntries(
      ['hostId', 'containerId', 'length'].flatMap((field) => [
        [`pod ${USERNS}.uids[].${field}`, [['pod', USERNS, userns]]],
        [`pod ${USERNS}.gids[].${field}`, [['pod', USERNS, userns]]],
        [`container ${USERNS}.uids[].${field}`, both],
        [`container ${USERNS}.gids[].${field}`, both],
        [`container mounts[].uidMappings[].${field}`, mapped],
        [`container mounts[].gidMappings[].${field}`, mapped],
      ]),
    ),
    'container mounts[].recursiveReadOnly': [['container', 'mounts[].readonly', true]],
    'container linux.resources.hugepageLimits[].pageSize': [
      ['container', 'linux.resources.hugepageLimits', [{ pageSize: '2MB', limit: 1 }]],
    ],
    'container linux.resources.hugepageLimits[].limit': [
      ['container', 'linux.resources.hugepageLimits', [{ pageSize: '2MB', limit: 1 }]],
    ],
    [`pod ${security}.runAsGroup.value`]: [['pod', `${security}.runAsUser.value`, 1]],
    [`pod ${security}.seccomp.localhostRef`]: [
      ['pod', `${security}.seccomp`, { profileType: 'Localhost', localhostRef: join(dir, 'a.json') }],
    ],
    [`pod ${security}.apparmor.localhostRef`]: [
      ['pod', `${security}.apparmor`, { profileType: 'Localhost', localhostRef: 'mine' }],
    ],
  };
}

/** Values where those that the kind of a field suggests would be refused, or mean the same. */
function better(): Record<string, unknown[]> {
  const security = 'linux.securityContext';
  const selinux = (part: Part) => ({ [`${part} ${security}.selinuxOptions.level`]: ['s0:c1,c2'] });
  return {
    'container mounts[].hostPath': [join(dir, 'b')],
    'container mounts[].containerPath': ['/other'],
    'container mounts[].mountOptions': [['noexec']],
    'container devices[].hostPath': ['/dev/zero'],
    'container devices[].containerPath': ['/dev/y'],
    'container devices[].permissions': ['r'],
    'container CDIDevices[].name': ['test.org/a=x'],
    'container linux.resources.hugepageLimits[].pageSize': ['1GB'],
    'container linux.resources.unified': [{ 'memory.high': '1' }],
    [`container ${security}.capabilities.addCapabilities`]: [['SYS_ADMIN']],
    [`container ${security}.capabilities.dropCapabilities`]: [['CHOWN']],
    [`container ${security}.capabilities.addAmbientCapabilities`]: [['CHOWN']],
    [`container ${security}.namespaceOptions.targetId`]: ['target-2'],
    [`container ${security}.runAsUsername`]: ['app'],
    [`container ${security}.seccompProfilePath`]: ['runtime/default'],
    [`container ${security}.seccomp.localhostRef`]: [join(dir, 'b.json')],
    [`container ${security}.apparmorProfile`]: ['unconfined'],
    [`container ${security}.apparmor.localhostRef`]: ['yours'],
    [`pod ${security}.seccompProfilePath`]: ['unconfined'],
    [`pod ${security}.seccomp.localhostRef`]: [join(dir, 'b.json')],
    [`pod ${security}.apparmor.localhostRef`]: ['yours'],
    ...selinux('container'),
    ...selinux('pod'),
  };
}

type Outcome = { effect: string } | { refused: string };

/** What is made of the configs, as they come off the wire. */
async function outcomeOf(configs: Configs): Promise<Outcome> {
  try {
    const pod = await podEffects(world, offWire('RunPodSandbox', configs.pod));
    const container = await containerEffects(
      world,
      offWire('CreateContainer', configs.container),
      offWire('RunPodSandbox', configs.pod),
    );
    return { effect: JSON.stringify([pod, container]) };
  } catch (error) {
    if (error instanceof Fault) return { refused: `${error.code}: ${error.message}` };
    throw error;
  }
}

function offWire(method: string, config: object): never {
  const { requestSerialize, requestDeserialize } = service[method] as MethodDefinition<object, object>;
  return (requestDeserialize(requestSerialize({ config })) as { config: never }).config;
}

/** A container is in its pod's user namespace: the kubelet tells both the same. */
function withIdsOfPod({ pod, container }: Configs): Configs {
  const ids = valueAt(pod, USERNS);
  return { pod, container: ids === undefined ? container : withValue(container, USERNS, ids) };
}

/** Whether some other value of the field changes what is made, or is refused. */
async function fate(name: string, part: Part, leaf: Leaf): Promise<'effect' | 'refused' | 'nothing'> {
  const base = plain();
  for (const [of, path, value] of given()[name] ?? []) base[of] = withValue(base[of], path, value);
  // The messages around the field are there before, so that nothing but the field can be what has an effect.
  base[part] = withMessageOf(base[part], leaf.path);
  const configs = (own: Configs) => (part === 'pod' ? withIdsOfPod(own) : own);
  const before = await outcomeOf(configs(base));
  const values = better()[name] ?? otherValues(leaf, valueAt(base[part], leaf.path));
  let found: 'effect' | 'refused' | 'nothing' = 'nothing';
  for (const value of values) {
    const after = await outcomeOf(configs({ ...base, [part]: withValue(base[part], leaf.path, value) }));
    if ('refused' in after) found = found === 'nothing' ? 'refused' : found;
    else if (!('effect' in before) || before.effect !== after.effect) found = 'effect';
  }
  return found;
}

const isBelow = (name: string, paths: readonly string[]): boolean =>
  paths.some((path) => name === path || name.startsWith(`${path}.`) || name.startsWith(`${path}[]`));

function expected(name: string): 'effect' | 'refused' | 'nothing' {
  if (isBelow(name, REFUSED)) return 'refused';
  return isBelow(name, [...Object.keys(WITHOUT_EFFECT), ...Object.keys(ELSEWHERE)]) ? 'nothing' : 'effect';
}

describe('every field', () => {
  test('there are many, and each has one path', () => {
    expect(leaves.length).toBeGreaterThan(150);
    expect(new Set(leaves.map(([name]) => name)).size).toBe(leaves.length);
  });

  test('the plain configs are not refused', async () => {
    expect(await outcomeOf(plain())).toHaveProperty('effect');
    expect(await outcomeOf(plain())).toEqual(await outcomeOf(plain()));
  });

  test.each(leaves)('%s', async (name, part, leaf) => {
    expect(await fate(name, part, leaf)).toBe(expected(name));
  });
});

describe('the excuses', () => {
  test.each([...Object.keys(WITHOUT_EFFECT), ...Object.keys(ELSEWHERE), ...REFUSED, ...Object.keys(given())])(
    '%s is a field',
    (path) => {
      expect(leaves.some(([name]) => isBelow(name, [path]))).toBe(true);
    },
  );

  test.each(Object.entries(ELSEWHERE))('%s is named in %s', (path, file) => {
    const field = path.split(/[ .]/).at(-1) ?? '';
    expect(readFileSync(resolve(import.meta.dirname, '../../..', file), 'utf8')).toContain(field);
  });
});
