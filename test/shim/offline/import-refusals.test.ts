import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { importingNode } from '../../support/importing-node.ts';
import { anOfflineVerdict, aStatement, fromNow, offlineText, revoking } from '../../support/offline.ts';
import { anAllow, createTestVerdictKey, digestOf } from '../../support/verdicts.ts';

const key = createTestVerdictKey();
const A = digestOf('aa');
const [statement, good] = [aStatement(key), anOfflineVerdict(key)];

/** What an older worker signed about an index, or one that could not read it. */
const { covers: _, ...uncovered } = anAllow({ offlineUntil: fromNow(3_600_000) });
const unlisted = key.verdict(uncovered).envelope;

describe('import refuses', () => {
  const wrong: readonly (readonly [string, string, RegExp])[] = [
    [
      'a verdict for another fleet',
      offlineText(statement, [anOfflineVerdict(key, { fleet: 'staging' })]),
      /VERDICT_MISMATCH: the verdict was signed for fleet "staging", and this node belongs to fleet "test-fleet"/,
    ],
    [
      'a verdict for no fleet',
      offlineText(statement, [anOfflineVerdict(key, { fleet: undefined })]),
      /VERDICT_MISMATCH: the verdict names no fleet, and this node belongs to fleet "test-fleet"; .* export again/,
    ],
    [
      'a statement for another fleet',
      offlineText(aStatement(key, { fleet: 'staging' }), [good]),
      /policy statement that was carried here was signed for fleet "staging", and this node belongs to fleet "test-/,
    ],
    [
      'a statement for no fleet',
      offlineText(aStatement(key, { fleet: undefined }), [good]),
      /policy statement that was carried here names no fleet, and this node belongs to fleet "test-fleet"; .* export/,
    ],
    [
      'an index that lists a revoked digest',
      offlineText(aStatement(key, revoking(A)), [anOfflineVerdict(key, { covers: [A] })]),
      /REVOKED: sha256:(ab){32} contains or is allowed by sha256:(aa){32}, which was revoked/,
    ],
    [
      'evidence that was revoked',
      offlineText(aStatement(key, revoking(digestOf('ee'))), [good]),
      /REVOKED: sha256:(ab){32} contains or is allowed by sha256:(ee){32}, which was revoked/,
    ],
    [
      'a verdict that does not say what the image contains, while something is revoked',
      offlineText(aStatement(key, revoking(A)), [unlisted]),
      /VERDICT_MISMATCH: it does not say what the image contains, and digests are revoked/,
    ],
  ];
  for (const [what, content, expected] of wrong) {
    it(`${what}, and says why`, async (t) => {
      const { code, text, files } = await (await importingNode(t, key)).import(content);
      assert.deepEqual([code, files], [1, []], text);
      assert.match(text, expected);
    });
  }

  it('no file that it needs for a revocation: the older one stays beside a newer statement', async (t) => {
    const node = await importingNode(t, key);
    await node.import(offlineText(aStatement(key, revoking(A)), []));
    const newer = aStatement(key, { statedAt: fromNow(-200_000) });
    const { files } = await node.import(offlineText(newer, [good]));
    assert.equal(files.length, 2);
    const latest = aStatement(key, { statedAt: fromNow(-100_000), ...revoking(A) });
    assert.equal((await node.import(offlineText(latest, []))).files.length, 2, 'the verdict and the latest');
  });
});
