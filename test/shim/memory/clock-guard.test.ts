import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, describe, it } from 'node:test';
import { openClockGuard, readTime } from '../../../shim/memory/clock-guard.ts';

const dir = mkdtempSync(join(tmpdir(), 'portcullis-clock-'));
after(() => rmSync(dir, { recursive: true }));

describe('the clock guard', () => {
  it('finds a clock that is behind what was signed, by more than clocks may be apart', () => {
    const guard = openClockGuard(undefined);
    const now = Date.now();
    guard.witness(now);
    assert.equal(guard.check(now), undefined);
    assert.equal(guard.check(now - 4_000), undefined);
    assert.equal(guard.check(now + 86_400_000), undefined);
    const reason = guard.check(now - 6_000);
    assert.equal(reason?.code, 'CLOCK_MOVED');
    assert.match(
      String(reason?.sentence),
      /^expected the clock of this node at 20.*Z or later, found 20.*set it right/,
    );
  });

  it('remembers over a restart', () => {
    const path = join(dir, 'clock');
    const now = Date.now();
    openClockGuard(path).witness(now);
    assert.equal(openClockGuard(path).check(now - 3_600_000)?.code, 'CLOCK_MOVED');
    assert.deepEqual(readTime(path), { time: now });
  });

  it('reads the file of an earlier version', () => {
    const path = join(dir, 'bare');
    const now = Date.now();
    writeFileSync(path, `${new Date(now).toISOString()}\n`);
    const guard = openClockGuard(path);
    assert.deepEqual([guard.check(now - 3_600_000)?.code, guard.unreadable], ['CLOCK_MOVED', undefined]);
  });

  it('knows a time that was accepted before, whatever the clock says now', () => {
    const tomorrow = Date.now() + 86_400_000;
    assert.equal(openClockGuard(undefined, tomorrow).check(Date.now())?.code, 'CLOCK_MOVED');
  });

  it('is not moved by a time from the future, or by none', () => {
    const guard = openClockGuard(undefined);
    const now = Date.now();
    guard.witness(now + 3_600_000);
    guard.witness(Number.NaN);
    assert.equal(guard.check(now), undefined);
  });

  for (const garbage of ['', 'yesterday', '\0'.repeat(50), '9'.repeat(1_000_000)]) {
    it(`begins anew, and says so, with a file of ${JSON.stringify(garbage.slice(0, 12))}`, () => {
      const path = join(dir, 'garbage');
      writeFileSync(path, garbage);
      const guard = openClockGuard(path);
      assert.equal(guard.check(1), undefined);
      assert.match(guard.unreadable ?? '', /expected/);
      guard.witness(Date.now());
      assert.equal(openClockGuard(path).check(1)?.code, 'CLOCK_MOVED');
    });
  }
});
