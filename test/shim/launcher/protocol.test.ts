import assert from 'node:assert/strict';
import { once } from 'node:events';
import { connect, createServer, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import fc from 'fast-check';
import {
  encodeAllow,
  encodeRefusal,
  LAUNCHER_LIMITS,
  LauncherProtocolError,
  MAX_REQUEST_BYTES,
  parseLauncherRequest,
  readLauncherRequest,
} from '../../../shim/launcher/protocol.ts';
import { encodeRequest, MAGIC } from '../../support/launcher-request.ts';

async function connection(t: TestContext): Promise<{ readonly server: Socket; readonly client: Socket }> {
  const path = join(tmpdir(), `portcullis-protocol-${process.pid}-${Math.random().toString(36).slice(2)}.sock`);
  const listener = createServer({ allowHalfOpen: true }).listen(path);
  await once(listener, 'listening');
  const client = connect({ path, allowHalfOpen: true }).on('error', () => {});
  // The cast holds for every 'connection' event of node:net.
  const [server] = (await once(listener, 'connection')) as [Socket];
  server.on('error', () => {});
  t.after(() => {
    client.destroy();
    server.destroy();
    listener.close();
  });
  return { server, client };
}

const rejection = (pattern: RegExp) => (error: unknown) =>
  error instanceof LauncherProtocolError && pattern.test(error.message);

test('reads back every request, whatever its bytes', () => {
  fc.assert(
    fc.property(fc.array(fc.string({ unit: 'binary' }), { maxLength: 64 }), fc.uint8Array(), (words, stdin) => {
      const wellFormed = words.map((word) => word.toWellFormed());
      const bytes = encodeRequest(
        wellFormed.map((word) => Buffer.from(word)),
        stdin,
      );
      const request = parseLauncherRequest(bytes);
      assert.deepEqual(request.arguments, wellFormed);
      assert.deepEqual(Buffer.from(request.stdin), Buffer.from(stdin));
    }),
  );
});

test('refuses every prefix of a request and every request with more behind it', () => {
  const whole = encodeRequest([Buffer.from('-name'), Buffer.from('a/b:c')], Buffer.from('{}\n'));
  for (let length = 0; length < whole.length; length++) {
    assert.throws(() => parseLauncherRequest(whole.subarray(0, length)), LauncherProtocolError, `prefix of ${length}`);
  }
  assert.throws(() => parseLauncherRequest(Buffer.concat([whole, Buffer.of(0)])), rejection(/found 1 bytes more/));
});

test('garbage throws the typed error or is a request, never anything else', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 200 }), fc.boolean(), (tail, magic) => {
      const bytes = magic ? Buffer.concat([MAGIC, tail]) : Buffer.from(tail);
      try {
        assert.ok(parseLauncherRequest(bytes).arguments.length <= 64);
      } catch (error) {
        assert.ok(error instanceof LauncherProtocolError, String(error));
      }
    }),
  );
});

test('refuses another version, too many arguments, long arguments, long input and text that is no UTF-8', () => {
  const none = new Uint8Array();
  const words = (count: number, length: number) => Array.from({ length: count }, () => Buffer.alloc(length, 'a'));
  assert.throws(
    () => parseLauncherRequest(Buffer.from('portcullis-launcher/2\n')),
    rejection(/portcullis-launcher\/1/),
  );
  assert.throws(() => parseLauncherRequest(encodeRequest(words(65, 1), none)), rejection(/at most 64, found 65/));
  assert.equal(parseLauncherRequest(encodeRequest(words(64, 1024), none)).arguments.length, 64);
  assert.throws(
    () => parseLauncherRequest(encodeRequest([...words(63, 1024), ...words(1, 1025)], none)),
    rejection(/1025/),
  );
  assert.throws(
    () => parseLauncherRequest(encodeRequest([], Buffer.alloc(LAUNCHER_LIMITS.maxStdinBytes + 1))),
    rejection(/standard input: expected at most 1048576, found 1048577/),
  );
  assert.throws(
    () => parseLauncherRequest(encodeRequest([Buffer.of(0xff)], none)),
    rejection(/argument 1: expected UTF-8/),
  );
});

test('keeps a byte order mark: an argument is what it was', () => {
  assert.deepEqual(parseLauncherRequest(encodeRequest([Buffer.from('\ufeffa')], new Uint8Array())).arguments, [
    '\ufeffa',
  ]);
});

test('reads a request that arrives byte by byte, and the socket still takes the answer', async (t) => {
  const { server, client } = await connection(t);
  const reading = readLauncherRequest(server);
  for (const byte of encodeRequest([Buffer.from('-name')], Buffer.from('{}'))) client.write(Buffer.of(byte));
  client.end();
  assert.deepEqual((await reading).arguments, ['-name']);
  server.end(encodeAllow());
  assert.deepEqual(Buffer.concat(await client.toArray()), Buffer.from('allow\n'));
});

