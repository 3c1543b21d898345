import assert from 'node:assert/strict';
import { readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, it, type TestContext } from 'node:test';
import type { PolicyLoad } from '../../../activities/policy/policy-set.ts';
import { openRevocationBook } from '../../../activities/revocation/revocation-book.ts';
import { openRevocationFile, readRevocationFile } from '../../../activities/revocation/revocation-file.ts';
import type { Revocations } from '../../../workflows/revocations.ts';
import { temporaryFolder } from '../../support/temporary-folder.ts';
import { digestOf } from '../../support/verdicts.ts';

const [A, B, C] = [digestOf('0a'), digestOf('0b'), digestOf('0c')];
const list = (revision: number, ...digests: Revocations[number]['digests']): Revocations => [
  { name: 'bad', revision, digests },
];
const BROKEN: PolicyLoad = { ok: false, revision: '', problems: [] };

/** What a policy directory with these lists is loaded as. */
function loaded(revocations: Revocations): PolicyLoad {
  const nothing = { policies: [], offlineUses: [], trustRoots: [], pullSecrets: new Map(), revokedNames: [] };
  return { ok: true, set: { contentHash: 'a'.repeat(64), ...nothing, revocations } };
}

/** A worker that starts, sees the states of its directory one after the other, and ends. */
async function worker(path: string | undefined, ...states: readonly PolicyLoad[]) {
  const kept =
    path === undefined ? undefined : { file: openRevocationFile(path), revocations: await readRevocationFile(path) };
  let load = states[0] ?? BROKEN;
  const alarms: string[] = [];
  const alarm = (_: string, fields: object) => void alarms.push(JSON.stringify(fields));
  const book = openRevocationBook({ current: () => load }, kept, alarm);
  for (const state of states) {
    load = state;
    book.stated();
  }
  await kept?.file.idle();
  return { book, file: kept?.file, alarms, revoked: [...book.revoked().keys()] };
}

async function statePath(t: TestContext): Promise<string> {
  const folder = await temporaryFolder();
  t.after(() => folder[Symbol.asyncDispose]());
  return join(folder.path, 'state', 'revocations.json');
}

describe('the revocations of a worker', () => {
  for (const [what, state] of [
    ['is broken', BROKEN],
    ['is empty', loaded([])],
    ['is back at an earlier revision', loaded(list(1, B))],
    ['has the list without the digest and without a higher revision', loaded(list(2, B))],
  ] as const) {
    it(`stay over a restart with a directory that ${what}`, async (t) => {
      const path = await statePath(t);
      await worker(path, loaded(list(2, A)));
      const { book, revoked } = await worker(path, state);
      assert.ok(revoked.includes(A));
      assert.ok(book.stated().some(({ digests }) => digests.includes(A)));
    });

    it(`stay without a restart when the directory ${what}`, async () => {
      assert.ok((await worker(undefined, loaded(list(2, A)), state)).revoked.includes(A));
    });
  }

  it('of a worker without a state that finds nothing are stated by nothing', async () => {
    for (const state of [BROKEN, loaded([])]) assert.deepEqual((await worker(undefined, state)).book.stated(), []);
  });

  it('end by a higher revision, also over a restart', async (t) => {
    const path = await statePath(t);
    await worker(path, loaded(list(2, A)), loaded(list(3)));
    const { book, revoked } = await worker(path, loaded(list(2, A)));
    assert.deepEqual([revoked, book.stated()], [[], list(3)]);
  });

  it('are told in the log when a document lost digests without a higher revision, and only then', async () => {
    const { alarms } = await worker(undefined, loaded(list(2, A, B)), loaded(list(2, A)), loaded([]), loaded(list(3)));
    assert.equal(alarms.length, 2);
    assert.match(alarms[0] ?? '', /1 digests of the Revocation ."bad." stay revoked; .* raise spec.revision above 2/);
    assert.match(alarms[1] ?? '', /1 digests of the Revocation/);
    assert.deepEqual((await worker(undefined, loaded(list(2, A)), loaded(list(2, A, B)))).alarms, []);
  });

  it('hold for everything below a revoked index, before and after it is revoked, and are stated so', async () => {
    let load = loaded([]);
    const book = openRevocationBook({ current: () => load }, undefined);
    book.remember(new Map([[A, [B, C]]]));
    assert.deepEqual([...book.revoked().keys()], []);
    load = loaded(list(1, A));
    assert.deepEqual([...book.revoked().keys()], [A, B, C]);
    assert.deepEqual(book.unread(), [B, C], 'whether they list something is not known yet');
    assert.deepEqual(book.stated(), list(1, A, B, C));
    load = loaded(list(2));
    assert.deepEqual([...book.revoked().keys()], []);
    const late = openRevocationBook({ current: () => loaded(list(1, A)) }, undefined);
    assert.deepEqual(late.unread(), [A]);
    late.remember(
      new Map([
        [A, [B]],
        [B, []],
      ]),
    );
    assert.deepEqual([[...late.revoked().keys()], late.unread()], [[A, B], []]);
  });

  it('are not looked for again after a restart, where an index listed them', async (t) => {
    const path = await statePath(t);
    const { book, file } = await worker(path, loaded(list(1, A)));
    book.remember(
      new Map([
        [A, [B, C]],
        [B, []],
        [C, []],
      ]),
    );
    await file?.idle();
    const again = await worker(path, loaded(list(1, A)));
    assert.deepEqual([again.revoked, again.book.unread()], [[A, B, C], [A]]);
  });

  it('are stated within bounds: what the directory says always, and no part of a list that is only remembered', async () => {
    const many = (name: string, count: number, from: number): Revocations[number] => {
      const digests = Array.from({ length: count }, (_, i) =>
        digestOf('00').replace(/0{8}$/, String(10_000_000 + from + i)),
      );
      return { name, revision: 1, digests: digests as unknown as Revocations[number]['digests'] };
    };
    const former = [many('former', 900, 0), many('other', 900, 2_000), many('third', 90, 4_000)];
    const current = [many('now', 500, 6_000)];
    const { book } = await worker(undefined, ...former.map((one) => loaded([one])), loaded(current));
    assert.deepEqual(
      book.stated().map(({ name, digests }) => [name, digests.length]),
      [
        ['former', 900],
        ['now', 500],
        ['third', 90],
      ],
      '1,490 digests of 74 bytes fit, 900 more do not',
    );
    assert.equal(book.revoked().size, 900 + 900 + 90 + 500);
  });
});

