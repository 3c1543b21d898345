import assert from 'node:assert/strict';
import { once } from 'node:events';
import { readdir, readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { after, afterEach, before, describe, it } from 'node:test';
import { eventually, type GuardedNode, startGuardedNode } from './guarded-node.ts';

const TIMEOUT_MS = 1_500;

/** Far longer than any time limit here. */
const FOR_EVER = 'sleep 300';

describe('the time a verifier has', () => {
  let node: GuardedNode;
  before(async () => {
    node = await startGuardedNode({ perVerifierTimeout: `${TIMEOUT_MS}ms` });
  });
  after(() => node.stop());
  afterEach(() => rm(join(node.dir, 'pid'), { force: true }));

  const note = 'echo $$ > $DIR/pid';

  /** Why it was refused, and that not before the verifier's time was over. Undefined when it was pulled. */
  const pullToTheEnd = async (script: string): Promise<string | undefined> => {
    await node.guardBy({ guard: script });
    const begun = performance.now();
    const refusal = await node.pull();
    const took = performance.now() - begun;
    assert.ok(took >= TIMEOUT_MS, `after ${took} ms: ${refusal}`);
    return refusal;
  };
  const refusedAtTimeout = async (script: string) => (await pullToTheEnd(script)) ?? 'pulled';

  /**
   * The limit ends the reading of output by one clock and the verifier by another. When the verifier has left already
   * with exit code 0, it depends on which of them is first whether that counts, and in which words it is an error (containerd
   * 2.4.2, Go's os/exec).
   */
  const assertUndecided = (refusal: string | undefined) => {
    if (refusal !== undefined)
      assert.match(
        refusal,
        /failed to call verifier guard .*: (?:context deadline exceeded|exec: canceling Cmd: no such process)$/,
      );
  };

  it('ends with a kill that takes the whole process group, and loses what was printed', async () => {
    const refusal = await refusedAtTimeout(`${note}; echo because; ${FOR_EVER} & ${FOR_EVER} & wait`);
    assert.match(refusal, /blocking pull of .* failed to call verifier guard \(runtime .*\): .*: signal: killed$/);
    assert.doesNotMatch(refusal, /because/);
    await groupGone(await notedPid(node));
  });

  it('ends for the CRI with the same words', async () => {
    await node.guardBy({ guard: `echo because; ${FOR_EVER}` });
    const refusal = (await node.pullByCri()) ?? '';
    assert.match(refusal, /failed to pull and unpack image .*failed to call verifier guard .*: signal: killed$/);
    assert.doesNotMatch(refusal, /because/);
  });

  it('ends without a warning: there is no SIGTERM before', async () => {
    const refusal = await refusedAtTimeout(
      `trap 'echo warned > $DIR/warned' TERM INT HUP; while :; do sleep 0.1; done`,
    );
    assert.match(refusal, /signal: killed$/);
    await assert.rejects(readFile(join(node.dir, 'warned')), { code: 'ENOENT' });
  });

  it('ends for one that hangs while containerd still has much to read from it', async () => {
    const refusal = await refusedAtTimeout(`head -c 100000 /dev/zero; ${FOR_EVER}`);
    assert.match(refusal, /signal: killed$/);
  });

  for (const [stream, redirected] of [
    ['output', '2> /dev/null'],
    ['standard error', '> /dev/null'],
  ]) {
    it(`goes on while a child in the background holds its ${stream}, and what exit code 0 means then is a race`, async () => {
      const refusal = await pullToTheEnd(`${note}; ${FOR_EVER} ${redirected} & exit 0`);
      const group = await notedPid(node);
      const alive = await aliveInGroup(group);
      killGroup(group);
      assertUndecided(refusal);
      if (refusal === undefined) assert.equal(alive.length, 1, 'the kill comes with the refusal alone');
      await groupGone(group);
    });
  }

  it('goes on in the same way for a refusal, which stands but loses its reason', async () => {
    const refusal = await refusedAtTimeout(`${note}; echo because; ${FOR_EVER} & exit 3`);
    killGroup(await notedPid(node));
    assert.match(refusal, /verifier guard rejected image \(exit code 3\): $/);
  });

  it('goes on for a child in a session of its own too, which is not killed', async () => {
    const refusal = await pullToTheEnd(`setsid sh -c '${note}; exec ${FOR_EVER}' & exit 0`);
    const group = await notedPid(node);
    const alive = await aliveInGroup(group);
    killGroup(group);
    assertUndecided(refusal);
    assert.deepEqual(alive, [group]);
  });

  it('is not taken by a child that let go of all it inherited', async () => {
    await node.guardBy({ guard: `setsid sh -c '${note}; exec ${FOR_EVER}' < /dev/null > /dev/null 2>&1 & exit 0` });
    const refusal = await node.pull();
    killGroup(await notedPid(node));
    assert.equal(refusal, undefined);
  });

  it('is each verifier its own', async () => {
    const most = TIMEOUT_MS * 0.6;
    const slow = `sleep ${most / 1_000}`;
    await node.guardBy({ a: slow, b: slow });
    const begun = performance.now();
    assert.equal(await node.pull(), undefined);
    assert.ok(performance.now() - begun > TIMEOUT_MS);
  });

  it('does not begin the next one after it is over', async () => {
    await node.guardBy({ a: FOR_EVER, b: 'echo ran > $DIR/second' });
    assert.match((await node.pull()) ?? '', /failed to call verifier a .*signal: killed$/);
    await assert.rejects(readFile(join(node.dir, 'second')), { code: 'ENOENT' });
  });
});

describe('a client that goes away', () => {
  let node: GuardedNode;
  before(async () => {
    // So that it can't be the time limit that ends the verifier.
    node = await startGuardedNode({ perVerifierTimeout: '1h' });
  });
  after(() => node.stop());

  it('ends the verifier with its process group at once, and the next pull is as any other', {
    timeout: 60_000,
  }, async () => {
    await node.guardBy({ guard: `trap '' TERM INT HUP; ${FOR_EVER} & echo $$ > $DIR/pid; wait` });
    const client = await node.beginPull();
    const pid = await notedPid(node);
    assert.equal((await aliveInGroup(pid)).length, 2);
    const gone = once(client, 'exit');
    client.kill('SIGKILL');
    await gone;
    await groupGone(pid);
    await node.guardBy({ guard: 'exit 0' });
    assert.equal(await node.pull(), undefined);
  });
});

/** The process id that a verifier wrote down. */
function notedPid({ dir }: GuardedNode): Promise<string> {
  return eventually('a process id from the verifier', async () => {
    const text = await readFile(join(dir, 'pid'), 'utf8').catch(() => '');
    return text.endsWith('\n') ? text.trim() : undefined;
  });
}

function killGroup(group: string): void {
  try {
    process.kill(-Number(group), 'SIGKILL');
  } catch {
    // Nobody was left.
  }
}

/** A process that was killed takes a moment to be gone. */
async function groupGone(group: string): Promise<void> {
  await eventually(`nobody in process group ${group}`, async () =>
    (await aliveInGroup(group)).length === 0 ? true : undefined,
  );
}

/** The processes of a process group, those that are dead and only not collected left out, as in proc(5). */
async function aliveInGroup(group: string): Promise<readonly string[]> {
  const alive: string[] = [];
  for (const pid of await readdir('/proc')) {
    if (!/^\d+$/.test(pid)) continue;
    const status = await readFile(`/proc/${pid}/stat`, 'utf8').catch(() => '');
    const [state, , groupOf] = status.slice(status.lastIndexOf(')') + 2).split(' ');
    if (groupOf === group && state !== 'Z' && state !== 'X') alive.push(pid);
  }
  return alive;
}
