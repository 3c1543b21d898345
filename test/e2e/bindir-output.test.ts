import assert from 'node:assert/strict';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { type GuardedNode, startGuardedNode } from './guarded-node.ts';

/** What containerd keeps of each stream. */
const KEPT = 32 * 1024;
const MUCH = 500_000;

describe('what a verifier prints', () => {
  let node: GuardedNode;
  before(async () => {
    node = await startGuardedNode({ debug: true });
  });
  after(() => node.stop());

  /** Refuses with these bytes on standard output, and answers what ctr and CRI make of them. */
  const say = async (bytes: string | Uint8Array): Promise<readonly string[]> => {
    await writeFile(join(node.dir, 'said'), bytes);
    await node.guardBy({ guard: 'cat $DIR/said; exit 7' });
    const refusals = [await node.pull(), await node.pullByCri()];
    return refusals.map((refusal) => refusal?.split('rejected image (exit code 7): ')[1] ?? `no reason in: ${refusal}`);
  };

  it('is trimmed of white space at both ends and keeps its lines', async () => {
    assert.deepEqual(await say('\n\t  first line \n\n  second line\r\n \n'), [
      'first line \n\n  second line',
      'first line \n\n  second line',
    ]);
  });

  it('may be nothing, which leaves a refusal without a reason', async () => {
    await node.guardBy({ guard: 'exit 7' });
    assert.match((await node.pull()) ?? '', /verifier guard rejected image \(exit code 7\): $/);
    // Over gRPC the message then ends with a blank, which RFC 9113 section 8.2.1 forbids: the client may see no message.
    assert.match((await node.pullByCri()) ?? '', /^Error: 2 UNKNOWN/);
  });

  it('reaches the client whole up to 32 KiB', async () => {
    assert.deepEqual(await say('x'.repeat(KEPT)), ['x'.repeat(KEPT), 'x'.repeat(KEPT)]);
  });

  it('is cut after 32 KiB, and says so', async () => {
    const cut = `${'x'.repeat(KEPT)}(stdout truncated)`;
    assert.deepEqual(await say(`${'x'.repeat(KEPT)}y`), [cut, cut]);
    assert.deepEqual(await say('x'.repeat(MUCH)), [cut, cut]);
  });

  it('is cut by bytes, in the midst of a character too', async () => {
    const cut = `${'x'.repeat(KEPT - 1)}\u{fffd}(stdout truncated)`;
    assert.deepEqual(await say(`${'x'.repeat(KEPT - 1)}\u{fc}`), [cut, cut]);
  });

  it('may be no UTF-8, of which the broken bytes are replaced', async () => {
    const repaired = 'a\u{fffd}\u{fffd}b \u{fffd}(';
    assert.deepEqual(await say(Buffer.from('a\xff\xfeb \xc3(', 'latin1')), [repaired, repaired]);
  });

  it('reaches the client with the control characters that are in it', async () => {
    const hostile = 'red \u{1b}[31m\u{0} bell \u{7} %s $(id) "quoted" \\n';
    assert.deepEqual(await say(hostile), [hostile, hostile]);
  });

  it('does not block a verifier that agrees at length, in one go or byte by byte, on either stream', async () => {
    const large = `head -c ${MUCH} /dev/zero`;
    const bytewise = `${large} | dd bs=1 status=none`;
    await node.guardBy({ a: large, b: bytewise, c: `${large} >&2`, d: `${bytewise} >&2` });
    assert.equal(await node.pullByCri(), undefined);
  });

  it('is not a broken pipe either: everything is taken from it', async () => {
    const script = `head -c ${MUCH} /dev/zero >&2 || exit 8; head -c ${MUCH} /dev/zero || exit 9; echo whole > $DIR/written`;
    await node.guardBy({ guard: script });
    assert.equal(await node.pull(), undefined);
    assert.equal(await readFile(join(node.dir, 'written'), 'utf8'), 'whole\n');
  });

  it('is for an allowed pull in the debug log only, joined by commas', async () => {
    await node.guardBy({ 'a-first': 'echo fine', 'b-second': 'echo also fine' });
    assert.equal(await node.pull(), undefined);
    const log = await readFile(node.containerd.log, 'utf8');
    assert.match(log, /level=debug msg="Image verifier allowed pull".*reason="a-first => fine, b-second => also fine"/);
  });

  it('is on standard error for the debug log, line by line, 32 KiB of it', async () => {
    await writeFile(join(node.dir, 'said'), `first\nsecond\n${`${'e'.repeat(1023)}\n`.repeat(40)}never seen\n`);
    await node.guardBy({ 'stderr-guard': 'cat $DIR/said >&2; exit 0' });
    assert.equal(await node.pull(), undefined);
    const lines = (await readFile(node.containerd.log, 'utf8'))
      .split('\n')
      .filter((line) => line.includes('image_verifier=stderr-guard'));
    assert.ok(lines.every((line) => line.includes('level=debug') && line.includes('stream=stderr')));
    assert.match(lines[0] ?? '', /msg=first /);
    assert.match(lines[1] ?? '', /msg=second /);
    assert.match(lines.at(-1) ?? '', /msg="\(previous logs may be truncated\)"/);
    const kept =
      lines
        .join('')
        .match(/e{60,}/g)
        ?.join('').length ?? 0;
    assert.ok(kept > KEPT - 1200 && kept <= KEPT, `${kept} bytes of the long lines`);
    assert.doesNotMatch(lines.join(''), /never seen/);
  });

  it('reaches the client from standard output alone', async () => {
    await node.guardBy({ guard: 'echo aloud; echo aside >&2; exit 1' });
    const refusal = (await node.pull()) ?? '';
    assert.match(refusal, /: aloud$/);
    assert.doesNotMatch(refusal, /aside/);
  });
});
