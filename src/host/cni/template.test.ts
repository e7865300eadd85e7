import { expect, test } from 'vitest';
import { renderTemplate } from './template.ts';

const values = {
  PodCIDR: '10.1.0.0/24',
  PodCIDRRanges: ['10.1.0.0/24', 'fd00::/64'],
  Routes: ['0.0.0.0/0', '::/0'],
};

test.each([
  ['plain text', 'plain text'],
  ['{"subnet": "{{.PodCIDR}}"}', '{"subnet": "10.1.0.0/24"}'],
  ['{{ .PodCIDR }}', '10.1.0.0/24'],
  ['{{range .Routes}}<{{.}}>{{end}}', '<0.0.0.0/0><::/0>'],
  ['{{range $r := .Routes}}{{$r}};{{end}}', '0.0.0.0/0;::/0;'],
  [
    '[{{range $i, $range := .PodCIDRRanges}}{{if $i}}, {{end}}[{"subnet": "{{$range}}"}]{{end}}]',
    '[[{"subnet": "10.1.0.0/24"}], [{"subnet": "fd00::/64"}]]',
  ],
  ['{{if .Routes}}some{{else}}none{{end}}', 'some'],
  ['{{range $i, $r := .Routes}}{{if $i}}next{{else}}first{{end}} {{end}}', 'first next '],
  ['a\n  {{- range .Routes }}\n{{ . }}\n  {{- end }}\nb', 'a\n0.0.0.0/0\n::/0\nb'],
  ['{{range .Routes}}{{$.PodCIDR}} {{end}}', '10.1.0.0/24 10.1.0.0/24 '],
])('%s', (template, expected) => {
  expect(renderTemplate(template, values)).toBe(expected);
});

test.each([
  ['{{.Other}}', '.Other is not known'],
  ['{{$x}}', '$x is not known'],
  ['{{range .Routes}}', 'no {{end}}'],
  ['{{if .Routes}}{{else}}', 'no {{end}}'],
  ['{{end}}', '{{end}} is not understood'],
  ['{{range .PodCIDR}}{{end}}', 'no list'],
  ['{{template "x"}}', '{{template "x"}} is not understood'],
  ['{{len .Routes}}', '{{len .Routes}} is not understood'],
])('%s is refused: %s', (template, message) => {
  expect(() => renderTemplate(template, values)).toThrow(message);
});
