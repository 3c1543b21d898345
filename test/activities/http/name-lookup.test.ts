import assert from 'node:assert/strict';
import type { LookupAddress } from 'node:dns';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, it, type TestContext } from 'node:test';
import { createNameLookup, type NameLookupOptions } from '../../../activities/http/name-lookup.ts';
import { type NameAnswer, startNameServer } from '../../support/name-server.ts';
import { temporaryFolder } from '../../support/temporary-folder.ts';

interface Scene {
  /** What DNS was asked since the last call. */
  asked(): readonly string[];
  writeHosts(text: string): Promise<void>;
  find(name: string): Promise<readonly LookupAddress[]>;
}

async function scene(
  t: TestContext,
  answerOf: (name: string) => NameAnswer,
  files: { readonly hosts?: string; readonly resolv?: string } = {},
  options: NameLookupOptions = {},
): Promise<Scene> {
  const server = await startNameServer(answerOf);
  t.after(() => server.stop());
  const folder = await temporaryFolder();
  t.after(() => folder[Symbol.asyncDispose]());
  const [hostsFile, resolvConf] = [join(folder.path, 'hosts'), join(folder.path, 'resolv.conf')];
  await writeFile(hostsFile, files.hosts ?? '');
  await writeFile(resolvConf, files.resolv ?? '');
  const lookup = createNameLookup({ hostsFile, resolvConf, servers: [server.address], ...options });
  let read = 0;
  return {
    asked() {
      const since = server.asked.slice(read);
      read = server.asked.length;
      return since;
    },
    writeHosts: (text) => writeFile(hostsFile, text),
    find: (name) =>
      new Promise((resolve, reject) => {
        lookup(name, { all: true }, (error, addresses) => {
          if (error !== null) reject(error);
          else resolve(Array.isArray(addresses) ? addresses : []);
        });
      }),
  };
}

const addressesOf = (found: readonly LookupAddress[]) => found.map(({ address }) => address);

describe('a lookup', () => {
  it('asks DNS, and says that a name has no address', async (t) => {
    const { find } = await scene(t, (name) => (name === 'r.example' ? ['192.0.2.1', '192.0.2.2'] : 'absent'));
    assert.deepEqual(await find('R.Example'), [
      { address: '192.0.2.1', family: 4 },
      { address: '192.0.2.2', family: 4 },
    ]);
    await assert.rejects(find('no.example'), { code: 'ENOTFOUND' });
  });

  it('reads the hosts file first, at each change, without a question to DNS', async (t) => {
    const hosts = '# a comment\n192.0.2.7 r.example other # r2.example\n2001:db8::7 r.example\nnot an address\n';
    const { find, asked, writeHosts } = await scene(t, () => 'absent', { hosts });
    assert.deepEqual(addressesOf(await find('r.example')), ['192.0.2.7', '2001:db8::7']);
    assert.deepEqual(addressesOf(await find('OTHER')), ['192.0.2.7']);
    assert.deepEqual(asked(), []);
    await assert.rejects(find('r2.example'), { code: 'ENOTFOUND' });
    await writeHosts('192.0.2.8 r2.example\n');
    assert.deepEqual(addressesOf(await find('r2.example')), ['192.0.2.8']);
    await assert.rejects(find('r.example'), { code: 'ENOTFOUND' });
  });

  it('knows localhost without DNS, and by the hosts file where that names it', async (t) => {
    const plain = await scene(t, () => 'silence');
    assert.deepEqual(addressesOf(await plain.find('localhost')), ['127.0.0.1', '::1']);
    assert.deepEqual(addressesOf(await plain.find('a.localhost')), ['127.0.0.1', '::1']);
    const named = await scene(t, () => 'silence', { hosts: '127.0.0.5 localhost\n' });
    assert.deepEqual(addressesOf(await named.find('localhost')), ['127.0.0.5']);
  });

  it('follows the search list as resolv.conf(5) has it', async (t) => {
    const resolv = 'nameserver 192.0.2.53\nsearch ns.svc.cluster.local svc.cluster.local\noptions ndots:2 timeout:1\n';
    const { find, asked } = await scene(
      t,
      (name) => (name === 'registry.svc.cluster.local' || name === 'a.b.example' ? ['192.0.2.9'] : 'absent'),
      { resolv },
    );
    assert.deepEqual(addressesOf(await find('registry')), ['192.0.2.9']);
    assert.deepEqual(asked(), ['registry.ns.svc.cluster.local', 'registry.svc.cluster.local']);
    assert.deepEqual(addressesOf(await find('a.b.example')), ['192.0.2.9']);
    assert.deepEqual(asked(), ['a.b.example']);
    await assert.rejects(find('registry.'), { code: 'ENOTFOUND' });
    assert.deepEqual(asked(), ['registry']);
  });

  it('ends in its time when no name server answers, and holds nothing up meanwhile', async (t) => {
    const options = { timeoutMs: 3_000 };
    const { find } = await scene(t, (name) => (name === 'r.example' ? ['192.0.2.1'] : 'silence'), {}, options);
    const start = performance.now();
    let ended = 0;
    const silent = Array.from({ length: 200 }, async (_, index) => {
      await assert.rejects(find(`n${index}.example`), { code: 'ETIMEOUT' });
      ended++;
    });
    assert.deepEqual(addressesOf(await find('r.example')), ['192.0.2.1']);
    assert.equal(ended, 0, 'it waited for a name that has no answer');
    await Promise.all(silent);
    assert.ok(performance.now() - start < 6_000, `${performance.now() - start} ms`);
  });

  it('is one question for those who ask for the same name at once', async (t) => {
    const { find, asked } = await scene(t, () => ['192.0.2.1']);
    await Promise.all(Array.from({ length: 50 }, () => find('r.example')));
    assert.deepEqual(asked(), ['r.example']);
  });
});
