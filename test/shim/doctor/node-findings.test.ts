import assert from 'node:assert/strict';
import {
  chmodSync,
  chownSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  renameSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, describe, it, type TestContext } from 'node:test';
import { createCanaries } from '../../../shim/canary/canary.ts';
import { configOf } from '../../../shim/containerd/running.ts';
import { daemonFindings } from '../../../shim/doctor/daemon-findings.ts';
import { FINDING_IDS, type Finding } from '../../../shim/doctor/finding.ts';
import { LAUNCHER, launcherFindings } from '../../../shim/doctor/launcher-findings.ts';
import { secretFindings } from '../../../shim/doctor/secret-findings.ts';
import { serveVerifier } from '../../../shim/grpc/server.ts';
import { listenPrivately } from '../../../shim/host/socket.ts';
import type { PartState } from '../../../shim/metrics.ts';
import { digestOf, TEST_FLEET } from '../../support/verdicts.ts';

const root = mkdtempSync(join(tmpdir(), 'portcullis-doctor-'));
after(() => rmSync(root, { recursive: true }));
let count = 0;

function folder(): string {
  const path = join(root, String(++count));
  mkdirSync(path, { mode: 0o755 });
  return path;
}

function binDir(): string {
  const path = folder();
  writeFileSync(join(path, LAUNCHER), '#!/bin/true\n', { mode: 0o755 });
  return path;
}

/** Moves the folder of verifiers, or its launcher, into a folder of another user, and puts a link in its place. */
function linkedFrom(what: 'bin' | typeof LAUNCHER): (path: string) => void {
  return (path) => {
    const [from, theirs] = [what === 'bin' ? path : join(path, what), folder()];
    renameSync(from, join(theirs, 'moved'));
    symlinkSync(join(theirs, 'moved'), from);
    chownSync(theirs, 1_000, 1_000);
  };
}

const told = (findings: readonly Finding[]) => findings.map(({ id, severity }) => `${id} ${severity}`);

describe('the folder of verifiers', () => {
  it('is as it should be with the launcher alone', async () => {
    assert.deepEqual(await launcherFindings(binDir()), []);
  });

  const changes: readonly (readonly [string, (path: string) => void, readonly string[]])[] = [
    ['is gone', (path) => rmSync(path, { recursive: true }), ['bin-dir-missing open']],
    ['is empty', (path) => rmSync(join(path, LAUNCHER)), ['bin-dir-empty open']],
    [
      'is a file',
      (path) => {
        rmSync(path, { recursive: true });
        writeFileSync(path, '');
      },
      ['bin-dir-missing stuck'],
    ],
    ['can be written by others', (path) => chmodSync(path, 0o777), ['bin-dir-untrusted open']],
    ['is a link into a folder of another user', linkedFrom('bin'), ['bin-dir-untrusted open']],
    ['has a launcher that is a link to a program of another user', linkedFrom(LAUNCHER), ['bin-dir-untrusted open']],
    ['has a launcher of somebody', (path) => chownSync(join(path, LAUNCHER), 1_000, 1_000), ['bin-dir-untrusted open']],
    [
      'has a launcher that can not run',
      (path) => chmodSync(join(path, LAUNCHER), 0o644),
      ['launcher-not-executable stuck'],
    ],
    ['has a hidden file', (path) => writeFileSync(join(path, '.gitkeep'), ''), ['stray-entry stuck']],
    ['has a folder', (path) => mkdirSync(join(path, 'lost+found')), ['stray-entry stuck']],
    ['has a link that leads nowhere', (path) => symlinkSync('/nowhere', join(path, 'old')), ['stray-entry stuck']],
    ['has another verifier', (path) => writeFileSync(join(path, 'cosign'), '', { mode: 0o755 }), ['stray-entry weak']],
    [
      'has another verifier only',
      (path) => {
        rmSync(join(path, LAUNCHER));
        writeFileSync(join(path, 'cosign'), '', { mode: 0o755 });
      },
      ['launcher-missing open', 'stray-entry weak'],
    ],
  ];
  for (const [what, change, expected] of changes) {
    it(`is found wanting when it ${what}`, async () => {
      const path = binDir();
      change(path);
      assert.deepEqual(told(await launcherFindings(path)), expected);
    });
  }
});

