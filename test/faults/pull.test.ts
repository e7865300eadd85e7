import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { createCni } from '../fixtures/cni.ts';
import type { PrivateContainerd } from '../fixtures/containerd.ts';
import { startContainerd } from '../fixtures/containerd.ts';
import type { PrivateCristal } from '../fixtures/cristal.ts';
import { startCristal } from '../fixtures/cristal.ts';
import { buildImage, pushImage } from '../fixtures/images.ts';
import { eventually } from '../fixtures/processes.ts';
import type { GrpcProxy, ProxyRule } from '../fixtures/proxy.ts';
import { startProxy } from '../fixtures/proxy.ts';
import type { PrivateRegistry } from '../fixtures/registry.ts';
import { startRegistry } from '../fixtures/registry.ts';
import { containerdVersions, tools, whyNot } from '../fixtures/tools.ts';

/** A call of a pull, by its method and by which one of that method it is. */
interface Place {
  method: string;
  skip: number;
  when: ProxyRule['when'];
}

const DEADLINE_MS = 300_000;

describe.each(containerdVersions)('cristal killed with -9 in PullImage over containerd %s', (version) => {
  const skip = whyNot(version) ?? (tools.registry === null ? 'no docker-registry' : null);
  const ended = new AsyncDisposableStack();
  let ctd: PrivateContainerd;
  let proxy: GrpcProxy;
  let registry: PrivateRegistry;
  let cristal: PrivateCristal;
  let count = 0;

  beforeAll(async () => {
    if (skip !== null) return;
    ctd = ended.use(await startContainerd({ version }));
    proxy = ended.use(await startProxy(ctd.address));
    registry = ended.use(await startRegistry());
    const cni = ended.use(createCni());
    const { certsDir } = registry;
    cristal = ended.use(
      await startCristal({ containerd: { address: proxy.address, version }, cni, certsDir }),
    );
  });
  afterAll(() => ended.disposeAsync());

  /** An image that nobody had before, of two layers, in the registry. */
  async function newImage(): Promise<{ name: string; id: string }> {
    count += 1;
    const layers = ['lower', 'upper'].map((name) => ({ files: [{ path: name, data: `${name} ${count}` }] }));
    const image = await buildImage({ layers });
    await pushImage(registry.url, `kill/${count}`, '1', image);
    return { name: `${registry.host}/kill/${count}:1`, id: image.configDigest };
  }
  const pull = (image: string) => cristal.cri.image.pullImage({ image: { image } });
  const remove = (image: string) => cristal.cri.image.removeImage({ image: { image } });
  const listed = async (...args: string[]) => (await ctd.ctr(...args)).split('\n').filter(Boolean);

  /** All that a pull makes in containerd, except ingests, which wait for the next one. */
  async function made(): Promise<Record<string, string[]>> {
    const [leases, images, content, snapshots] = await Promise.all([
      listed('leases', 'ls', '-q'),
      listed('images', 'ls', '-q'),
      listed('content', 'ls', '-q'),
      listed('snapshots', 'ls'),
    ]);
    return { leases, images, content, snapshots: snapshots.slice(1) };
  }

  /** The calls of one whole pull, without those whose answers a first one leaves in memory. */
  async function rehearse(): Promise<string[]> {
    const warmUp = await newImage();
    await pull(warmUp.name);
    await remove(warmUp.name);
    const { name } = await newImage();
    proxy.forget();
    await pull(name);
    const calls = proxy.calls().filter((path) => !path.includes('.events.'));
    await remove(name);
    return calls;
  }

  /** Pulls, kills cristal when a call of the pull is held at the place, and lets it come back. */
  async function killAt({ method, skip: passed, when }: Place, name: string): Promise<void> {
    const rule = proxy.rule({ method, when, action: 'hang', skip: passed, times: 1 });
    const outcome = pull(name).then(
      () => 'answered',
      () => 'broken',
    );
    expect(await Promise.race([rule.hit.then(() => 'held'), outcome])).toBe('held');
    await cristal.kill9();
    expect(await outcome).toBe('broken');
    await cristal.resume();
    proxy.clearRules();
  }

  async function expectWhole(name: string, id: string, clean: object): Promise<void> {
    expect((await pull(name)).imageRef).toBe(id);
    expect((await made())['leases']).toEqual((clean as { leases: string[] }).leases);
    expect((await cristal.cri.image.imageStatus({ image: { image: name } })).image).toMatchObject({ id });
    expect(await ctd.ctr('images', 'check', `name==${name}`)).toMatch(/complete \(.*true\s*$/m);
    await remove(name);
    expect(await made()).toEqual(clean);
  }

  /** What is left when cristal is back: nothing, or an image with all that it needs. */
  async function expectNothingHalf(clean: Record<string, string[]>, name: string): Promise<void> {
    const isRecorded = (await made())['images']?.includes(name) ?? false;
    const wanted = isRecorded ? { leases: clean['leases'] } : clean;
    let now: Record<string, string[]> = {};
    await eventually(async () => {
      now = await made();
      return JSON.stringify({ ...now, ...wanted }) === JSON.stringify(now);
    }, 5_000);
    expect(now).toMatchObject(wanted);
    if (isRecorded) {
      expect(await ctd.ctr('images', 'check', `name==${name}`)).toMatch(/complete \(.*true\s*$/m);
    }
  }

  test.skipIf(skip !== null)(
    'at every call to containerd, nothing half is left, and the next pull brings the image',
    async () => {
      const calls = await rehearse();
      const methods = [...new Set(calls)];
      expect(methods.length).toBeGreaterThan(8);
      const clean = await made();
      // Before a call takes effect little differs from after the one before it, so that once is enough.
      const first = methods.map((method) => ({ method, skip: 0, when: 'before' as const }));
      const each = calls.map((method, at) => ({
        method,
        skip: calls.slice(0, at).filter((other) => other === method).length,
        when: 'after' as const,
      }));
      const old = each.filter((place) => place.skip === 0);
      for (const place of [...(version === '2.3' ? first : []), ...(version === '2.3' ? each : old)]) {
        const { name, id } = await newImage();
        const where = `${place.method} ${place.skip} ${place.when}`;
        try {
          await killAt(place, name);
          await expectNothingHalf(clean, name);
          await expectWhole(name, id, clean);
        } catch (cause) {
          throw new Error(`killed at ${where}: ${(cause as Error).message}`, { cause });
        }
      }
    },
    DEADLINE_MS,
  );
});
