import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import type { Socket } from 'node:net';
import { type TestContext, test } from 'node:test';
import fc from 'fast-check';
import { encodeAllow, encodeRefusal, parseLauncherRequest } from '../../shim/launcher/protocol.ts';
import { fakeDaemon, type LauncherRun, launcherBinary, runLauncher } from '../support/launcher.ts';

const SOURCE = new URL('../../shim/launcher/portcullis-verifier.c', import.meta.url);

/** Long enough for a noisy machine where silence is not what is tested. */
const PATIENT = { PORTCULLIS_DEADLINE_MS: '60000' };

/** Short where silence is. */
const DEADLINE_MS = 500;
const IMPATIENT = { PORTCULLIS_DEADLINE_MS: String(DEADLINE_MS) };

/** What the whole run may take beyond its deadline, process start included. */
const MARGIN_MS = 500;

const allow = (connection: Socket) => connection.end(encodeAllow());

function assertRefused(run: LauncherRun, reason: RegExp): void {
  assert.equal(run.exitCode, 1, `${run.signal} ${run.stdout}`);
  assert.match(run.stdout, reason);
  assert.match(run.stdout, /^[^\p{Cc}]+\n$/u, 'one line');
  assert.equal(run.stderr, '');
}

function assertAllowed(run: LauncherRun): void {
  assert.deepEqual([run.exitCode, run.stdout, run.stderr], [0, '', '']);
}

async function ask(
  t: TestContext,
  answer: (connection: Socket) => void,
  environment: Readonly<Record<string, string>>,
) {
  const { socket } = await fakeDaemon(t, answer);
  return { socket, run: await runLauncher({ socket, environment, stdin: Buffer.from('{}') }) };
}

test('the source is short and the program needs no library', async () => {
  const lines = (await readFile(SOURCE, 'utf8')).split('\n').length - 1;
  assert.ok(lines < 250, `${lines} lines`);
  const headers = execFileSync('readelf', ['-lW', await launcherBinary()], { encoding: 'utf8' });
  assert.match(headers, /LOAD/);
  assert.doesNotMatch(headers, /INTERP|DYNAMIC/);
});

test('passes arguments and standard input on verbatim, and an allow back', async (t) => {
  const daemon = await fakeDaemon(t, allow);
  const words = ['-name', 'with space', 'line\nfeed', 'ünï©ode', '', '--', '-x', '"quoted" $(x) `y` \\'];
  const stdin = randomBytes(128 * 1024);
  assertAllowed(await runLauncher({ socket: daemon.socket, environment: PATIENT, arguments: words, stdin }));
  const request = parseLauncherRequest(daemon.requests[0] ?? Buffer.of());
  assert.deepEqual(request.arguments, words);
  assert.ok(stdin.equals(request.stdin));
});

test('passes arguments that are no UTF-8 on as they are, for the daemon to refuse', async (t) => {
  const daemon = await fakeDaemon(t, allow);
  const word = Buffer.of(0xff, 0xfe, 0x41);
  await runLauncher({ socket: daemon.socket, environment: PATIENT, arguments: ['-name', word] });
  assert.ok(daemon.requests[0]?.includes(word));
  assert.throws(() => parseLauncherRequest(daemon.requests[0] ?? Buffer.of()), /argument 2: expected UTF-8/);
});

test('takes as much as the limits say and refuses one more', async (t) => {
  const { socket, requests } = await fakeDaemon(t, allow);
  const run = (words: readonly string[], stdin = 0) =>
    runLauncher({ socket, environment: PATIENT, arguments: words, stdin: Buffer.alloc(stdin, 'x') });
  const words = (count: number, length: number) => Array.from({ length: count }, () => 'a'.repeat(length));
  assertAllowed(await run(words(63, 1)));
  assertAllowed(await run(words(64, 1024), 1024 * 1024));
  assert.equal(parseLauncherRequest(requests[1] ?? Buffer.of()).stdin.length, 1024 * 1024);
  assertRefused(await run(words(65, 1)), /^INPUT_TOO_LARGE: expected at most 64 arguments, found 65/);
  assertRefused(
    await run(words(1, 65_537)),
    /^INPUT_TOO_LARGE: expected at most 65536 bytes of arguments, found 65537/,
  );
  assertRefused(await run([], 1024 * 1024 + 1), /^INPUT_TOO_LARGE: expected at most 1048576 bytes on standard input/);
  assert.equal(requests.length, 2, 'the daemon was not asked about what is too large');
});

test('standard input without an end is refused: at once when it is too much, at the deadline when it is nothing', async (t) => {
  const { socket } = await fakeDaemon(t, allow);
  assertRefused(await runLauncher({ socket, environment: PATIENT, stdin: 'endless' }), /^INPUT_TOO_LARGE/);
  const open = await runLauncher({ socket, environment: IMPATIENT, stdin: 'open' });
  assertRefused(open, /^INPUT_UNFINISHED: standard input did not end within 500 ms/);
});