describe('the daemon', () => {
  const none = {
    ...{ grpcSocket: '/none/g.sock', verdictKeys: undefined, bootstrap: undefined, state: undefined },
    ...{ taskQueue: 'q', fleet: TEST_FLEET, metrics: undefined },
  };

  async function listening(t: TestContext): Promise<string> {
    const launcherSocket = join(folder(), 'l.sock');
    const listener = await listenPrivately(launcherSocket, { accept: (connection) => connection.destroy() });
    t.after(() => listener.close());
    return launcherSocket;
  }

  /** A daemon that tells this of itself by its own socket. */
  async function telling(t: TestContext, metrics: string, parts: readonly PartState[] = []) {
    const grpcSocket = join(folder(), 'g.sock');
    const never = () => Promise.reject(new Error('not asked here'));
    const node = { canaries: createCanaries(), describe: async () => ({ metrics, parts }) };
    const server = await serveVerifier(grpcSocket, { decide: never, resolve: never, node });
    t.after(() => server.close(0));
    return { ...none, launcherSocket: await listening(t), grpcSocket };
  }

  async function metricsWith(t: TestContext, body: string): Promise<string> {
    const server = createServer((_, response) => response.end(body)).listen(0, '127.0.0.1');
    t.after(() => server.close());
    await new Promise((resolve) => server.once('listening', resolve));
    return `127.0.0.1:${(server.address() as AddressInfo).port}`; // it listens on TCP
  }

  it('is as it should be when it answers and knows the policy', async (t) => {
    assert.deepEqual(await daemonFindings(await telling(t, 'portcullis_policy_age_seconds 4.2\n')), []);
  });

  for (const [what, body] of [
    ['has heard no policy', 'portcullis_policy_age_seconds -1\n'],
    ['heard it long ago', 'portcullis_policy_age_seconds 31\n'],
    ['answers with garbage', '<html>'],
  ] as const) {
    it(`is found wanting when it ${what}`, async (t) => {
      assert.deepEqual(told(await daemonFindings(await telling(t, body))), ['policy-unknown stuck']);
    });
  }

  it('is not judged by what another program tells that holds the port of its metrics', async (t) => {
    const metrics = await metricsWith(t, 'portcullis_policy_age_seconds 1\n');
    const problem = `listen EADDRINUSE: address already in use ${metrics}`;
    const daemon = await telling(t, 'portcullis_policy_age_seconds 600\n', [{ name: 'metrics', problem }]);
    const findings = await daemonFindings({ ...daemon, metrics });
    assert.deepEqual(told(findings), ['policy-unknown stuck', 'part-missing weak']);
    assert.equal(findings[1]?.found, `metrics: ${problem}`);
  });

  it('is judged by its metrics while it has no gRPC service, which is found too', async (t) => {
    const metrics = await metricsWith(t, 'portcullis_policy_age_seconds 31\n');
    const findings = await daemonFindings({ ...none, launcherSocket: await listening(t), metrics });
    assert.deepEqual(told(findings), ['policy-unknown stuck', 'part-missing weak']);
  });

  it('is found wanting when it is not there, was killed, or its socket is open to others', async (t) => {
    const absent = { ...none, launcherSocket: join(folder(), 'none.sock') };
    assert.deepEqual(told(await daemonFindings(absent)), ['socket-missing stuck']);
    const open = await listening(t);
    chmodSync(open, 0o666);
    assert.deepEqual(told(await daemonFindings({ ...none, launcherSocket: open })), ['socket-untrusted stuck']);
  });

  it('is found wanting with keys that are none, and with lists that say nothing', async (t) => {
    const [launcherSocket, verdictKeys, bootstrap] = [await listening(t), folder(), folder()];
    writeFileSync(join(verdictKeys, 'a.pub'), 'no key');
    writeFileSync(join(bootstrap, 'a.list'), 'pause:3.10\n');
    const settings = { ...none, launcherSocket, verdictKeys, bootstrap };
    assert.deepEqual(told(await daemonFindings(settings)), [
      'part-missing weak',
      'verdict-keys weak',
      'verdict-keys stuck',
      'bootstrap-problem weak',
      'bootstrap-empty weak',
    ]);
    writeFileSync(join(bootstrap, 'a.list'), digestOf('aa'));
    assert.equal((await daemonFindings({ ...settings, verdictKeys: join(root, 'none') })).length, 2);
  });
});

describe('the environment of the daemon', () => {
  it('is found wanting when others may read it', () => {
    const path = join(folder(), 'shim.env');
    assert.deepEqual(secretFindings(path), []);
    writeFileSync(path, 'TEMPORAL_API_KEY=secret', { mode: 0o600 });
    assert.deepEqual(secretFindings(path), []);
    for (const mode of [0o640, 0o604]) {
      chmodSync(path, mode);
      assert.deepEqual(told(secretFindings(path)), ['environment-readable weak']);
    }
    chmodSync(path, 0o600);
    chownSync(path, 1_000, 0);
    assert.deepEqual(told(secretFindings(path)), ['environment-readable weak']);
  });
});

describe('what is known of a running containerd', () => {
  for (const [args, expected] of [
    [['containerd'], '/etc/containerd/config.toml'],
    [['containerd', '--config', '/x.toml'], '/x.toml'],
    [['containerd', '-c', '/x.toml', '--log-level', 'debug'], '/x.toml'],
    [['containerd', '--config=/x y.toml'], '/x y.toml'],
    [['containerd', '--config'], '/etc/containerd/config.toml'],
  ] as const) {
    it(`is its configuration by ${args.join(' ')}`, () => {
      assert.equal(configOf(args), expected);
    });
  }
});

describe('the findings', () => {
  it('are documented, all of them and no others', () => {
    const readme = readFileSync(new URL('../../../shim/doctor/README.md', import.meta.url), 'utf8');
    const rows = [...readme.matchAll(/^\| (`.*?) \| (?:open|stuck|weak)/gm)].map(([, ids = '']) => ids);
    const documented = rows.flatMap((ids) => [...ids.matchAll(/`([a-z-]+)`/g)].map(([, id = '']) => id));
    assert.deepEqual(documented.toSorted(), [...FINDING_IDS].toSorted());
  });
});
