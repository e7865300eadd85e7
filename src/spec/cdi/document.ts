import { Fault } from '../../lib/fault.ts';
import type { CdiEdits } from './edits.ts';
import { isEmpty, readEdits } from './edits.ts';
import { isDeviceName, isKind } from './names.ts';
import type { Fields } from './values.ts';
import { fieldsAt, listAt, textAt } from './values.ts';

/** One file of devices, as the Container Device Interface defines it (CDI specification 0.3.0 to 1.1.0). */
export interface CdiDocument {
  /** `vendor/class`. */
  kind: string;
  devices: { name: string; edits: CdiEdits }[];
  /** For every container that gets one of the devices. */
  edits: CdiEdits;
}

const VERSIONS = ['0.3.0', '0.4.0', '0.5.0', '0.6.0', '0.7.0', '0.8.0', '1.0.0', '1.1.0'];

/** What came later than the first version, and with which. */
interface Use {
  what: string;
  since: string;
  used: boolean;
}

/**
 * Reads what was parsed from JSON or YAML. Throws `invalid_argument` for all that the specification does not
 * know, and for a field that the document's own version does not know. The network devices and RDT schemata of
 * 1.1.0 are among the unknown: a runtime of today would drop them without a word.
 */
export function readDocument(value: unknown): CdiDocument {
  const fields = ['cdiVersion', 'kind', 'annotations', 'devices', 'containerEdits'];
  const document = fieldsAt('document', value, fields);
  const version = textAt('cdiVersion', document['cdiVersion']).replace(/^v/, '');
  if (!VERSIONS.includes(version)) {
    throw new Fault('invalid_argument', `cdiVersion: "${version}" is none of ${VERSIONS.join(', ')}`);
  }
  const kind = textAt('kind', document['kind']);
  if (!isKind(kind)) throw new Fault('invalid_argument', `kind: "${kind}" is not of the form vendor/class`);

  const edits = readEdits('containerEdits', document['containerEdits']);
  const raw = listAt('devices', document['devices']).map(([at, device]) => ({
    at,
    fields: fieldsAt(at, device, ['name', 'annotations', 'containerEdits']),
  }));
  const devices = raw.map(({ at, fields: device }) => readDevice(at, device));
  checkDevices(devices);

  const annotated = [document, ...raw.map(({ fields: device }) => device)].some(hasAnnotations);
  checkVersion(version, usesOf({ kind, devices, edits }, annotated));
  return { kind, devices, edits };
}

function readDevice(at: string, device: Fields): CdiDocument['devices'][number] {
  const name = textAt(`${at}.name`, device['name']);
  if (!isDeviceName(name)) throw new Fault('invalid_argument', `${at}.name: "${name}" is not a device name`);
  const edits = readEdits(`${at}.containerEdits`, device['containerEdits']);
  if (isEmpty(edits))
    throw new Fault('invalid_argument', `${at}.containerEdits: device "${name}" changes nothing`);
  return { name, edits };
}

function checkDevices(devices: CdiDocument['devices']): void {
  if (devices.length === 0) throw new Fault('invalid_argument', 'devices: there are none');
  const names = devices.map(({ name }) => name);
  const twice = names.find((name, i) => names.indexOf(name) !== i);
  if (twice !== undefined) throw new Fault('invalid_argument', `devices: "${twice}" is there twice`);
}

function usesOf({ kind, devices, edits }: CdiDocument, annotated: boolean): Use[] {
  const all = [edits, ...devices.map((device) => device.edits)];
  const nodes = all.flatMap(({ deviceNodes }) => deviceNodes);
  const mounts = all.flatMap((each) => each.mounts);
  return [
    { what: 'the type of a mount', since: '0.4.0', used: mounts.some(({ type }) => type !== 'bind') },
    {
      what: 'a device name that starts with a digit',
      since: '0.5.0',
      used: devices.some(({ name }) => /^\d/.test(name)),
    },
    {
      what: 'hostPath of a device node',
      since: '0.5.0',
      used: nodes.some(({ path, hostPath }) => hostPath !== path),
    },
    { what: 'annotations', since: '0.6.0', used: annotated },
    {
      what: 'a dot in the class of the kind',
      since: '0.6.0',
      used: kind.split('/')[1]?.includes('.') ?? false,
    },
    { what: 'intelRdt', since: '0.7.0', used: all.some(({ intelRdt }) => intelRdt !== null) },
    {
      what: 'additionalGids',
      since: '0.7.0',
      used: all.some(({ additionalGids }) => additionalGids.length > 0),
    },
  ];
}

function checkVersion(version: string, uses: Use[]): void {
  const early = uses.find(({ since, used }) => used && VERSIONS.indexOf(since) > VERSIONS.indexOf(version));
  if (early) {
    throw new Fault(
      'invalid_argument',
      `${early.what} came with version ${early.since}, the file says ${version}`,
    );
  }
}

function hasAnnotations({ annotations }: Fields): boolean {
  return typeof annotations === 'object' && annotations !== null && Object.keys(annotations).length > 0;
}