test('closed standard input is empty input, and a closed standard output changes no exit code', async (t) => {
  const daemon = await fakeDaemon(t, allow);
  assertAllowed(await runLauncher({ socket: daemon.socket, environment: PATIENT, stdin: 'closed' }));
  assert.equal(parseLauncherRequest(daemon.requests[0] ?? Buffer.of()).stdin.length, 0);
  assertAllowed(await runLauncher({ socket: daemon.socket, environment: PATIENT, stdout: 'closed' }));
  const refusing = await fakeDaemon(t, (connection) => connection.end(encodeRefusal('DENIED: no')));
  const run = await runLauncher({ socket: refusing.socket, environment: PATIENT, stdout: 'closed' });
  assert.deepEqual([run.exitCode, run.stdout], [1, '']);
});

test('prints the reason of a refusal as one harmless line of at most 4 KiB', async (t) => {
  const refusals: readonly (readonly [string, string])[] = [
    ['refuse\nUNSIGNED: no signature (portcullis explain 4xk)\n', 'UNSIGNED: no signature (portcullis explain 4xk)\n'],
    ['refuse\nDENIED: a\tb\x1b[31mred\x7f é\n', 'DENIED: a?b?[31mred? é\n'],
    [`refuse\n${'x'.repeat(9000)}\n`, `${'x'.repeat(4095)}\n`],
    [`refuse\nx${'é'.repeat(4000)}\n`, `x${'é'.repeat(2047)}\n`],
    ['refuse\n%s%n%d\n', '%s%n%d\n'],
    ['refuse\nallow\n', 'allow\n'],
  ];
  for (const [answer, expected] of refusals) {
    const { run } = await ask(t, (connection) => connection.end(answer), PATIENT);
    assert.deepEqual([run.exitCode, run.stdout, run.stderr], [1, expected, '']);
  }
});

test('an answer that is not exactly one is refused', async (t) => {
  const answers = [
    ...[
      '',
      'allow',
      'allo',
      'a',
      'Allow\n',
      'allow\n\n',
      'allow\n\0',
      '\nallow\n',
      'allow\r\n',
      'allow \n',
      'allow\0\n',
    ],
    ...[
      'allow\nrefuse\nno\n',
      'refuse',
      'refuse\n',
      'refuse\n\n',
      'refuse\nno',
      'refuse\nno\nallow\n',
      'refuse\nn\0o\n',
    ],
    ...['HTTP/1.1 400 Bad Request\r\n\r\n', 'ALLOW\n', '0\n', 'ok\n', `allow\n${' '.repeat(20_000)}`],
  ];
  for (const answer of answers) {
    const { socket, run } = await ask(t, (connection) => connection.end(answer), PATIENT);
    assertRefused(run, /^SHIM_GARBLED: /);
    assert.ok(run.stdout.includes(socket), run.stdout);
  }
});

test('of random answers only the one exact answer allows', async (t) => {
  let answer: Uint8Array = Buffer.of();
  const { socket } = await fakeDaemon(t, (connection) => connection.end(answer));
  const exact = Buffer.from('allow\n');
  const flipped = fc
    .tuple(fc.nat(5), fc.integer({ min: 0, max: 255 }))
    .map(([at, byte]) => Buffer.from(exact).fill(byte, at, at + 1));
  const extended = fc.uint8Array({ maxLength: 4 }).map((tail) => Buffer.concat([exact, tail]));
  const anything = fc.oneof(
    flipped,
    extended,
    fc.uint8Array(),
    fc.string({ unit: 'binary' }).map((text) => Buffer.from(text)),
  );
  await fc.assert(
    fc.asyncProperty(anything, async (bytes) => {
      answer = bytes;
      const run = await runLauncher({ socket, environment: PATIENT });
      assert.equal(run.exitCode, exact.equals(bytes) ? 0 : 1, run.stdout);
      assert.equal(run.stderr, '');
    }),
    { numRuns: 200 },
  );
});

test('a daemon that answers slowly, byte by byte, is heard', async (t) => {
  const { run } = await ask(t, (connection) => void drip(connection, 'allow\n'), PATIENT);
  assertAllowed(run);
});

async function drip(connection: Socket, text: string): Promise<void> {
  for (const byte of text) {
    await new Promise((resolve) => setTimeout(resolve, 20));
    connection.write(byte);
  }
  connection.end();
}

