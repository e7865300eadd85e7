import { expect, it, test } from 'vitest';
import { locateKeys, positionOf } from './locate.ts';

const TEXT = `# cni.timeout_ms = 1
listen = "/a" # [containerd]
  root = """
[cni]
state = 3
\\"""" 
[ "containerd" ] # here
address = '''
namespace = "x"
'''
"name\\u0073pace" = 'x#y'

[cni]
bin_dirs = [
  "/a]", # conf_dir = 3
  '/b',
]
conf_dir="/c"
[runtimes . runc]
  type = "t"
[runtimes]
kata = { type = "a=b,", root = "}" , sandbox = "pause" }
images.certs_dir = 2024-01-01
after = true
`;

it.each([
  [['listen'], 2, 1],
  [['root'], 3, 3],
  [['containerd'], 7, 3],
  [['containerd', 'address'], 8, 1],
  [['containerd', 'namespace'], 11, 1],
  [['cni'], 13, 2],
  [['cni', 'bin_dirs'], 14, 1],
  [['cni', 'conf_dir'], 18, 1],
  [['runtimes'], 19, 2],
  [['runtimes', 'runc'], 19, 13],
  [['runtimes', 'runc', 'type'], 20, 3],
  [['runtimes', 'kata'], 22, 1],
  [['runtimes', 'kata', 'type'], 22, 10],
  [['runtimes', 'kata', 'root'], 22, 25],
  [['runtimes', 'kata', 'sandbox'], 22, 38],
  [['runtimes', 'images', 'certs_dir'], 23, 8],
  [['runtimes', 'after'], 24, 1],
])('%j stands at %i:%i', (path, line, column) => {
  expect(locateKeys(TEXT)(path)).toEqual({ line, column });
});

it.each([[['state']], [['cni', 'timeout_ms']], [['containerd', 'state']], [['cni', 'state']]])(
  '%j, which only stands in a comment or a string, is not found',
  (path) => {
    expect(locateKeys(TEXT)(path)).toBeNull();
  },
);

it.each(['a = [1, 2', 'x', '[', '[[', 'a = {', 'a = "', '= = =', 'a = [ =', '"""', '\u0000'])(
  'broken text %j ends the search',
  (text) => {
    expect(locateKeys(text)(['nothing'])).toBeNull();
  },
);

test('windows line ends count once', () => {
  expect(locateKeys('a = 1\r\n[cni]\r\nb = 2\r\n')(['cni', 'b'])).toEqual({ line: 3, column: 1 });
  expect(positionOf('ab\ncd', 4)).toEqual({ line: 2, column: 2 });
});
