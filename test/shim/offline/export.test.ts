import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { type Backend, BackendProblem } from '../../../shim/backend/backend.ts';
import { exportCommand } from '../../../shim/cli/export.ts';
import { checkOfflineFile } from '../../../shim/offline/check-file.ts';
import { exportImages } from '../../../shim/offline/export-images.ts';
import { parseOfflineFile, renderOfflineFile } from '../../../shim/offline/offline-file.ts';
import { POLICY_HEAD_POLL_MS } from '../../../workflows/verdict/deadlines.ts';
import type { Verdict } from '../../../workflows/verdict/verdict.ts';
import type { VerificationInput } from '../../../workflows/verdict/verification-input.ts';
import { createTestBackend } from '../../support/backend.ts';
import { aStatement, fromNow, revoking } from '../../support/offline.ts';
import { anAllow, createTestVerdictKey, digestOf, TEST_FLEET } from '../../support/verdicts.ts';

const [key, stranger] = [createTestVerdictKey(), createTestVerdictKey()];
const [A, B] = [digestOf('aa'), digestOf('bb')];
const offlineUntil = fromNow(3_600_000);
const now = { statedAt: fromNow(-1_000), expiresAt: fromNow(59_000) };

/** A worker's answer: an allow with offline use, bent by `changes`. */
const answer = (input: VerificationInput, changes: Partial<Verdict> = {}, by = key) => {
  const { name, digest, policyRevision } = input;
  return by.verdict(anAllow({ name, digest, policyRevision, offlineUntil, ...changes }));
};

async function exportFrom(answers: Partial<Backend>, ...images: readonly string[]) {
  const backend = createTestBackend({
    policyHead: async () => aStatement(key, now),
    verify: async ({ input }) => answer(input),
    ...answers,
  });
  const done: number[] = [];
  const tell = (count: number) => void done.push(count);
  const found = await exportImages({ backend, keys: key.accepted, fleet: TEST_FLEET, node: 'test' }, images, tell);
  return { ...found, done, codes: found.refused.map(({ code }) => code) };
}

