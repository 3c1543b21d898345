import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { chmodSync, mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { fileURLToPath } from 'node:url';
import { parseAllDocuments } from 'yaml';
import { temporaryFolder } from '../../support/temporary-folder.ts';

const read = (name: string) => readFileSync(new URL(`../../../infra/kubernetes/${name}`, import.meta.url), 'utf8');

describe('the DaemonSet', () => {
  const documents = parseAllDocuments(read('daemonset.yaml')).map((document) => {
    assert.deepEqual([...document.errors, ...document.warnings], []);
    return document.toJS() as Record<string, unknown>; // what the file says is looked at below
  });

  it('gives the script the files that it knows, and the host that it changes', () => {
    const [, config, set] = documents;
    const script = read('install-on-host.sh');
    const [, names = ''] = /for name in (.*); do/.exec(script) ?? [];
    assert.deepEqual(Object.keys(config?.['data'] ?? {}).toSorted(), names.split(' ').toSorted());
    assert.partialDeepStrictEqual(set, {
      kind: 'DaemonSet',
      spec: {
        updateStrategy: { rollingUpdate: { maxUnavailable: 1 } },
        template: { spec: { hostPID: true, volumes: [{ name: 'host', hostPath: { path: '/' } }, { name: 'node' }] } },
      },
    });
  });

  it('starts from an image that is named by its digest', () => {
    const bases = read('Dockerfile')
      .split('\n')
      .filter((line) => /^\s*FROM\b/i.test(line));
    assert.equal(bases.length, 1);
    for (const base of bases) {
      assert.match(base, /^FROM [a-z0-9.-]+\.[a-z]+\/[a-z0-9/._-]+:\d+\.\d+\.\d+@sha256:[0-9a-f]{64}( AS \w+)?$/);
    }
  });

  it('runs what its image has', () => {
    const dockerfile = read('Dockerfile');
    assert.match(dockerfile, /^COPY dist\/node \/release$/m);
    assert.match(dockerfile, /^COPY infra\/kubernetes\/install-on-host\.sh \/install-on-host$/m);
    assert.match(JSON.stringify(documents[2]), /\/install-on-host && touch \/installed/);
  });

  for (const [outcome, code] of [
    ['is refused', 1],
    ['succeeds', 0],
  ] as const) {
    it(`lets nobody read the environment while it installs, and leaves none when the installation ${outcome}`, async () => {
      await using folder = await temporaryFolder();
      const [host, release, given, bin] = ['host', 'release', 'given', 'bin'].map((name) => join(folder.path, name));
      assert.ok(host && release && given && bin);
      for (const path of [host, release, given, bin]) mkdirSync(path);
      writeFileSync(join(release, 'portcullis'), '', { mode: 0o777 });
      chmodSync(join(release, 'portcullis'), 0o777);
      writeFileSync(join(given, 'shim.env'), 'TEMPORAL_API_KEY=secret\n', { mode: 0o644 });
      // stands for the installation: tells the rights of what it is given
      const told = 'find "$1/opt/portcullis/incoming" -exec stat -c "%a %U %n" {} +';
      writeFileSync(join(bin, 'chroot'), `#!/bin/sh\n${told}\nexit ${code}\n`, { mode: 0o755 });
      const script = fileURLToPath(new URL('../../../infra/kubernetes/install-on-host.sh', import.meta.url));
      const env = { PATH: `${bin}:${process.env['PATH']}`, HOST: host, RELEASE: release, GIVEN: given };
      const run = spawnSync('sh', ['-c', 'umask 022; exec sh "$0"', script], { env, encoding: 'utf8' });
      assert.equal(run.status, code, run.stderr);
      const rights = run.stdout
        .trim()
        .split('\n')
        .map((line) => line.replace(`${host}/opt/portcullis/`, ''));
      assert.deepEqual(rights.toSorted(), [
        '600 root incoming/given/shim.env',
        '700 root incoming',
        '700 root incoming/given',
        '700 root incoming/portcullis',
      ]);
      assert.deepEqual(readdirSync(join(host, 'opt/portcullis')), []);
      assert.equal(statSync(join(host, 'opt/portcullis')).mode & 0o777, 0o755);
    });
  }
});
