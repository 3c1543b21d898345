import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { timeExec, timeSuccess } from './timed-exec.ts';

const node = (script: string) => ({
  file: process.execPath,
  args: ['-e', script],
  env: process.env,
  stdin: 'descriptor',
});

describe('a timed program', () => {
  it('gets its standard input, and what it says is kept', async () => {
    const exit = await timeExec(node('process.stdin.pipe(process.stdout); process.exitCode = 3'));
    assert.deepEqual([exit.exitCode, exit.output], [3, 'descriptor']);
  });

  it('counts at least as long as it runs', async () => {
    const wait = 'Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 100)';
    assert.ok((await timeSuccess(node(wait))) >= 100);
  });

  it('may read nothing of its standard input', async () => {
    const unread = { ...node('process.exit(0)'), stdin: 'x'.repeat(1_000_000) };
    assert.equal((await timeExec(unread)).exitCode, 0);
  });

  it('is no measurement when it fails: the error tells what it said', async () => {
    await assert.rejects(
      timeSuccess(node('console.log("UNSIGNED: no"); process.exitCode = 1')),
      /found 1: UNSIGNED: no/,
    );
  });

  it('is no measurement when it cannot be executed', async () => {
    await assert.rejects(timeExec({ ...node(''), file: '/nonexistent/portcullis-verifier' }), /ENOENT/);
  });
});
