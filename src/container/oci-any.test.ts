import { expect, test } from 'vitest';
import { EMPTY_SPEC } from '../spec/build.ts';
import type { OciSpec } from '../spec/oci.ts';
import { specAny, specFrom } from './oci-any.ts';

test('no limit is written as the number that Go reads, also after it was read once', () => {
  const spec = structuredClone<OciSpec>(EMPTY_SPEC);
  spec.process.rlimits = [{ type: 'RLIMIT_CORE', soft: 7, hard: 2 ** 64 }];
  spec.process.args = ['":18446744073709552000,'];
  const once = specAny(spec);
  const twice = specAny(specFrom(once));
  for (const any of [once, twice]) {
    const text = Buffer.from(any.value).toString('utf8');
    expect(text).toContain('"soft":7,"hard":18446744073709551615}');
  }
  expect(specFrom(twice)).toEqual(spec);
});
