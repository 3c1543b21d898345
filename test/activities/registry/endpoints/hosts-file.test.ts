import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { parseHostsFile } from '../../../../activities/registry/endpoints/hosts-file.ts';

describe('a hosts.toml', () => {
  it('names mirrors in their order, and what stands for the registry', () => {
    const hosts = parseHostsFile(`
server = "https://origin.example"
ca = "origin.crt"

[host."https://b.example/proxy"]
  capabilities = ["pull", "resolve"]
  override_path = true
  skip_verify = true
  dial_timeout = "2s"
  client = [["c.pem", "k.pem"], "both.pem"]
[host."https://b.example/proxy".header]
  x-tenant = ["one", "two"]

[host."push.example"]
  capabilities = ["push"]

[host."http://a.example:5000"]
  ca = ["1.crt", "2.crt"]
`);
    assert.ok(typeof hosts !== 'string', String(hosts));
    assert.deepEqual(
      hosts.mirrors.map(({ url }) => url),
      ['https://b.example/proxy', 'http://a.example:5000'],
    );
    assert.partialDeepStrictEqual(hosts.mirrors[0], {
      ...{ overridePath: true, skipVerify: true, headers: { 'x-tenant': 'one, two' } },
      clients: [
        { certificate: 'c.pem', key: 'k.pem' },
        { certificate: 'both.pem', key: 'both.pem' },
      ],
    });
    assert.deepEqual(hosts.mirrors[1]?.authorities, ['1.crt', '2.crt']);
    assert.partialDeepStrictEqual(hosts.origin, { url: 'https://origin.example', authorities: ['origin.crt'] });
    assert.partialDeepStrictEqual(parseHostsFile(''), { mirrors: [], origin: { url: '' } });
  });

  for (const [what, text, problem] of [
    ['garbage', '\u0000\u0001', /^expected TOML/],
    ['text that breaks off', '[host."https://a', /^expected TOML/],
    ['a server that is no text', 'server = 1', /^server: /],
    ['a server with a password', 'server = "https://u:p@a.example"', /^server: expected a URL of a host without user/],
    ['a host that is no URL', '[host."https://"]', /^host\."https:\/\/"\.: expected a URL/],
    ['hosts that are no tables', 'host = 1', /^host: expected tables/],
    ['a host that is no table', '[host]\n"https://a.example" = 1', /expected a table/],
    ['a misspelt key', '[host."https://a.example"]\nskip_verfy = true', /skip_verfy: expected one of capabilities, /],
    [
      'verification that is skipped by a text',
      '[host."https://a.example"]\nskip_verify = "no"',
      /skip_verify: expected true or false/,
    ],
    ['a header that brings another', '[host."https://a.example".header]\nx = "1\\r\\ny: 2"', /header: expected names/],
    ['a header without a name', '[host."https://a.example".header]\n"" = "1"', /header: expected names/],
    ['three files of one client', '[host."https://a.example"]\nclient = [["a", "b", "c"]]', /client: expected a path/],
    ['an authority that is a number', '[host."https://a.example"]\nca = 1', /ca: expected a path/],
    [
      'more mirrors than anybody has',
      Array.from({ length: 40 }, (_, n) => `[host."https://m${n}.example"]`).join('\n'),
      /at most 32/,
    ],
  ] as const) {
    it(`is refused with ${what}, and the key is named`, () => {
      const hosts = parseHostsFile(text);
      assert.match(typeof hosts === 'string' ? hosts : 'it was read', problem);
    });
  }
});
