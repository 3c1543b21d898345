import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { access, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { startServer } from '../../../infra/stack/process.ts';
import { temporaryFolder } from '../../support/temporary-folder.ts';

const STARTED = 'touch started; ';

function shell(dir: string, script: string) {
  const ready = () => access(join(dir, 'started')).then(() => true);
  return { name: 'example', program: '/bin/sh', args: ['-c', script], dir, ready };
}

describe('a server process', () => {
  it('is ready when it says so, and gone with its children after stop', async () => {
    await using folder = await temporaryFolder();
    const server = await startServer(shell(folder.path, `sleep 1000 & echo $! > child; ${STARTED} wait`));
    const child = Number(await readFile(join(folder.path, 'child'), 'utf8'));
    assert.deepEqual([await isRunning(server.pid), await isRunning(child)], [true, true]);
    await server.stop();
    await server.stop();
    assert.deepEqual([await isRunning(server.pid), await isRunning(child)], [false, false]);
  });

  it('is refused with the end of its log when it ends before it is ready', async () => {
    await using folder = await temporaryFolder();
    const refused = startServer(shell(folder.path, 'echo the port is taken >&2; exit 7'));
    await assert.rejects(refused, /example ended before it was ready \(exit code 7\).*\nthe port is taken$/);
  });

  it('is refused and ended when it is not ready in time', async () => {
    await using folder = await temporaryFolder();
    const refused = startServer({ ...shell(folder.path, 'echo $$ > pid; exec sleep 1000'), readyTimeoutMs: 500 });
    await assert.rejects(refused, /example was not ready within 0\.5 s/);
    assert.equal(await isRunning(Number(await readFile(join(folder.path, 'pid'), 'utf8'))), false);
  });

  it('is refused when its program does not exist', async () => {
    await using folder = await temporaryFolder();
    const refused = startServer({ ...shell(folder.path, ''), program: '/nonexistent/program' });
    await assert.rejects(refused, /example could not be started: .*ENOENT/);
  });

  it('is killed when it ignores SIGTERM', async () => {
    await using folder = await temporaryFolder();
    const script = `trap "" TERM; ${STARTED} while :; do sleep 0.05; done`;
    const server = await startServer({ ...shell(folder.path, script), graceMs: 200 });
    await server.stop();
    assert.equal(await isRunning(server.pid), false);
  });

  it('does nothing while it is suspended, and goes on when resumed', async () => {
    await using folder = await temporaryFolder();
    const server = await startServer(shell(folder.path, `${STARTED} while :; do echo tick; sleep 0.01; done`));
    server.suspend();
    await until(async () => /^[TD]$/.test((await stateOf(server.pid)) ?? ''));
    server.resume();
    await until(async () => !/^[TD]$/.test((await stateOf(server.pid)) ?? ''));
    server.suspend();
    await server.stop();
    assert.equal(await isRunning(server.pid), false);
  });

  for (const [how, ending] of [
    ['exits', 'process.exit(0)'],
    ['crashes', 'setImmediate(() => { throw new Error("crash") })'],
    ['is terminated', 'process.kill(process.pid, "SIGTERM")'],
  ] as const) {
    it(`is killed when its parent ${how}`, async () => {
      await using folder = await temporaryFolder();
      const program = join(folder.path, 'parent.mjs');
      const processModule = new URL('../../../infra/stack/process.ts', import.meta.url).href;
      const options = `{ name: 'x', program: '/bin/sleep', args: ['1000'], dir: ${JSON.stringify(folder.path)}, ready: async () => true }`;
      await writeFile(
        program,
        `import { startServer } from ${JSON.stringify(processModule)};
         const { pid } = await startServer(${options});
         process.stdout.write(String(pid), () => { ${ending} });`,
      );
      const parent = spawn(process.execPath, [program], { stdio: ['ignore', 'pipe', 'ignore'] });
      let printed = '';
      parent.stdout.on('data', (chunk: Buffer) => {
        printed += chunk.toString();
      });
      await once(parent, 'close');
      assert.match(printed, /^\d+$/);
      await until(async () => !(await isRunning(Number(printed))));
    });
  }
});

/** Fails by the test's own time limit when it never comes. */
async function until(holds: () => Promise<boolean>): Promise<void> {
  while (!(await holds())) await delay(10);
}

async function stateOf(pid: number): Promise<string | undefined> {
  const stat = await readFile(`/proc/${pid}/stat`, 'utf8').catch(() => '');
  return /\) (\w)/.exec(stat)?.[1];
}

/** A process that has ended and that nobody waited for yet runs no more. */
async function isRunning(pid: number): Promise<boolean> {
  const state = await stateOf(pid);
  return state !== undefined && state !== 'Z';
}
