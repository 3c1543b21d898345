import assert from 'node:assert/strict';
import { readFileSync, symlinkSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, describe, it } from 'node:test';
import fc from 'fast-check';
import { openKeptFile } from '../../../shim/memory/kept-file.ts';
import { temporaryFolder } from '../../support/temporary-folder.ts';

const folder = await temporaryFolder();
after(() => folder[Symbol.asyncDispose]());

const MOST = 500;
let count = 0;

/** A file to which these texts were written in turn, and its bytes after each. */
function written(...texts: readonly string[]) {
  const path = join(folder.path, `${++count}`);
  const file = openKeptFile(path, MOST);
  const states = texts.map((text) => {
    assert.equal(file.write(text), undefined);
    return readFileSync(path);
  });
  return { path, file, states };
}

const text = fc.string({ unit: 'binary', minLength: 1, maxLength: 40 }).map((one) => one.toWellFormed());

describe('a kept file', () => {
  it('has its last text although any one byte of it is another one', () => {
    fc.assert(
      fc.property(text, text, fc.nat(), fc.integer({ min: 1, max: 255 }), (before, last, at, mask) => {
        const { path, file, states } = written(before, last);
        const bytes = Buffer.from(states[1] ?? []);
        const place = at % bytes.length;
        bytes[place] = (bytes[place] ?? 0) ^ mask;
        writeFileSync(path, bytes);
        assert.deepEqual(file.read(), { kind: 'text', text: last });
      }),
    );
  });

  it('has its former text, or the last one, when a write was cut off anywhere', () => {
    fc.assert(
      fc.property(text, text, fc.nat(), fc.constantFrom(0, 1), (before, last, at, copy) => {
        const { path, file, states } = written(before, last);
        const [former, next] = states.map((bytes) => Buffer.from(bytes));
        assert.ok(former !== undefined && next !== undefined);
        const half = former.length / 2;
        // The first copy is whole before the second one is begun.
        const cut = copy * half + (at % 200);
        writeFileSync(path, Buffer.concat([next.subarray(0, cut), former.subarray(cut)]));
        const read = file.read();
        assert.ok(read.kind === 'text' && [before, last].includes(read.text), JSON.stringify(read));
        if (copy === 1) assert.equal(read.text, last);
      }),
    );
  });

  it('takes its whole space when it is made, and no more for any text', () => {
    const { path, file, states } = written('a');
    for (const more of ['b'.repeat(MOST), 'é'.repeat(MOST / 2), '']) assert.equal(file.write(more), undefined);
    assert.equal(readFileSync(path).length, states[0]?.length);
    assert.match(file.write('c'.repeat(MOST + 1)) ?? '', /^expected at most 500 bytes for .*, found 501$/);
    assert.deepEqual(file.read(), { kind: 'text', text: '' });
  });

  it('is not there before it is reserved, and has nothing before it is written', () => {
    const file = openKeptFile(join(folder.path, 'reserved'), MOST);
    assert.deepEqual(file.read(), { kind: 'none' });
    assert.equal(file.reserve(), undefined);
    assert.deepEqual(file.read(), { kind: 'none' });
    assert.ok(readFileSync(join(folder.path, 'reserved')).length > 2 * MOST);
    assert.match(openKeptFile(join(folder.path, 'none', 'file'), MOST).reserve() ?? '', /can't be written: ENOENT/);
  });

  it('is not read when it was cut off, or both copies are damaged, and then written anew', () => {
    for (const spoil of [
      (path: string) => truncateSync(path, 100),
      (path: string) => writeFileSync(path, ''),
      (path: string) => writeFileSync(path, readFileSync(path).fill('x', 0, 70).fill('x', 4_096, 4_166)),
    ]) {
      const { path, file } = written('text');
      spoil(path);
      assert.equal(file.read().kind, 'unreadable');
      assert.equal(file.write('new'), undefined);
      assert.deepEqual(file.read(), { kind: 'text', text: 'new' });
    }
  });

  it('is never a link to another file', () => {
    const { path: victim } = written('victim');
    const path = join(folder.path, 'link');
    symlinkSync(victim, path);
    const file = openKeptFile(path, MOST);
    assert.equal(file.read().kind, 'unreadable');
    assert.equal(file.write('mine'), undefined);
    assert.deepEqual(openKeptFile(victim, MOST).read(), { kind: 'text', text: 'victim' });
    assert.deepEqual(file.read(), { kind: 'text', text: 'mine' });
  });
});