test('a daemon that is silent, late, or never done is refused at the deadline, with its socket and what to do', async (t) => {
  const silences: readonly ((connection: Socket) => void)[] = [
    () => {},
    (connection) => connection.write('allow\n'),
    (connection) => connection.write('refuse\nUNSIGNED: no\n'),
    (connection) => setTimeout(() => connection.end('allow\n'), DEADLINE_MS + 300),
    (connection) => void drip(connection, 'refuse\n'.padEnd(200, 'x')),
  ];
  const overruns: number[] = [];
  for (const silence of silences) {
    const { socket, run } = await ask(t, silence, IMPATIENT);
    assertRefused(run, /^SHIM_SILENT: .* no answer within 500 ms; pull again, and see journalctl -u portcullis-shim/);
    assert.ok(run.stdout.includes(socket));
    assert.ok(run.milliseconds >= DEADLINE_MS, `${run.milliseconds} ms`);
    if (run.milliseconds > DEADLINE_MS + MARGIN_MS) overruns.push(run.milliseconds);
  }
  // A busy machine may be late to start a process or to notice its end, but not for most of them.
  assert.ok(overruns.length <= silences.length / 2, `late by more than ${MARGIN_MS} ms: ${overruns} ms`);
});

test('a daemon that reads nothing is refused, at the deadline or with its own refusal', async (t) => {
  const large = { stdin: Buffer.alloc(1024 * 1024), environment: IMPATIENT };
  const deaf = await fakeDaemon(t, (connection) => connection.pause(), { early: true });
  assertRefused(await runLauncher({ socket: deaf.socket, ...large }), /^SHIM_SILENT/);
  const busy = await fakeDaemon(t, (connection) => connection.pause().end(encodeRefusal('SHIM_STOPPING: again')), {
    early: true,
  });
  assertRefused(await runLauncher({ socket: busy.socket, ...large }), /^SHIM_STOPPING: again\n$/);
});

test('an allow for a request that was not heard to its end is none', async (t) => {
  const { socket } = await fakeDaemon(t, (connection) => connection.pause().end(encodeAllow()), { early: true });
  const run = await runLauncher({ socket, environment: PATIENT, stdin: Buffer.alloc(1024 * 1024) });
  assertRefused(run, /^SHIM_GARBLED/);
});

test('a daemon that dies after half an answer is refused', async (t) => {
  for (const half of ['allow', 'refuse\nUNSIG', '']) {
    const { run } = await ask(t, (connection) => connection.write(half, () => connection.destroy()), PATIENT);
    assertRefused(run, /^SHIM_GARBLED/);
  }
  const hangsUp = await fakeDaemon(t, (connection) => connection.destroy(), { early: true });
  const run = await runLauncher({ socket: hangsUp.socket, environment: PATIENT, stdin: Buffer.alloc(1024 * 1024) });
  assertRefused(run, /^SHIM_GARBLED/);
});

test('an answer of a mebibyte, or without end, is cut off', async (t) => {
  const flood = Buffer.alloc(1024 * 1024, 'a');
  assertRefused((await ask(t, (connection) => connection.end(flood), PATIENT)).run, /^SHIM_GARBLED/);
  const endless = (connection: Socket) => {
    const more = () => {
      while (connection.writable && connection.write(flood));
    };
    connection.on('drain', more);
    more();
  };
  assertRefused((await ask(t, endless, PATIENT)).run, /^SHIM_GARBLED/);
});

test('a killed launcher leaves nothing behind, and the next one is answered', async (t) => {
  const heard: Socket[] = [];
  const daemon = await fakeDaemon(t, (connection) => {
    heard.push(connection);
    if (heard.length > 1) allow(connection);
    else running.resolve();
  });
  const running = Promise.withResolvers<void>();
  const killed = await runLauncher({
    socket: daemon.socket,
    environment: PATIENT,
    started: (launcher) => void running.promise.then(() => launcher.kill('SIGKILL')),
  });
  assert.deepEqual([killed.exitCode, killed.signal, killed.stdout], [null, 'SIGKILL', '']);
  assertAllowed(await runLauncher({ socket: daemon.socket, environment: PATIENT }));
});

test('no signal ends it with exit code 0', async (t) => {
  for (const signal of ['SIGTERM', 'SIGINT', 'SIGHUP', 'SIGALRM', 'SIGUSR1', 'SIGXCPU'] as const) {
    const running = Promise.withResolvers<void>();
    const { socket } = await fakeDaemon(t, () => running.resolve());
    const started = (launcher: { kill(signal: NodeJS.Signals): void }) =>
      void running.promise.then(() => launcher.kill(signal));
    const run = await runLauncher({ socket, environment: PATIENT, started });
    assert.deepEqual([run.exitCode, run.signal], [null, signal]);
  }
});

test('a hundred at once are each answered', async (t) => {
  const { socket, requests } = await fakeDaemon(t, (connection) => {
    const number = parseLauncherRequest(requests.at(-1) ?? Buffer.of()).arguments[0] ?? '';
    if (Number(number) % 2 === 0) allow(connection);
    else connection.end(encodeRefusal(`DENIED: ${number}`));
  });
  const one = (number: number) => runLauncher({ socket, environment: PATIENT, arguments: [String(number)] });
  const runs = await Promise.all(Array.from({ length: 100 }, (_, number) => one(number)));
  for (const [number, run] of runs.entries()) {
    if (number % 2 === 0) assertAllowed(run);
    else assertRefused(run, new RegExp(`^DENIED: ${number}\n$`));
  }
});
