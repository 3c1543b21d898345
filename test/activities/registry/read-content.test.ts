import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { describe, it } from 'node:test';
import { EvidenceError } from '../../../activities/evidence-error.ts';
import { LARGE_READ_BYTES, MAX_LARGE_READS, MAX_LIGHT_EVIDENCE_BYTES } from '../../../activities/limits.ts';
import { readContent } from '../../../activities/registry/read-content.ts';

const CHUNK = Buffer.alloc(64 * 1024, 7);
const MAX_BYTES = 10 * 1024 * 1024;

/** A body that is as long as it is read, until it is ended. */
function endless() {
  let sent = 0;
  let isEnded = false;
  const body = new ReadableStream<Uint8Array>(
    {
      async pull(stream) {
        await new Promise((resolve) => setTimeout(resolve, 1));
        if (isEnded) return stream.close();
        if (sent < MAX_BYTES - CHUNK.length) stream.enqueue(CHUNK);
        else return await new Promise((resolve) => setTimeout(resolve, 20));
        sent += CHUNK.length;
      },
    },
    { highWaterMark: 0 },
  );
  return { response: new Response(body), sent: () => sent, end: () => (isEnded = true) };
}

const of = (host: string, part = '/v2/demo/app') => ({ maxBytes: MAX_BYTES, party: { host, part } });
const wait = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));

describe('content that is large', () => {
  it('is read a few at a time, and leaves room for other registries', async () => {
    const abort = new AbortController();
    const bodies = Array.from({ length: 30 }, endless);
    const reads = bodies.map(({ response }) => readContent('GET', response, of('flooded.example'), abort.signal));
    await wait(1_000);
    const past = bodies.filter(({ sent }) => sent() > MAX_LIGHT_EVIDENCE_BYTES + 2 * CHUNK.length).length;
    assert.ok(past >= 1 && past <= MAX_LARGE_READS / 2, `${past} of 30 are read`);
    const held = bodies.reduce((sum, { sent }) => sum + sent(), 0);
    assert.ok(held <= 30 * (MAX_LIGHT_EVIDENCE_BYTES + 2 * CHUNK.length) + past * MAX_BYTES, `${held} bytes`);
    const other = new Response(Buffer.alloc(1_000_000, 1));
    const content = await readContent('GET', other, of('other.example'), AbortSignal.timeout(5_000));
    assert.ok(content !== 'too-large');
    assert.equal(content.digest, `sha256:${createHash('sha256').update(Buffer.alloc(1_000_000, 1)).digest('hex')}`);
    abort.abort();
    for (const read of await Promise.allSettled(reads)) {
      assert.ok(read.status === 'rejected' && read.reason instanceof EvidenceError, read.status);
      assert.deepEqual([read.reason.code, read.reason.retryable], ['REGISTRY_TIMEOUT', true]);
    }
    const after = await readContent('GET', new Response(CHUNK), of('flooded.example'), AbortSignal.timeout(1_000));
    assert.ok(after !== 'too-large' && after.bytes.byteLength === CHUNK.length);
  });

  it('gives its place back however it ends', async () => {
    for (let i = 0; i < 3 * MAX_LARGE_READS; i++) {
      const limits = { ...of('one.example'), maxBytes: 400_000 };
      const signal = AbortSignal.timeout(5_000);
      assert.equal(await readContent('GET', new Response(Buffer.alloc(500_000)), limits, signal), 'too-large');
      const whole = await readContent('GET', new Response(Buffer.alloc(400_000)), limits, signal);
      assert.ok(whole !== 'too-large' && whole.bytes.byteLength === 400_000);
    }
  });

  it('keeps its place until its reader has done with it, as large as the registry says that it is', async () => {
    const signal = AbortSignal.timeout(20_000);
    const kept: (() => void)[] = [];
    const large = () => {
      const headers = { 'content-length': String(8 * LARGE_READ_BYTES) };
      return new Response(Buffer.alloc(1_000_000), { headers });
    };
    const limits = { maxBytes: 8 * LARGE_READ_BYTES, keepPlace: (leave: () => void) => kept.push(leave) };
    const of = (host: string) => ({ ...limits, party: { host, part: host } });
    for (const host of ['a.example', 'b.example', 'c.example']) await readContent('GET', large(), of(host), signal);
    assert.equal(kept.length, 3);
    let isRead = false;
    const fourth = readContent('GET', large(), of('a.example'), signal).then(() => (isRead = true));
    await wait(300);
    assert.equal(isRead, false, 'three of the largest fill the room of one registry more');
    for (const leave of kept.splice(0)) leave();
    await fourth;
    for (const leave of kept) leave();
  });
});
