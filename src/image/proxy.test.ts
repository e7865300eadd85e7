import { expect, test } from 'vitest';
import { proxyFor } from './proxy.ts';

const env = { HTTPS_PROXY: 'http://p.test:3128', http_proxy: 'plain.test:80' };

test.each([
  ['https://reg.test/v2/', 'http://p.test:3128'],
  ['http://reg.test/v2/', 'http://plain.test:80'],
  ['http://127.0.0.1:5000/', null],
  ['https://localhost/', null],
  ['https://[::1]:5000/', null],
])('%s goes by %s', (url, proxy) => {
  expect(proxyFor(url, env)).toBe(proxy);
});

test.each([
  ['*', 'https://reg.test/', true],
  ['reg.test', 'https://reg.test/', true],
  ['reg.test', 'https://sub.reg.test:5000/', true],
  ['reg.test', 'https://otherreg.test/', false],
  ['.reg.test', 'https://reg.test/', false],
  ['.reg.test', 'https://a.reg.test/', true],
  ['*.reg.test', 'https://a.reg.test/', true],
  ['reg.test:5000', 'https://reg.test/', false],
  ['reg.test:5000, other', 'https://reg.test:5000/', true],
  ['reg.test:443', 'https://REG.test/', true],
  ['10.0.0.0/8', 'https://10.1.2.3/', true],
  ['10.0.0.0/8', 'https://11.1.2.3/', false],
  ['10.0.0.0/8', 'https://10.test/', false],
  ['10.0.0.0/99', 'https://10.1.2.3/', false],
  ['10.1.2.3', 'https://10.1.2.3:5000/', true],
  ['fd00::/8', 'https://[fd00::1]/', true],
  ['fd00::1', 'https://[fd00::1]/', true],
  ['', 'https://reg.test/', false],
])('NO_PROXY=%j and %s: %s', (noProxy, url, exempt) => {
  expect(proxyFor(url, { ...env, NO_PROXY: noProxy }) === null).toBe(exempt);
  expect(proxyFor(url, { ...env, no_proxy: noProxy }) === null).toBe(exempt);
});

test('without a variable there is no proxy; one that is no URL is refused without being quoted', () => {
  expect(proxyFor('https://reg.test/', {})).toBeNull();
  expect(proxyFor('https://reg.test/', { HTTPS_PROXY: '' })).toBeNull();
  expect(() => proxyFor('https://reg.test/', { HTTPS_PROXY: 'ftp://u:secret@x' })).toThrow('HTTPS_PROXY');
  expect(() => proxyFor('https://reg.test/', { HTTPS_PROXY: 'ftp://u:secret@x' })).not.toThrow('secret');
});
