import assert from 'node:assert/strict';
import { chmod, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { fileURLToPath } from 'node:url';
import { runCommand } from '../../../infra/tools/command.ts';
import { obtain } from '../../../infra/tools/obtain.ts';
import { startConnectProxy } from '../../support/connect-proxy.ts';
import { createSigningKey } from '../../support/signer.ts';
import { temporaryFolder } from '../../support/temporary-folder.ts';

const MAIN = fileURLToPath(new URL('../../../infra/portcullis.ts', import.meta.url));

describe('portcullis doctor', () => {
  it('names the proxy on the way to Temporal, what it answered, and none where proxies are off', async (t) => {
    await using folder = await temporaryFolder();
    await chmod(folder.path, 0o755);
    const proxy = await startConnectProxy({ refusal: 403 });
    t.after(() => proxy.stop());
    const config = join(folder.path, 'config.toml');
    await writeFile(config, 'version = 3\nimports = []\n');
    const key = join(folder.path, 'verdict.pub');
    await writeFile(key, createSigningKey('ECDSA P-256').publicPem);
    const { containerd } = await obtain(['containerd']);
    const look = async (setting: string, output: string) => {
      const settings = join(folder.path, 'shim.yaml');
      await writeFile(settings, `verdict-keys: ${key}\n${setting}`);
      const named = ['--containerd', containerd, '--containerd-config', config, '--config', settings];
      return await runCommand(process.execPath, [MAIN, 'doctor', ...named, '--output', output], {
        timeoutMs: 60_000,
        env: {
          PATH: process.env['PATH'] ?? '',
          TEMPORAL_ADDRESS: 'temporal.invalid:7233',
          HTTP_PROXY: `http://node:hunter2@${proxy.address}`,
        },
      });
    };
    const place = `Temporal at temporal.invalid:7233 through the proxy ${proxy.address}`;
    const text = await look('', 'text');
    assert.equal(text.code, 1, text.output);
    assert.ok(text.printed.includes(`\n${place}\n`), text.printed);
    assert.ok(
      text.printed.includes(
        `backend-unreachable: TEMPORAL_UNREACHABLE: ${place}: the proxy does not permit this connection (403)\n`,
      ),
      text.printed,
    );
    assert.match(
      text.printed,
      /cure: allow CONNECT to temporal\.invalid:7233 there, or list the host in NO_PROXY; the variables/,
    );
    const json: unknown = JSON.parse((await look('', 'json')).printed);
    assert.ok(typeof json === 'object' && json !== null && 'temporal' in json);
    assert.equal(json.temporal, place);
    const seen = proxy.seen.length;
    assert.ok(seen > 0);
    const off = await look('proxy: "off"\n', 'text');
    assert.match(off.printed, /\nTemporal at temporal\.invalid:7233\n/);
    assert.match(off.printed, /the name of the server has no address/);
    assert.equal(proxy.seen.length, seen);
    assert.doesNotMatch(text.output + off.output, /hunter2/);
  });
});
