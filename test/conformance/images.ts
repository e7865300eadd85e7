import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Layer, LayerFile, RunConfig } from '../fixtures/images.ts';
import { buildImage, busyboxLayer, busyboxPath, pushImage } from '../fixtures/images.ts';
import type { PrivateRegistry } from '../fixtures/registry.ts';

/** Registries that critest's images name. Ours stands in for them, so that nothing leaves the machine. */
const mirrored = ['registry.k8s.io', 'k8s.gcr.io', 'gcr.io'];

/** An image that critest pulls: the path and tag that it asks for, and what is in it. */
interface Wanted {
  repo: string;
  tag: string;
  config?: RunConfig;
  layer?: Layer;
}

const e2e = 'e2e-test-images';
const staging = 'k8s-staging-cri-tools';

const script = (text: string) => ({ mode: 0o755, data: `#!/bin/sh\n${text}\n` });

/** What critest runs and Debian's busybox lacks. `ls` is a file of its own, as one spec hides it. */
const programs = (busybox: Buffer): Layer => ({
  files: [
    {
      path: 'bin/pgrep',
      ...script(
        'for p in /proc/[0-9]*; do grep -qx "$1" $p/comm 2>/dev/null && echo ${p#/proc/}; done; true',
      ),
    },
    { path: 'bin/ipcs', ...script('cat /proc/sysvipc/shm') },
    { path: 'bin/ls', mode: 0o755, data: busybox },
  ],
});

/** A web server whose command is part of the image, as critest gives it none. */
function webServer(command: string[], files: LayerFile[] = []): Pick<Wanted, 'config' | 'layer'> {
  const page = [{ path: 'www/' }, { path: 'www/index.html', data: 'a page\n' }];
  return { config: { Cmd: command }, layer: { files: [...page, ...files] } };
}

/**
 * As nginx is seen from outside: a first process that calls itself the master, and another by the name of
 * nginx. Busybox takes any name that begins with its own.
 */
function nginx(port: number): Pick<Wanted, 'config' | 'layer'> {
  const master = '/bin/busybox master process';
  return webServer(
    [master, 'sh', '-c', 'trap "exit 0" TERM; nginx & wait'],
    [
      { path: master.slice(1), linkTo: '/bin/busybox' },
      { path: 'var/run/' },
      { path: 'bin/nginx', ...script(`echo $$ >/var/run/nginx.pid; httpd -f -p ${port} -h /www`) },
    ],
  );
}

/** Tells with which effective user a program of root's with the set-user-ID bit runs. */
const setUser = (busybox: Buffer): Pick<Wanted, 'config' | 'layer'> => ({
  // Busybox gives the gained user up at once, but from then on root owns what /proc tells of it.
  config: { Cmd: ['/bin/busybox-suid', 'stat', '-c', 'Effective uid: %u', '/proc/self/status'] },
  layer: { files: [{ path: 'bin/busybox-suid', mode: 0o4755, data: busybox }] },
});

/** A layer that makes an image differ from the others. */
function only(name: string): Layer {
  return { files: [{ path: name, data: name }] };
}

const users: Layer = {
  files: [
    {
      path: 'etc/passwd',
      data: [
        'root:x:0:0:root:/root:/bin/sh',
        'www-data:x:33:33:www-data:/var/www:/bin/false',
        'default-user:x:1000:1000:default:/home/default-user:/bin/sh',
        '',
      ].join('\n'),
    },
    {
      path: 'etc/group',
      data: [
        'root:x:0:',
        'www-data:x:33:',
        'default-user:x:1000:',
        'group-defined-in-image:x:50000:default-user',
        '',
      ].join('\n'),
    },
  ],
};

const wantedOf = (busybox: Buffer): Wanted[] => [
  { repo: `${e2e}/busybox`, tag: '1.29-2', layer: programs(busybox) },
  { repo: `${e2e}/nginx`, tag: '1.14-2', ...nginx(80) },
  {
    repo: `${e2e}/httpd`,
    tag: '2.4.39-4',
    ...webServer(['sh', '-c', 'echo this is httpd; exec httpd -f -p 80 -h /www']),
  },
  { repo: `${e2e}/nonewprivs`, tag: '1.3', ...setUser(busybox) },
  ...['amd64', 'arm64'].map((arch) => ({
    repo: `${staging}/hostnet-nginx-${arch}`,
    tag: 'latest',
    ...nginx(12_003),
  })),
  { repo: 'pause', tag: '3.9', layer: only('pause'), config: { Cmd: ['sleep', '1000000'] } },
  { repo: `${staging}/test-image-user-uid`, tag: 'latest', config: { User: '1002' }, layer: users },
  { repo: `${staging}/test-image-user-username`, tag: 'latest', config: { User: 'www-data' }, layer: users },
  {
    repo: `${staging}/test-image-user-uid-group`,
    tag: 'latest',
    config: { User: '1003:1004' },
    layer: users,
  },
  {
    repo: `${staging}/test-image-user-username-group`,
    tag: 'latest',
    config: { User: 'www-data:1004' },
    layer: users,
  },
  { repo: `${staging}/test-image-predefined-group`, tag: 'latest', config: { User: '1000' }, layer: users },
  { repo: `${staging}/test-image-latest`, tag: 'latest', layer: only('test-image-latest') },
  { repo: `${staging}/test-image-tag`, tag: 'test', layer: only('test-image-tag') },
  { repo: `${staging}/test-image-tag`, tag: 'all', layer: only('test-image-tag') },
  ...[1, 2, 3].flatMap((n) => [
    { repo: `${staging}/test-image-${n}`, tag: 'latest', layer: only(`test-image-${n}`) },
    { repo: `${staging}/test-image-tags`, tag: String(n), layer: only('test-image-tags') },
  ]),
];

/**
 * Fills the registry with what critest pulls, all of it made of busybox, and makes it the only place where
 * these images are looked for. An image that critest names by digest cannot be made and is missing.
 */
export async function serveImages(registry: PrivateRegistry): Promise<void> {
  const base = busyboxLayer();
  for (const { repo, tag, config, layer } of wantedOf(readFileSync(busyboxPath()))) {
    const image = await buildImage({
      layers: layer === undefined ? [base] : [base, layer],
      config: { Env: ['PATH=/bin'], Cmd: ['sh'], ...config },
    });
    await pushImage(registry.url, repo, tag, image);
  }
  for (const name of mirrored) {
    const dir = join(registry.certsDir, name);
    mkdirSync(dir, { recursive: true });
    const url = JSON.stringify(registry.url);
    writeFileSync(
      join(dir, 'hosts.toml'),
      `server = ${url}\n[host.${url}]\ncapabilities = ["pull", "resolve"]\n`,
    );
  }
}
