import assert from 'node:assert/strict';
import { once } from 'node:events';
import { chmod, mkdir, readFile, rename, stat, writeFile } from 'node:fs/promises';
import { connect } from 'node:net';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { status } from '@grpc/grpc-js';
import { freePort } from '../../infra/stack/ports.ts';
import { followHealth, listServices } from '../shim/standard-services.ts';
import { callVerifier } from '../shim/verifier-caller.ts';
import { leaveDeadSocket } from '../support/launcher-socket.ts';
import { assertRefused, pullThrough } from '../support/pull.ts';
import { DIGEST, dir, NAME, Shim, sockets, startShim, writeKey } from './lone-daemon.ts';

const asking = () => ({ name: NAME, descriptor: { mediaType: '', digest: DIGEST, size: 0 } });

describe('the sockets of the daemon', () => {
  it('are for its own user, and there without Temporal', async (test) => {
    await startShim(test);
    for (const path of Object.values(sockets)) assert.equal((await stat(path)).mode & 0o777, 0o600);
    assert.equal((await stat(join(dir, 'run'))).mode & 0o022, 0);
    assertRefused(await pullThrough(sockets.launcher, NAME, DIGEST), 'TEMPORAL_UNREACHABLE');
  });

  it('replace those of a daemon that was killed', async (test) => {
    await mkdir(join(dir, 'run'));
    for (const path of Object.values(sockets)) await leaveDeadSocket(path);
    await startShim(test);
    const run = await pullThrough(sockets.launcher, 'NOT A NAME', DIGEST);
    assertRefused(run, 'REQUEST_INVALID');
  });

  it('are not taken from a daemon that lives, and the second one ends', async (test) => {
    const first = await startShim(test);
    const second = new Shim(test);
    await second.exited;
    assert.notEqual(second.process.exitCode, 0);
    assert.match(second.stderr, /launcher\.sock: another program is listening there; stop it first/);
    assertRefused(await pullThrough(sockets.launcher, 'NOT A NAME', DIGEST), 'REQUEST_INVALID');
    assert.equal(first.process.exitCode, null);
  });

  it('are not made in a directory that others write to, nor in the place of a file', async (test) => {
    await mkdir(join(dir, 'run'));
    await chmod(join(dir, 'run'), 0o777);
    const open = new Shim(test);
    await open.exited;
    assert.match(open.stderr, /expected .*run to be writable by its owner only, found mode 777; chmod go-w/);
    await chmod(join(dir, 'run'), 0o755);
    await writeFile(sockets.launcher, 'precious');
    const shim = new Shim(test);
    await shim.exited;
    assert.match(shim.stderr, /launcher\.sock: expected a socket or nothing, found something else/);
    assert.equal(await readFile(sockets.launcher, 'utf8'), 'precious');
    await assert.rejects(stat(sockets.grpc), /ENOENT/);
  });
});

describe('a daemon that is stopped', () => {
  it('answers the running pulls, leaves new ones to the next daemon, and leaves no socket', async (test) => {
    const port = await freePort();
    const shim = await startShim(test, ['--metrics', `127.0.0.1:${port}`]);
    const caller = callVerifier(sockets.grpc);
    const health = followHealth(caller.client);
    test.after(() => caller.close());
    assert.equal(await health.next(), 'NOT_SERVING');
    const running = [pullThrough(sockets.launcher, NAME, DIGEST), caller.verify(asking())] as const;
    while (!(await scrape(port)).includes('portcullis_decisions_in_flight 2\n')) await delay(20);
    shim.process.kill('SIGTERM');
    await shim.said('stopping');

    // A launcher waits some seconds for the next daemon, and here is none.
    const late = pullThrough(sockets.launcher, NAME, DIGEST);
    const refused = await caller.verify(asking());
    assert.equal(refused.code, status.UNAVAILABLE);
    assert.equal(refused.verdict?.reasons[0]?.code, 'SHIM_STOPPING');

    assertRefused(await running[0], 'TEMPORAL_UNREACHABLE');
    assertRefused(await late, 'SHIM_ABSENT');
    const answered = await running[1];
    assert.equal(answered.code, status.UNAVAILABLE);
    assert.equal(answered.verdict?.reasons[0]?.code, 'TEMPORAL_UNREACHABLE');
    await shim.exited;
    assert.equal(shim.process.exitCode, 0, shim.stderr);
    for (const path of Object.values(sockets)) await assert.rejects(stat(path), /ENOENT/);
    assert.equal(shim.lines('decision').length, 3);
    assert.equal(shim.stdout, '');
  });

  it('is gone at once when nothing runs, whoever stays connected', async (test) => {
    const shim = await startShim(test);
    const silent = connect(sockets.launcher).on('error', () => {});
    await once(silent, 'connect');
    const caller = callVerifier(sockets.grpc);
    assert.equal(await followHealth(caller.client).next(), 'NOT_SERVING');
    test.after(() => caller.close());
    const begun = performance.now();
    shim.process.kill('SIGINT');
    await shim.exited;
    assert.equal(shim.process.exitCode, 0);
    assert.ok(performance.now() - begun < 5_000);
  });
});