describe('the file of revocations', () => {
  it('is private, whole and read as it was written', async (t) => {
    const path = await statePath(t);
    await worker(path, loaded(list(1, B, A)));
    assert.deepEqual(await readRevocationFile(path), list(1, A, B));
    assert.deepEqual(JSON.parse(await readFile(path, 'utf8')), { revocations: list(1, A, B) });
  });

  it('that is there and can not be read keeps a worker from starting, and a missing one does not', async (t) => {
    const path = await statePath(t);
    assert.deepEqual(await readRevocationFile(path), []);
    await worker(path, loaded(list(1, A)));
    for (const content of ['', '{', '[]', '{"revocations":1}', '{"revocations":[{"name":"bad"}]}']) {
      await writeFile(path, content);
      await assert.rejects(
        readRevocationFile(path),
        /expected the revocations of this worker, .* restore the file, or/,
      );
    }
    await writeFile(path, ' '.repeat(5 * 1024 * 1024));
    await assert.rejects(readRevocationFile(path), /found 5242880 bytes/);
  });

  it('keeps what another worker of the same folder has written', async (t) => {
    const path = await statePath(t);
    const [one, two] = [openRevocationFile(path), openRevocationFile(path)];
    one.write(list(1, A), assert.fail);
    await one.idle();
    two.write([{ name: 'more', revision: 0, digests: [B] }], assert.fail);
    await two.idle();
    one.write(list(2, C), assert.fail);
    await one.idle();
    assert.deepEqual(await readRevocationFile(path), [...list(2, C), { name: 'more', revision: 0, digests: [B] }]);
  });

  it('is written later when the disk did not take it, and that is reported once', async (t) => {
    const path = await statePath(t);
    const blocking = join(path, '..', '..', 'state');
    const file = openRevocationFile(path);
    await writeFile(blocking, 'a file where the folder should be');
    const alarms: string[] = [];
    const book = openRevocationBook({ current: () => loaded(list(1, A)) }, { file, revocations: [] }, (message) => {
      alarms.push(message);
    });
    for (let statement = 0; statement < 3; statement++) {
      assert.deepEqual(book.stated(), list(1, A));
      await file.idle();
    }
    assert.deepEqual(alarms, ['revocations could not be kept']);
    await rm(blocking);
    book.stated();
    await file.idle();
    assert.deepEqual(await readRevocationFile(path), list(1, A));
  });

  it('that can not be written is told, and nothing is forgotten meanwhile', async (t) => {
    const path = await statePath(t);
    await writeFile(join(path, '..', '..', 'state'), 'a file where the folder should be');
    const problems: string[] = [];
    const file = openRevocationFile(path);
    file.write(list(1, A), (problem) => void problems.push(problem));
    await file.idle();
    assert.match(problems.join(), /ENOTDIR|EEXIST/);
  });
});
