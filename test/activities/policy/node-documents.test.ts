import assert from 'node:assert/strict';
import { describe, it, type TestContext } from 'node:test';
import { loadPolicyDirectory } from '../../../activities/policy/load.ts';
import { createPolicyStore } from '../../../activities/policy/store.ts';
import { formatProblem } from '../../../activities/yaml/problem.ts';
import { revokedDigests } from '../../../workflows/revocations.ts';
import { digestOf } from '../../support/verdicts.ts';
import { type Parts, policyDirectory, writeInside } from './policy-directory.ts';

const [A, B] = [digestOf('aa'), digestOf('bb')];

function document(kind: 'OfflineUse' | 'Revocation', spec: Parts, name = 'demo'): string {
  return JSON.stringify({ apiVersion: 'portcullis.dev/v1alpha1', kind, metadata: { name }, spec });
}

const offlineUse = (spec: Parts = {}) => document('OfflineUse', { images: [{ glob: '**' }], for: '72h', ...spec });
const revocation = (digests: unknown, name?: string) => document('Revocation', { digests }, name);

async function load(t: TestContext, ...texts: readonly string[]) {
  const files = Object.fromEntries(texts.map((text, index) => [`${index}.yaml`, text]));
  return await loadPolicyDirectory(await policyDirectory(t, files));
}

async function problemsOf(t: TestContext, ...texts: readonly string[]): Promise<readonly string[]> {
  const loaded = await load(t, ...texts);
  return loaded.ok ? [] : loaded.problems.map(formatProblem);
}

describe('an OfflineUse', () => {
  it('says for which names, and how long', async (t) => {
    const loaded = await load(t, offlineUse({ images: [{ glob: 'ghcr.io/a/**' }, { glob: '*' }] }));
    const [found] = loaded.ok ? loaded.set.offlineUses : [];
    assert.deepEqual([found?.images.length, found?.forMs], [2, 72 * 3_600_000]);
  });

  for (const [spec, minutes] of [
    [{}, 15],
    [{ afterWorkerSilence: '2h' }, 120],
  ] as const) {
    it(`counts after ${minutes} minutes of silent workers with ${JSON.stringify(spec)}`, async (t) => {
      const loaded = await load(t, offlineUse(spec));
      assert.deepEqual(loaded.ok ? loaded.set.offlineUses.map(({ silenceMs }) => silenceMs) : [], [minutes * 60_000]);
    });
  }

  const wrong: readonly (readonly [string, Parts, RegExp])[] = [
    ['a day, which Go does not know', { for: '3d' }, /spec\.for: expected 60s to 129600m.*found "3d"/],
    ['a number', { for: 72 }, /spec\.for: expected a string/],
    ['too little', { for: '59s' }, /spec\.for: expected 60s to/],
    ['too much', { for: '2161h' }, /spec\.for: expected 60s to/],
    ['a negative time', { for: '-1h' }, /spec\.for: expected 60s to/],
    ['no time', { for: undefined }, /spec\.for: expected a value/],
    ['no images', { images: undefined }, /spec\.images: expected a value/],
    ['an empty list of images', { images: [] }, /spec\.images: expected at least one item/],
    ['a glob that is none', { images: [{ glob: 'a b' }] }, /spec\.images\[0\]\.glob: expected/],
    ['no time of silence', { afterWorkerSilence: '0s' }, /spec\.afterWorkerSilence: expected 60s to 129600m/],
    ['a silence without a unit', { afterWorkerSilence: 900 }, /spec\.afterWorkerSilence: expected a string/],
    [
      'an unknown field',
      { until: 'tomorrow' },
      /expected images, for, afterWorkerSilence, found the unknown field "until"/,
    ],
  ];
  for (const [what, spec, expected] of wrong) {
    it(`is refused with ${what}`, async (t) => {
      assert.match((await problemsOf(t, offlineUse(spec))).join('\n'), expected);
    });
  }
});