describe('a daemon that is told to reload', () => {
  it('reads the verdict keys again, and refuses by name what is no key', async (test) => {
    const shim = await startShim(test);
    await writeKey('next.pub');
    shim.process.kill('SIGHUP');
    assert.equal((await shim.said('reloaded'))['verdictKeys'], 2);
    await writeFile(join(dir, 'keys', 'broken.pub'), 'no key');
    shim.process.kill('SIGHUP');
    assert.equal((await shim.said('reloaded', 2))['verdictKeys'], 2);
    const line = await shim.said('verdict key refused');
    assert.equal(line.level, 'warn');
    assert.match(String(line['problem']), /expected a PEM public key in .*broken\.pub/);
  });

  it('keeps the keys it has when it can read none, and has none when they are gone', async (test) => {
    const shim = await startShim(test);
    await rename(join(dir, 'keys'), join(dir, 'away'));
    shim.process.kill('SIGHUP');
    const line = await shim.said('not reloaded, the verdict keys stay as they were');
    assert.match(String(line['error']), /ENOENT/);
    await mkdir(join(dir, 'keys'));
    assert.equal((await shim.said('reloaded'))['verdictKeys'], 0);
    assert.equal((await shim.said('no verdict key is left: every pull is refused until there is one')).level, 'warn');
  });
});

describe('what the daemon says', () => {
  it('is one log line a decision, whoever asked, and nothing about who only looks', async (test) => {
    const shim = await startShim(test);
    const looking = connect(sockets.launcher);
    await once(looking, 'connect');
    looking.end();
    await once(looking.resume(), 'close');
    const caller = callVerifier(sockets.grpc);
    test.after(() => caller.close());
    await caller.verify({ name: '\u001b[31m\u009b31m\u202e' });
    await caller.verify(asking(), Date.now() + 500);
    await pullThrough(sockets.launcher, 'NOT A NAME', DIGEST);
    const invalid = await shim.said('decision');
    const silent = await shim.said('decision', 2);
    const launcher = await shim.said('decision', 3);
    assert.equal(shim.lines('decision').length, 3);
    assert.partialDeepStrictEqual(invalid, { level: 'warn', decision: 'deny', front: 'grpc' });
    assert.match(String(invalid['reason']), /^REQUEST_INVALID: /);
    const subject = { name: NAME, digest: DIGEST, decision: 'inconclusive', front: 'grpc' };
    assert.partialDeepStrictEqual(silent, subject);
    assert.match(String(silent['reason']), /^(TEMPORAL_UNREACHABLE|POLICY_UNKNOWN): /);
    assert.match(String(silent['decisionId']), /^[0-9a-z]{13}$/);
    assert.equal(typeof silent['durationMs'], 'number');
    assert.partialDeepStrictEqual(launcher, { decision: 'deny', front: 'launcher' });
    assert.doesNotMatch(shim.stderr.replaceAll('\n', ''), /[\p{Cc}\p{Cf}]/u);
    assert.equal(shim.stdout, '');
  });

  it('is in the metrics that the README promises, under the labels it names', async (test) => {
    const port = await freePort();
    await startShim(test, ['--metrics', `127.0.0.1:${port}`]);
    const caller = callVerifier(sockets.grpc);
    test.after(() => caller.close());
    await caller.verify({});
    const text = await scrape(port);
    const readme = await readFile(new URL('../../shim/README.md', import.meta.url), 'utf8');
    const promised = [...readme.matchAll(/^\| `(portcullis_\w+)` \| (.*?) \|/gm)].map(([, name = '', labels = '']) => ({
      name,
      labels: [...labels.matchAll(/`(\w+)`/g)].map(([, label = '']) => label).toSorted(),
    }));
    const served = [...text.matchAll(/^# TYPE (portcullis_\w+) /gm)].map(([, name = '']) => ({
      name,
      labels: labelsOf(text, name),
    }));
    const byName = (one: { name: string }, other: { name: string }) => one.name.localeCompare(other.name);
    assert.deepEqual(served.toSorted(byName), promised.toSorted(byName));
    assert.match(text, /^portcullis_decisions_total\{front="grpc",outcome="deny",reason="REQUEST_INVALID"\} 1$/m);
    assert.match(text, /^portcullis_policy_age_seconds -1$/m);
    assert.match(text, /^portcullis_decisions_in_flight 0$/m);
    assert.equal((await fetch(`http://127.0.0.1:${port}/`)).status, 404);
  });

  it('can be discovered by reflection', async (test) => {
    await startShim(test);
    const caller = callVerifier(sockets.grpc);
    test.after(() => caller.close());
    const services = await listServices(caller.client);
    assert.ok(services.includes('portcullis.v1.Verifier'), services.join());
    assert.ok(services.includes('grpc.health.v1.Health'), services.join());
  });
});

async function scrape(port: number): Promise<string> {
  const response = await fetch(`http://127.0.0.1:${port}/metrics`);
  assert.match(response.headers.get('content-type') ?? '', /^text\/plain; version=0\.0\.4/);
  return await response.text();
}

/** The labels of the samples of a metric, except the one that makes a histogram. */
function labelsOf(text: string, name: string): readonly string[] {
  const labels = new Set<string>();
  for (const [, inside = ''] of text.matchAll(new RegExp(`^${name}(?:_bucket)?\\{(.*)\\} `, 'gm'))) {
    for (const [, label = ''] of inside.matchAll(/(\w+)="/g)) if (label !== 'le') labels.add(label);
  }
  return [...labels].toSorted();
}
