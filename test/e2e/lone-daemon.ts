import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, type TestContext } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { createTestVerdictKey, digestOf } from '../support/verdicts.ts';

const MAIN = fileURLToPath(new URL('../../infra/portcullis.ts', import.meta.url));
export const DIGEST = digestOf('ab');
export const NAME = '127.0.0.1:5000/demo/app:v1';

/** The folder of the test that runs, and the sockets of its daemon. */
export let dir: string;
export let sockets: { readonly launcher: string; readonly grpc: string };
beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), 'portcullis-daemon-'));
  sockets = { launcher: join(dir, 'run', 'launcher.sock'), grpc: join(dir, 'run', 'grpc.sock') };
  await mkdir(join(dir, 'keys'));
  await writeKey('verdict.pub');
});
afterEach(() => rm(dir, { recursive: true }));

/** Puts a new verdict key into the daemon's folder of keys. */
export async function writeKey(file: string): Promise<void> {
  await writeFile(join(dir, 'keys', file), createTestVerdictKey().publicKey.export({ type: 'spki', format: 'pem' }));
}

export interface Line {
  readonly message: string;
  readonly level: string;
  readonly [field: string]: unknown;
}

/** A `portcullis shim` without any Temporal, and what it printed. */
export class Shim {
  readonly process: ChildProcess;
  readonly exited: Promise<unknown[]>;
  stdout = '';
  stderr = '';

  constructor(test: TestContext, more: readonly string[] = ['--metrics', 'off']) {
    this.process = spawn(
      process.execPath,
      [
        ...[MAIN, 'shim', '--verdict-keys', join(dir, 'keys')],
        ...['--socket', sockets.launcher, '--grpc-socket', sockets.grpc, ...more],
      ],
      { env: { ...process.env, TEMPORAL_ADDRESS: '127.0.0.1:1' }, stdio: ['ignore', 'pipe', 'pipe'] },
    );
    this.process.stdout?.setEncoding('utf8').on('data', (text: string) => (this.stdout += text));
    this.process.stderr?.setEncoding('utf8').on('data', (text: string) => (this.stderr += text));
    this.exited = once(this.process, 'close');
    test.after(() => void this.process.kill('SIGKILL'));
  }

  /** Every line on stderr is JSON: this throws for any other. */
  lines(message: string): readonly Line[] {
    const whole = this.stderr.slice(0, this.stderr.lastIndexOf('\n') + 1);
    const lines = whole.split('\n').filter((line) => line !== '');
    return lines.map((line): Line => JSON.parse(line)).filter((line) => line.message === message);
  }

  /** The `count`th line with this message. */
  async said(message: string, count = 1): Promise<Line> {
    for (;;) {
      const line = this.lines(message)[count - 1];
      if (line !== undefined) return line;
      assert.equal(this.process.exitCode, null, this.stderr);
      await delay(20);
    }
  }
}

/** A daemon that is ready; `more` are its other options. */
export async function startShim(test: TestContext, more?: readonly string[]): Promise<Shim> {
  const shim = new Shim(test, more);
  await shim.said('ready');
  return shim;
}