describe('export', () => {
  it('collects what is allowed and may be used without a backend, so that a node can check it', async () => {
    const many = Array.from({ length: 20 }, (_, index) => `ghcr.io/a/app${index}:v1@${A}`);
    const found = await exportFrom({}, ...many);
    assert.deepEqual([found.exported.length, found.refused.length, found.done.at(-1)], [20, 0, 20]);
    const verdicts = found.exported.map(({ envelope }) => envelope);
    const read = parseOfflineFile(Buffer.from(renderOfflineFile({ policy: found.policy, verdicts })));
    assert.ok(read.ok);
    const checked = checkOfflineFile(read.file, key.accepted(), TEST_FLEET, Date.now());
    assert.deepEqual(checked.ok && checked.verdicts.map(({ name }) => name), [
      ...many.map((image) => image.replace(/@.*/, '')),
    ]);
  });

  it('asks a worker what a tag points to, and keeps the tag', async () => {
    const asked: string[] = [];
    const resolve = async (name: string) => {
      asked.push(name);
      return { mediaType: 'x', digest: B, size: 1 };
    };
    const { exported } = await exportFrom({ resolve }, 'alpine:3.22');
    assert.deepEqual(asked, ['docker.io/library/alpine:3.22']);
    assert.deepEqual(
      exported.map(({ verdict: { name, digest } }) => [name, digest]),
      [['docker.io/library/alpine:3.22', B]],
    );
  });

  it('asks by the name by which a node will pull: latest where there is neither tag nor digest', async () => {
    const resolve = async () => ({ mediaType: 'x', digest: B, size: 1 });
    const { exported } = await exportFrom({ resolve }, 'REGISTRY-1.docker.io/alpine', `Ghcr.io:443/a/app@${A}`);
    assert.deepEqual(exported.map(({ verdict: { name, digest } }) => [name, digest]).toSorted(), [
      ['docker.io/library/alpine:latest', B],
      ['ghcr.io/a/app', A],
    ]);
  });

  it('carries the statement alone when no image is named', async () => {
    const { exported, head } = await exportFrom({
      policyHead: async () => aStatement(key, { ...now, ...revoking(A) }),
    });
    assert.deepEqual([exported, head.revocations], [[], [{ name: 'bad', revision: 0, digests: [A] }]]);
  });

  const deny: Partial<Verdict> = { outcome: 'deny', signers: [], reasons: [{ code: 'UNSIGNED', sentence: 'none' }] };
  const refused: readonly (readonly [string, Partial<Backend>, string, RegExp])[] = [
    [
      'has no offline use',
      { verify: async ({ input }) => answer(input, { offlineUntil: fromNow(1_000) }) },
      'OFFLINE_USE_MISSING',
      /add an OfflineUse document whose spec\.images match it/,
    ],
    ['is denied', { verify: async ({ input }) => key.verdict(anAllow({ ...input, ...deny })) }, 'UNSIGNED', /none/],
    [
      'has a forged verdict',
      { verify: async ({ input }) => answer(input, {}, stranger) },
      'VERDICT_FORGED',
      /does not hold under any verdict key/,
    ],
    [
      'has a verdict for another digest',
      { verify: async ({ input }) => answer(input, { digest: B }) },
      'VERDICT_MISMATCH',
      /another digest/,
    ],
    [
      'is revoked',
      { policyHead: async () => aStatement(key, { ...now, ...revoking(A) }) },
      'REVOKED',
      /was revoked, as the workers stated/,
    ],
    [
      'has nobody who verifies it',
      { verify: () => Promise.reject(new BackendProblem('TEMPORAL_UNREACHABLE', 'gone')) },
      'TEMPORAL_UNREACHABLE',
      /gone/,
    ],
  ];
  for (const [what, answers, code, line] of refused) {
    it(`names an image that ${what}`, async () => {
      const { exported, refused, codes } = await exportFrom(answers, `ghcr.io/a/app@${A}`);
      assert.deepEqual([exported, codes], [[], [code]]);
      assert.match(String(refused[0]?.line), new RegExp(`^${code}: .*${line.source}`));
    });
  }

  it('names what is no name, what can not be looked up, and what is looked up as something else', async () => {
    assert.deepEqual((await exportFrom({}, 'No Name')).codes, ['REQUEST_INVALID']);
    assert.deepEqual((await exportFrom({}, 'alpine:3.22')).codes, ['TEMPORAL_UNREACHABLE']);
    const resolve = async () => ({ digest: 'sha256:short' });
    assert.deepEqual((await exportFrom({ resolve }, 'alpine:3.22')).codes, ['INTERNAL']);
  });

  it('does not mix verdicts of two policies', async (t) => {
    t.mock.timers.enable({ apis: ['setTimeout'] });
    let policyRevision = 'c'.repeat(64);
    const policyHead = async () => aStatement(key, { ...now, policyRevision, statedAt: fromNow(0) });
    const verify: Backend['verify'] = async ({ input }) => {
      policyRevision = 'e'.repeat(64);
      t.mock.timers.tick(POLICY_HEAD_POLL_MS);
      await new Promise(setImmediate);
      return answer(input);
    };
    const { head, codes } = await exportFrom({ policyHead, verify }, `ghcr.io/a/app@${A}`);
    assert.deepEqual([head.policyRevision, codes], [policyRevision, ['POLICY_CHANGED']]);
  });

  it('is told what it needs', async (t) => {
    const complained = t.mock.method(console, 'error', () => {});
    assert.equal(await exportCommand.run(['a']), 2);
    assert.equal(await exportCommand.run(['a', '--verdict-keys', 'k', '--output', 'xml']), 2);
    const many = Array.from({ length: 10_001 }, (_, index) => `app:${index}`);
    assert.equal(await exportCommand.run([...many, '--verdict-keys', 'k']), 2);
    assert.match(String(complained.mock.calls.at(-1)?.arguments[0]), /expected at most 10000 images, found 10001/);
  });
});
