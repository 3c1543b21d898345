import assert from 'node:assert/strict';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { readShimFile } from '../../shim/configuration.ts';

let dir: string;
before(async () => {
  dir = await mkdtemp(join(tmpdir(), 'portcullis-configuration-'));
});
after(() => rm(dir, { recursive: true }));

async function read(content: string | Uint8Array) {
  const path = join(dir, 'shim.yaml');
  await writeFile(path, content);
  return await readShimFile(path);
}

describe("the daemon's file", () => {
  it('is read as settings and their text', async () => {
    const found = await read('# the node\nverdict-keys: /etc/portcullis/verdict-keys\nmetrics: "off"\n');
    assert.deepEqual(found, { 'verdict-keys': '/etc/portcullis/verdict-keys', metrics: 'off' });
  });

  it('may be empty', async () => {
    assert.deepEqual(await read(''), {});
    assert.deepEqual(await read('# nothing yet\n'), {});
  });

  const wrong: readonly (readonly [string, string | Uint8Array, RegExp])[] = [
    ['a misspelt setting', 'verdict-key: /x\n', /shim\.yaml: "verdict-key": expected one of verdict-keys, /],
    ['a setting twice', 'node: a\nnode: b\n', /shim\.yaml: Map keys must be unique at line 2/],
    ['a number', 'node: 7\n', /node: expected text/],
    ['no text', 'node: ""\n', /node: expected text/],
    ['a list', '- verdict-keys\n', /expected lines such as/],
    ['a word', 'verdict-keys', /expected lines such as/],
    ['an alias', 'node: &a x\nstate: *a\n', /[Aa]lias/],
    ['a tag', 'node: !!js/function x\n', /shim\.yaml: /],
    ['YAML that breaks off', 'node: "a\n', /shim\.yaml: Missing closing/],
    ['bytes that are no text', Uint8Array.of(0xff, 0xfe, 0x00), /not valid/],
    ['too much', `# ${'x'.repeat(70_000)}\n`, /expected at most 65536 bytes/],
    ['a value without end', `node: ${'x'.repeat(5_000)}\n`, /node: expected text of 1 to 4096/],
  ];
  for (const [what, content, expected] of wrong) {
    it(`is refused with ${what}`, async () => {
      await assert.rejects(read(content), expected);
    });
  }
});
