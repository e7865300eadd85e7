import { execFile } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { createCni } from '../fixtures/cni.ts';
import { startContainerd } from '../fixtures/containerd.ts';
import { startCristal } from '../fixtures/cristal.ts';
import type { Snapshot } from '../fixtures/leaks.ts';
import { leaks, snapshot } from '../fixtures/leaks.ts';
import { eventually } from '../fixtures/processes.ts';
import { startRegistry } from '../fixtures/registry.ts';
import { removeScratch, scratchDir } from '../fixtures/scratch.ts';
import type { ContainerdVersion } from '../fixtures/tools.ts';
import { need, tools } from '../fixtures/tools.ts';
import { serveImages } from './images.ts';

/** With CRISTAL_TEST_BUILTIN=1 critest asks containerd's own CRI, which tells what this machine can pass. */
const usesBuiltin = process.env['CRISTAL_TEST_BUILTIN'] === '1';

/** Where pods that name no cgroup parent, as critest's, have their containers. */
const CGROUP = '/k8s.io';

/** What became of one spec. */
export interface Spec {
  name: string;
  /** Ginkgo's word: "passed", "failed", "skipped", "panicked", "timedout" ... */
  state: string;
  /** What failed, or why it was skipped. */
  message: string;
}

/** A CRI server with the images of critest, and critest to ask it. */
export interface Critest extends AsyncDisposable {
  /** Runs the specs whose full names match `focus`, and returns those that ran or failed. */
  run(focus: string, ...flags: string[]): Promise<Spec[]>;
  /** What critest has left behind since the start. */
  left(): Promise<string[]>;
}

export async function createCritest(version: ContainerdVersion): Promise<Critest> {
  const program = need(tools.critest, 'critest');
  await using started = new AsyncDisposableStack();
  const dir = started.adopt(scratchDir('critest'), removeScratch);
  const registry = started.use(await startRegistry());
  await serveImages(registry);
  const cni = started.use(createCni());
  const { certsDir } = registry;
  const pauseImage = 'registry.k8s.io/pause:3.9';
  const forCri = { cri: usesBuiltin, cniConfDir: cni.confDir, certsDir, pauseImage };
  const containerd = started.use(await startContainerd({ version, ...forCri }));
  const cristal = usesBuiltin ? undefined : started.use(await startCristal({ containerd, cni, certsDir }));
  const world = { containerd, cni, cgroup: CGROUP, ...(cristal === undefined ? {} : { cristal }) };
  const before: Snapshot = await snapshot(world);

  const endpoint = `unix://${cristal?.address ?? containerd.address}`;
  const report = join(dir, 'report.json');
  const base = ['-config', '/dev/null', '-runtime-endpoint', endpoint, `-ginkgo.json-report=${report}`];
  const files = started.move();
  return {
    run: async (focus, ...flags) => {
      const { promise, resolve } = Promise.withResolvers<string>();
      const args = [...base, `-ginkgo.focus=${focus}`, '-ginkgo.no-color', ...flags];
      // It exits with an error when a spec failed, which the report tells better.
      execFile(program, args, { cwd: dir, maxBuffer: 256 << 20 }, (_error, stdout, stderr) =>
        resolve(stdout + stderr),
      );
      const output = await promise;
      try {
        return readReport(report);
      } catch (cause) {
        throw new Error(`critest wrote no report: ${output.slice(-2_000)}`, { cause });
      }
    },
    left: async () => {
      let found: string[] = [];
      await eventually(async () => {
        const log = readFileSync((cristal ?? containerd).logFile, 'utf8');
        found = leaks(before, await snapshot(world)).filter((line) => isOurs(line, log));
        return found.length === 0;
      }, 15_000);
      return found;
    },
    [Symbol.asyncDispose]: async () => await files.disposeAsync(),
  };
}

/** The cgroup of pods without a parent is the whole machine's: ours are those that our daemon's log names. */
function isOurs(line: string, log: string): boolean {
  const [, id] = /^cgroup .*\/([0-9a-f]{64})$/.exec(line) ?? [];
  return id === undefined || log.includes(id);
}

/** The part of Ginkgo's JSON report that we read. */
interface Report {
  SpecReports: {
    ContainerHierarchyTexts: string[] | null;
    LeafNodeText: string;
    LeafNodeType: string;
    State: string;
    Failure?: { Message?: string };
  }[];
}

function readReport(file: string): Spec[] {
  const reports = JSON.parse(readFileSync(file, 'utf8')) as Report[];
  return (
    reports
      .flatMap(({ SpecReports }) => SpecReports)
      .filter(({ LeafNodeType, State }) => LeafNodeType === 'It' || State !== 'passed')
      .map(({ ContainerHierarchyTexts, LeafNodeText, State, Failure }) => ({
        name: [...(ContainerHierarchyTexts ?? []), LeafNodeText].join(' '),
        state: State,
        message: Failure?.Message ?? '',
      }))
      // What the focus left out has no message; a spec that skipped itself says why.
      .filter(({ state, message }) => state !== 'skipped' || message !== '')
  );
}
