import assert from 'node:assert/strict';
import { writeFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import { join } from 'node:path';
import { describe, it, type TestContext } from 'node:test';
import { keysListCommand } from '../../shim/cli/keys-list.ts';
import { createMetrics, serveMetrics } from '../../shim/metrics.ts';
import type { VerdictKeys } from '../../shim/verdict-keys/verdict-keys.ts';
import { listenOnLoopback } from '../support/loopback.ts';
import { temporaryFolder } from '../support/temporary-folder.ts';
import { createTestVerdictKey } from '../support/verdicts.ts';

const [one, other] = [createTestVerdictKey(), createTestVerdictKey('ed25519')];
const pem = ({ publicKey }: typeof one) => publicKey.export({ type: 'spki', format: 'pem' });

async function folderWithBoth(t: TestContext) {
  const folder = await temporaryFolder();
  t.after(() => folder[Symbol.asyncDispose]());
  await writeFile(join(folder.path, 'one.pub'), pem(one));
  await writeFile(join(folder.path, 'one.json'), '{"notAfter": "2020-01-31T12:00:00Z"}');
  await writeFile(join(folder.path, 'other.pub'), pem(other));
  return folder.path;
}

/** A shim that has these keys and believed a verdict by the last of them. */
async function shimWith(t: TestContext, keys: VerdictKeys): Promise<string> {
  const metrics = createMetrics(
    () => 0,
    () => keys,
    () => ({
      cache: undefined,
      state: { unkept: 0, unreadable: false },
      admission: { running: 0, waiting: 0 },
      listed: 0,
      canary: undefined,
      parts: [],
    }),
  );
  metrics.verdictBy([...keys.keys()].at(-1) ?? '');
  const server = await serveMetrics({ host: '127.0.0.1', port: 0 }, metrics);
  t.after(() => server.close());
  const address = server.address();
  return typeof address === 'object' && address !== null ? `127.0.0.1:${address.port}` : '';
}

async function run(t: TestContext, ...args: readonly string[]) {
  const said = t.mock.method(console, 'log', () => {});
  const complained = t.mock.method(console, 'error', () => {});
  const code = await keysListCommand.run(args);
  const lines = [...said.mock.calls, ...complained.mock.calls].map((call) => String(call.arguments[0]));
  t.mock.restoreAll();
  return { code, text: lines.join('\n') };
}

describe('keys list', () => {
  it('tells windows, states, and which key signed the last verdicts', async (t) => {
    const folder = await folderWithBoth(t);
    const metrics = await shimWith(t, new Map([...one.accepted(), ...other.accepted()]));
    const { code, text } = await run(t, '--metrics', metrics, folder);
    assert.equal(code, 0, text);
    assert.match(
      text,
      new RegExp(`key ${one.keyId}\n  file      one.pub, ECDSA P-256\n  window    ended: from ever until 2020-`),
    );
    assert.match(text, /ended: [^\n]+\n {2}verdicts {2}none since the shim was started/);
    assert.match(
      text,
      /other\.pub, Ed25519\n {2}window {4}good: [^\n]+\n {2}verdicts {2}1 since the shim was started, the last at 2/,
    );
  });

  it('finds wanting a key that the shim has not loaded, or has and should not', async (t) => {
    const folder = await folderWithBoth(t);
    const lacks = await run(t, '--metrics', await shimWith(t, one.accepted()), folder);
    assert.equal(lacks.code, 1);
    assert.match(lacks.text, /verdicts {2}not loaded by the shim/);
    const more = new Map([...one.accepted(), ...other.accepted(), ...createTestVerdictKey().accepted()]);
    const stranger = await run(t, '--metrics', await shimWith(t, more), folder);
    assert.equal(stranger.code, 1);
    assert.match(stranger.text, /the running shim believes key [0-9a-f]{64}, which is not in/);
  });

  it('finds a refused file wanting, and a folder without a good key', async (t) => {
    const folder = await folderWithBoth(t);
    await writeFile(join(folder, 'other.json'), '{"notAfter": "\u001b[31m"}');
    const { code, text } = await run(t, '--metrics', 'off', '--output', 'text', folder);
    assert.equal(code, 1);
    assert.match(text, /REFUSED .*other\.json: expected \{"notBefore"|REFUSED .*other\.json: expected notAfter/);
    assert.ok(!text.includes('\u001b'));
    const json = await run(t, '--metrics', 'off', '--output', 'json', folder);
    const listing = JSON.parse(json.text);
    assert.equal(listing.keys.length, 1);
    assert.partialDeepStrictEqual(listing.keys[0], { state: 'ended', notAfter: '2020-01-31T12:00:00.000Z' });
    assert.equal(listing.refused.length, 1);
    assert.equal(listing.shim, 'no shim was asked');
  });

  it('says when nobody, or somebody else, answers for the shim', async (t) => {
    const folder = await folderWithBoth(t);
    const server = createServer((_, response) => response.end('<html>'));
    const address = await listenOnLoopback(server);
    const stranger = await run(t, '--metrics', address, folder);
    assert.equal(stranger.code, 0);
    assert.match(stranger.text, /is not known: what answers at 127\.0\.0\.1:\d+ is no portcullis shim/);
    await new Promise((closed) => server.close(closed));
    assert.match((await run(t, '--metrics', address, folder)).text, /is not known: no shim answers at/);
  });

  it('wants one path and options that it knows', async (t) => {
    assert.equal((await run(t)).code, 2);
    assert.equal((await run(t, 'a', 'b')).code, 2);
    assert.equal((await run(t, '--output', 'yaml', 'a')).code, 2);
    assert.equal((await run(t, '--metrics', 'everywhere', 'a')).code, 2);
  });
});
