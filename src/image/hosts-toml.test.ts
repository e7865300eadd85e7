import { expect, test } from 'vitest';
import { defaultEndpoint, hostDirectories, parseHostsToml } from './hosts-toml.ts';

const file = '/certs.d/reg.test:5000/hosts.toml';
const read = (text: string, host = 'reg.test:5000') => parseHostsToml(text, { file, host });
const plainEndpoint = {
  mirror: false,
  pull: true,
  resolve: true,
  skipVerify: false,
  ca: [],
  client: [],
  headers: {},
};

test.each([
  ['reg.test', ['reg.test', '_default']],
  ['reg.test:5000', ['reg.test_5000_', 'reg.test:5000', '_default']],
  ['[::1]:5000', ['[::1]_5000_', '[::1]:5000', '_default']],
])('directories of %s', (host, names) => {
  expect(hostDirectories(host)).toEqual(names);
});

test.each([
  ['docker.io', 'https://registry-1.docker.io/v2'],
  ['reg.test:5000', 'https://reg.test:5000/v2'],
  ['localhost', 'http://localhost/v2'],
  ['127.0.0.1:5000', 'http://127.0.0.1:5000/v2'],
  ['[::1]:5000', 'http://[::1]:5000/v2'],
  ['127.0.0.1.example.test', 'https://127.0.0.1.example.test/v2'],
])('without a file, %s is at %s', (host, url) => {
  expect(defaultEndpoint(host)).toEqual({ ...plainEndpoint, url });
});

test('without a file, certificates are taken as Docker has them', () => {
  const directory = '/certs.d/reg.test';
  const names = ['b.crt', 'client.key', 'client.cert', 'a.crt', 'README'];
  expect(defaultEndpoint('reg.test', { directory, names })).toEqual({
    ...plainEndpoint,
    url: 'https://reg.test/v2',
    ca: [`${directory}/a.crt`, `${directory}/b.crt`],
    client: [{ cert: `${directory}/client.cert`, key: `${directory}/client.key` }],
  });
  expect(() => defaultEndpoint('reg.test', { directory, names: ['x.cert'] })).toThrow('x.cert has no x.key');
});

test('an empty file means the registry itself', () => {
  expect(read('')).toEqual([{ ...plainEndpoint, url: 'https://reg.test:5000/v2' }]);
});

test('mirrors keep the order of the file, wherever their sub-tables are; the server is last', () => {
  const endpoints = read(`
    server = "https://origin.test"
    [host."https://z.test".header]
      x-one = "1"
    [host."https://a.test"]
      capabilities = ["pull"]
    [host."http://m.test:80/proxy"]
    [host."https://z.test"]
      skip_verify = true
  `);
  expect(endpoints.map(({ url }) => url)).toEqual([
    'https://z.test/v2',
    'https://a.test/v2',
    'http://m.test/proxy/v2',
    'https://origin.test/v2',
  ]);
  expect(endpoints[0]).toMatchObject({ mirror: true, skipVerify: true, headers: { 'x-one': ['1'] } });
  expect(endpoints[1]).toMatchObject({ pull: true, resolve: false });
  expect(endpoints[3]).toMatchObject({ mirror: true });
});

test.each([
  ['[host."https://m.test/v2"]', 'https://m.test/v2'],
  ['[host."https://m.test/v2/"]', 'https://m.test/v2'],
  ['[host."https://m.test/v2/hub"]', 'https://m.test/v2/hub/v2'],
  ['[host."https://m.test/v2/hub"]\noverride_path = true', 'https://m.test/v2/hub'],
  ['[host."https://m.test"]\noverride_path = true', 'https://m.test'],
  ['[host."m.test"]', 'https://m.test/v2'],
  ['[host."127.0.0.1:1"]', 'http://127.0.0.1:1/v2'],
  ['[host."127.0.0.1:1"]\nca = "ca.pem"', 'https://127.0.0.1:1/v2'],
  ['[host."127.0.0.1:1"]\nskip_verify = true', 'https://127.0.0.1:1/v2'],
])('%j is at %s', (text, url) => {
  expect(read(text)[0]?.url).toBe(url);
});

test.each([
  ['ca = "/abs.pem"', { ca: ['/abs.pem'] }],
  ['ca = ["a.pem", "b.pem"]', { ca: ['/certs.d/reg.test:5000/a.pem', '/certs.d/reg.test:5000/b.pem'] }],
  ['client = "/both.pem"', { client: [{ cert: '/both.pem', key: '/both.pem' }] }],
  [
    'client = ["/a.pem", "/b.pem"]',
    {
      client: [
        { cert: '/a.pem', key: '/a.pem' },
        { cert: '/b.pem', key: '/b.pem' },
      ],
    },
  ],
  [
    'client = [["/c.pem", "/k.pem"], ["/d.pem", ""]]',
    {
      client: [
        { cert: '/c.pem', key: '/k.pem' },
        { cert: '/d.pem', key: '/d.pem' },
      ],
    },
  ],
  ['[header]\nx-a = ["1", "2"]', { headers: { 'x-a': ['1', '2'] } }],
])('%j for the server', (text, part) => {
  expect(read(text).at(-1)).toMatchObject(part);
});

test.each([
  ['server = 1', 'server must be a URL'],
  ['server = "ftp://x.test"', 'server must be an http or https URL'],
  ['host = 1', 'host must be a table'],
  ['[host."https://m.test"]\nskip_verify = "yes"', 'host."https://m.test".skip_verify must be true or false'],
  ['[host."https://m.test"]\nca = 1', 'host."https://m.test".ca must be a string or a list'],
  ['[host."https://m.test"]\nclient = [["a", "b", "c"]]', '.client must be a path'],
  ['[host."https://m.test".header]\nx = 1', 'host."https://m.test".header.x must be a string'],
  ['[host."http://"]', 'must be a URL'],
  ['= 1', 'read /certs.d'],
])('%j is refused: %s', (text, part) => {
  expect(() => read(text)).toThrow(part);
  expect(() => read(text)).toThrow(expect.objectContaining({ code: 'failed_precondition' }));
  expect(() => read(text)).toThrow(file);
});
