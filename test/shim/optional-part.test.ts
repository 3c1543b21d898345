import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import type { Log } from '../../shim/log/log.ts';
import { openOptionalPart } from '../../shim/optional-part.ts';

function listening(): Log & { readonly lines: readonly string[] } {
  const lines: string[] = [];
  const note = (level: string) => (message: string, fields?: object) =>
    void lines.push(`${level} ${message} ${JSON.stringify(fields)}`);
  return { lines, info: note('info'), warn: note('warn'), error: note('error') };
}

describe('a part that the gate does not need', () => {
  it('is tried until it is there, and each new problem is told once', async () => {
    const log = listening();
    const outcomes = ['port taken', 'port taken', 'no such address', undefined];
    const open = async () => {
      const problem = outcomes.shift();
      if (problem !== undefined) throw new Error(problem);
      return () => {};
    };
    const part = openOptionalPart('metrics', open, log, 1);
    await part.tried;
    assert.equal(part.problem(), 'port taken');
    while (part.problem() !== undefined) await delay(1);
    assert.deepEqual(log.lines, [
      'warn a part of the daemon is missing; the gate works without it {"part":"metrics","error":"port taken"}',
      'warn a part of the daemon is missing; the gate works without it {"part":"metrics","error":"no such address"}',
      'info a part of the daemon is there now {"part":"metrics"}',
    ]);
    assert.deepEqual(outcomes, []);
    await part.close();
  });

  it('is closed once when it came, and not opened any more after that', async () => {
    let closed = 0;
    const part = openOptionalPart('metrics', async () => () => closed++, listening(), 1);
    await part.tried;
    await part.close();
    assert.equal(closed, 1);
    let attempts = 0;
    const never = async () => {
      attempts++;
      throw new Error('port taken');
    };
    const missing = openOptionalPart('metrics', never, listening(), 1);
    await missing.close();
    const before = attempts;
    await delay(20);
    assert.equal(attempts, before);
  });

  it('keeps nobody waiting while it takes long, and is closed when it comes too late', async () => {
    const late = Promise.withResolvers<() => void>();
    const closed = Promise.withResolvers<void>();
    const part = openOptionalPart('metrics', () => late.promise, listening());
    await part.tried;
    assert.equal(part.problem(), 'it is being opened');
    await part.close();
    late.resolve(closed.resolve);
    await closed.promise;
  });
});