describe('a Revocation', () => {
  it('names digests, once each over all documents', async (t) => {
    const loaded = await load(t, revocation([A, B], 'one'), revocation([B], 'two'));
    const expected = [
      { name: 'one', revision: 0, digests: [A, B] },
      { name: 'two', revision: 0, digests: [B] },
    ];
    assert.deepEqual(loaded.ok && loaded.set.revocations, expected);
  });

  it('may name the image with a digest, and has a revision and no digest when it ends', async (t) => {
    const spec = { revision: 7, digests: [`registry.example/app:v1@${A}`, `registry.example/app@${B}`, A] };
    const loaded = await load(
      t,
      document('Revocation', spec, 'one'),
      document('Revocation', { revision: 1, digests: [] }, 'two'),
    );
    assert.deepEqual(loaded.ok && [loaded.set.revocations, loaded.set.revokedNames], [
      [
        { name: 'one', revision: 7, digests: [A, B] },
        { name: 'two', revision: 1, digests: [] },
      ],
      ['registry.example/app'],
    ]);
  });

  for (const revision of [-1, 1.5, '1', true, 2 ** 53]) {
    it(`is refused with the revision ${JSON.stringify(revision)}`, async (t) => {
      const problems = await problemsOf(t, document('Revocation', { revision, digests: [A] }));
      assert.match(problems.join('\n'), /spec\.revision: expected a number from 0 to 9007199254740991, found/);
    });
  }

  const wrong: readonly (readonly [string, unknown, RegExp])[] = [
    [
      'a name without a digest',
      ['registry.example/app@v1'],
      /spec\.digests\[0\]: expected sha256: .* or write an image name/,
    ],
    ['no list', A, /spec\.digests: expected a list/],
    ['nothing in it', [], /spec\.digests: expected at least one item/],
    ['a tag', ['app:v1'], /spec\.digests\[0\]: expected sha256: and 64 lower-case hex digits, found "app:v1"/],
    ['capital letters', [A.toUpperCase()], /spec\.digests\[0\]: expected sha256:/],
    ['half a digest', [A.slice(0, 40)], /spec\.digests\[0\]: expected sha256:/],
    ['a number', [7], /spec\.digests\[0\]: expected a string/],
    ['too many', Array.from({ length: 501 }, () => A), /spec\.digests: expected at most 500 items/],
  ];
  for (const [what, digests, expected] of wrong) {
    it(`is refused with ${what}`, async (t) => {
      assert.match((await problemsOf(t, revocation(digests))).join('\n'), expected);
    });
  }

  it('is refused when all of them together are more than a statement tells', async (t) => {
    const digests = (from: number) =>
      Array.from({ length: 300 }, (_, index) => `sha256:${String(from + index).padStart(64, '0')}`);
    const problems = await problemsOf(t, revocation(digests(0), 'one'), revocation(digests(1_000), 'two'));
    assert.match(problems.join('\n'), /1\.yaml.*metadata\.name: expected at most 500 revoked digests in all/);
  });

  it('is no part of the revision in a file of its own, and is where it is not', async (t) => {
    const revisionWith = async (...texts: readonly string[]) => {
      const loaded = await load(t, offlineUse(), ...texts);
      return loaded.ok && loaded.set.contentHash;
    };
    const without = await revisionWith();
    assert.ok(without);
    assert.equal(await revisionWith(revocation([A])), without);
    assert.equal(await revisionWith(`${revocation([A], 'one')}\n---\n${revocation([B], 'two')}`), without);
    const mixed = `${revocation([A])}\n---\n${document('OfflineUse', { images: [{ glob: '*' }], for: '1h' }, 'more')}`;
    assert.notEqual(await revisionWith(mixed), without);
  });

  it('takes effect when its file changes, and ends when it is gone', async (t) => {
    const directory = await policyDirectory(t, { 'demo.yaml': offlineUse() });
    const store = await createPolicyStore(directory, { pollMs: 3_600_000 });
    t.after(() => store.stop());
    const revoked = async () => {
      const state = await store.reload();
      return state.ok && [...revokedDigests(state.set.revocations).keys()];
    };
    assert.deepEqual(await revoked(), []);
    await writeInside(directory, 'revoked.yaml', revocation([A]));
    assert.deepEqual(await revoked(), [A]);
    await writeInside(directory, 'revoked.yaml', revocation([A, B]));
    assert.deepEqual(await revoked(), [A, B]);
  });
});