test('stops at the limit while reading, and the sender gets its answer', async (t) => {
  const { server, client } = await connection(t);
  client.end(Buffer.alloc(8 * 1024 * 1024));
  await assert.rejects(readLauncherRequest(server), rejection(/expected "portcullis-launcher\/1"/));
  server.end(encodeRefusal('too large'));
  assert.equal(Buffer.concat(await client.toArray()).toString(), 'refuse\ntoo large\n');
});

test('gives up at the first byte that no request has there, without waiting for the end', async (t) => {
  const none = new Uint8Array();
  const good = encodeRequest([Buffer.from('-name')], Buffer.from('{}'));
  const beginnings: readonly (readonly [Uint8Array, RegExp])[] = [
    [Buffer.from('q'), /expected "portcullis-launcher\/1"/],
    [Buffer.from('portcullis-launcher/2'), /expected "portcullis-launcher\/1"/],
    [Buffer.concat([MAGIC, Buffer.alloc(4, 0xff)]), /count of arguments: expected at most 64, found 4294967295/],
    [encodeRequest([Buffer.alloc(70_000)], none).subarray(0, 60), /argument: expected at most 65536, found 70000/],
    [encodeRequest([], Buffer.alloc(1_048_577)).subarray(0, 60), /standard input: expected at most 1048576, found/],
    [Buffer.concat([good, Buffer.of(0)]), /expected its end, found 1 bytes more/],
  ];
  for (const [bytes, pattern] of beginnings) {
    for (const cut of [bytes.length, bytes.length - 1]) {
      const { server, client } = await connection(t);
      client.write(bytes.subarray(0, cut));
      if (cut < bytes.length) setTimeout(() => client.write(bytes.subarray(cut)), 5);
      await assert.rejects(readLauncherRequest(server), rejection(pattern));
    }
  }
});

test('keeps little more than what was sent, and says how much', async (t) => {
  const { server, client } = await connection(t);
  const kept: number[] = [];
  const reading = readLauncherRequest(server, { onKept: (bytes) => void kept.push(bytes) });
  const request = encodeRequest([], Buffer.alloc(1024 * 1024));
  client.end(request);
  assert.equal((await reading).stdin.length, 1024 * 1024);
  const most = kept.at(-1) ?? 0;
  assert.ok(most >= request.length && most <= MAX_REQUEST_BYTES, `${kept}`);
  assert.deepEqual(
    kept,
    kept.toSorted((one, other) => one - other),
  );
});

test('a launcher that hangs up, or never ends, is refused', async (t) => {
  const first = await connection(t);
  const cut = readLauncherRequest(first.server);
  first.client.end(MAGIC);
  await assert.rejects(cut, rejection(/length of count of arguments: expected 4 bytes, found 0/));

  const second = await connection(t);
  second.client.write(MAGIC);
  await assert.rejects(
    readLauncherRequest(second.server, { signal: AbortSignal.timeout(50) }),
    rejection(/no end after/),
  );
  const third = await connection(t);
  await assert.rejects(readLauncherRequest(third.server, { signal: AbortSignal.abort() }), rejection(/no end after 0/));
  const fourth = await connection(t);
  const destroyed = readLauncherRequest(fourth.server);
  fourth.server.destroy();
  await assert.rejects(destroyed, rejection(/closed before its end/));
});

test('a refusal is one bounded line that begins as a refusal, whatever its reason', () => {
  const reasons = fc.oneof(
    fc.string({ unit: 'binary' }),
    fc.string({ unit: 'binary', minLength: 3000, maxLength: 6000 }),
    fc.constantFrom('', '\n', '\nallow\n', 'allow', '\u2028', 'a\u0000b', '\ud800', '\u0085'),
  );
  fc.assert(
    fc.property(reasons, (reason) => {
      const bytes = Buffer.from(encodeRefusal(reason));
      const text = new TextDecoder('utf-8', { fatal: true }).decode(bytes);
      assert.match(text, /^refuse\n[^\p{Cc}\u2028\u2029]+\n$/u);
      assert.ok(bytes.length <= 'refuse\n'.length + 4096, `${bytes.length} bytes`);
    }),
  );
});

test('a refusal keeps its words and is cut at a character', () => {
  assert.equal(Buffer.from(encodeRefusal('UNSIGNED: no\r\nsignature')).toString(), 'refuse\nUNSIGNED: no signature\n');
  assert.equal(Buffer.from(encodeRefusal(`a${'ü'.repeat(4000)}`)).toString(), `refuse\na${'ü'.repeat(2047)}\n`);
});
