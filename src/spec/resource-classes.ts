import type { ContainerConfig__Output } from '../gen/runtime/v1/ContainerConfig.ts';
import type { PodSandboxConfig__Output } from '../gen/runtime/v1/PodSandboxConfig.ts';
import { Fault } from '../lib/fault.ts';
import type { HostFacts } from '../lib/host-facts.ts';
import type { SpecOption } from './build.ts';

interface ClassWish {
  config: Pick<ContainerConfig__Output, 'annotations' | 'metadata'>;
  sandbox: Pick<PodSandboxConfig__Output, 'annotations'>;
}

/**
 * The classes of cache and memory bandwidth (RDT) and of block I/O that annotations ask for. An RDT class is a
 * group that the operator has made in resctrl. Throws `failed_precondition` where there is no resctrl, and
 * `unimplemented` for block I/O, of which no classes can be configured.
 */
export function withResourceClasses(wish: ClassWish, { rdt }: Pick<HostFacts, 'rdt'>): SpecOption {
  return ({ linux }) => {
    const blockio = classOf('blockio', wish);
    if (blockio !== '')
      throw new Fault('unimplemented', `blockio class "${blockio}": there are no blockio classes`);
    const closID = classOf('rdt', wish);
    if (closID === '') return;
    if (!rdt) {
      throw new Fault(
        'failed_precondition',
        `RDT class "${closID}": this machine has no resctrl file system mounted`,
      );
    }
    linux.intelRdt = { ...linux.intelRdt, closID };
  };
}

/** The container's own annotation, else the pod's for this container, else the pod's for all of them. */
function classOf(kind: 'rdt' | 'blockio', { config, sandbox }: ClassWish): string {
  const pod = `${kind}.resources.beta.kubernetes.io`;
  return (
    config.annotations[`io.kubernetes.cri.${kind}-class`] ??
    sandbox.annotations[`${pod}/container.${config.metadata?.name ?? ''}`] ??
    sandbox.annotations[`${pod}/pod`] ??
    ''
  );
}
