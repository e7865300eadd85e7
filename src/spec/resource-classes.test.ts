import { expect, test } from 'vitest';
import { buildSpec, EMPTY_SPEC } from './build.ts';
import { withResourceClasses } from './resource-classes.ts';

type Annotations = Record<string, string>;

const OWN = { 'io.kubernetes.cri.rdt-class': 'own' };
const BY_NAME = { 'rdt.resources.beta.kubernetes.io/container.app': 'named' };
const BY_POD = { 'rdt.resources.beta.kubernetes.io/pod': 'all' };

function linuxOf(annotations: Annotations, podAnnotations: Annotations, rdt = true) {
  const config = { metadata: { name: 'app', attempt: 0 }, annotations };
  return buildSpec(EMPTY_SPEC, [
    withResourceClasses({ config, sandbox: { annotations: podAnnotations } }, { rdt }),
  ]).linux;
}

test.each<[string, Annotations, Annotations, string]>([
  ['its own', OWN, { ...BY_NAME, ...BY_POD }, 'own'],
  ["the pod's for it", {}, { ...BY_NAME, ...BY_POD }, 'named'],
  ["the pod's for all", {}, BY_POD, 'all'],
])('the RDT class of a container is %s', (_, own, pod, expected) => {
  expect(linuxOf(own, pod).intelRdt).toEqual({ closID: expected });
});

test.each<[string, Annotations]>([
  ['nothing', {}],
  ['nothing, said so', { 'io.kubernetes.cri.rdt-class': '' }],
  ['another container', { 'rdt.resources.beta.kubernetes.io/container.other': 'x' }],
])('no class for %s', (_, annotations) => {
  expect(linuxOf(annotations, annotations, false)).toEqual(EMPTY_SPEC.linux);
});

test.each<[string, Annotations, string, string]>([
  ['RDT without resctrl', OWN, 'failed_precondition', 'RDT class "own": this machine has no resctrl'],
  ['block I/O', { 'io.kubernetes.cri.blockio-class': 'slow' }, 'unimplemented', 'blockio class "slow"'],
  ['block I/O by the pod', { 'blockio.resources.beta.kubernetes.io/pod': 'slow' }, 'unimplemented', '"slow"'],
])('%s is refused', (_, annotations, code, message) => {
  const call = () => linuxOf(annotations, annotations, false);
  expect(call).toThrow(expect.objectContaining({ code }));
  expect(call).toThrow(message);
});
