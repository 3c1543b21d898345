import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { AuthorityOutcome } from '../../../workflows/activities.ts';
import type { Evidence } from '../../../workflows/policy/evaluate.ts';
import type { ReasonCode } from '../../../workflows/verdict/reason.ts';
import { authority, decide, digest, found, INPUT, log, policy, rejected, satisfied } from './evidence.ts';

test('no policy at all refuses', () => {
  const { outcome, reasons } = decide({ resolution: { loaded: 0, matching: [] } });
  assert.equal(outcome, 'deny');
  assert.equal(reasons[0].code, 'NO_POLICY');
  assert.match(reasons[0].sentence, /^no policy is loaded, .*127\.0\.0\.1:5000\/demo\/app:v1@sha256:0{12}\.\.; add a/);
});

test('no policy that matches refuses', () => {
  const { outcome, reasons } = decide({ resolution: { loaded: 3, matching: [] }, outcomes: [satisfied('x', 'y', 1)] });
  assert.equal(outcome, 'deny');
  assert.deepEqual(reasons, [
    {
      code: 'NO_MATCHING_POLICY',
      sentence:
        'no policy matches 127.0.0.1:5000/demo/app:v1 (3 policies loaded); add its name to spec.images of a policy',
    },
  ]);
});

test('a name that misses a policy narrowly is told which one, and why', () => {
  const input = { name: 'ghcr.io/acme/app', digest: INPUT.digest };
  const near = (by: 'tag' | 'host', glob: string) => ({
    loaded: 2,
    matching: [],
    near: [{ by, glob, policy: 'release' }],
  });
  const sentence = (resolution: Evidence['resolution']) => {
    const { outcome, reasons } = decide({ input, resolution });
    assert.deepEqual([outcome, reasons[0].code], ['deny', 'NO_MATCHING_POLICY']);
    return reasons[0].sentence;
  };
  assert.equal(
    sentence(near('tag', 'ghcr.io/acme/app:v*')),
    'no policy matches ghcr.io/acme/app (2 policies loaded); the name has a digest and no tag (the CRI drops a tag beside a digest), so no glob that names tags matches it: "ghcr.io/acme/app:v*" (policy "release"); add "ghcr.io/acme/app" to spec.images of a policy, or pull by tag and without digest',
  );
  assert.equal(
    sentence(near('host', 'ghcr.io:80/**')),
    'no policy matches ghcr.io/acme/app (2 policies loaded); another name of its host is matched by "ghcr.io:80/**" (policy "release"); pull by that name, or add "ghcr.io/acme/app*" to spec.images of a policy',
  );
});

test('a policy that does not match the name itself has to be satisfied like the others, and says why it applies', () => {
  const near = { by: 'tag', glob: 'x/app:v*' } as const;
  const matching = [policy('demo', 'release'), { ...policy('strict', 'prod'), near }];
  const weak = decide({
    matching,
    outcomes: [satisfied('demo', 'release', 1), rejected('strict', 'prod', 'WRONG_KEY')],
  });
  assert.deepEqual([weak.outcome, weak.reasons[0].code], ['deny', 'WRONG_KEY']);
  assert.match(
    weak.reasons[0].sentence,
    /policy "strict" \(it applies because "x\/app:v\*" names tags and the name has none\)/,
  );
  const unsigned = decide({ matching, signatures: found() });
  assert.match(unsigned.reasons[0].sentence, /policy "strict" \(it applies because "x\/app:v\*" names tags/);
  const both = decide({ matching, outcomes: [satisfied('demo', 'release', 1), satisfied('strict', 'prod', 1)] });
  assert.equal(both.outcome, 'allow');
  const fail = { ...policy('strict'), near: { by: 'host', glob: 'y/**' } as const };
  const never = { ...fail, authorities: [authority('strict', 'a', { static: { action: 'fail' }, sources: [] })] };
  const denied = decide({ matching: [policy('demo', 'release'), never], outcomes: [satisfied('demo', 'release', 1)] });
  assert.match(
    denied.reasons[0].sentence,
    /^policy "strict" \(it applies because "y\/\*\*" matches another name of the same host\)/,
  );
});

test('no signature refuses and says where was looked and how to sign', () => {
  const { outcome, reasons } = decide({ signatures: found(), outcomes: [satisfied('demo', 'release', 1)] });
  assert.equal(outcome, 'deny');
  assert.deepEqual(reasons, [
    {
      code: 'UNSIGNED',
      sentence: `no signature found for 127.0.0.1:5000/demo/app:v1@sha256:000000000000..; policy "demo" wants a signature by authority "release"; looked at its referrers, the referrers tag, the .sig and the .att tag; sign it with cosign sign --key KEY 127.0.0.1:5000/demo/app@${INPUT.digest}`,
    },
  ]);
});

test('evidence that can not be used is the reason, and the image is not called unsigned', () => {
  const unreadable = [
    { artefact: 'sha256:1', code: 'EVIDENCE_TOO_LARGE', sentence: 'too\nlarge' },
    { artefact: 'sha256:2', code: 'EVIDENCE_MALFORMED', sentence: 'junk' },
  ] as const;
  const { reasons } = decide({ signatures: { signatures: [], unreadable } });
  assert.deepEqual(reasons, [
    {
      code: 'EVIDENCE_MALFORMED',
      sentence:
        'sha256:2: junk; no other signature found for 127.0.0.1:5000/demo/app:v1@sha256:000000000000..; policy "demo" wants a signature by authority "release"; replace it, or remove it and sign again',
    },
    { code: 'EVIDENCE_TOO_LARGE', sentence: 'sha256:1: too large' },
  ]);
  const [strange] = decide({
    signatures: { signatures: [], unreadable: [{ ...unreadable[0], code: 'EVIDENCE_UNSUPPORTED' }] },
  }).reasons;
  assert.match(
    strange.sentence,
    /; sign it with cosign sign --key KEY 127\.0\.0\.1:5000\/demo\/app@sha256:[0-9a-f]{64}$/,
  );
});

test('evidence that can not be used is told beside a signature by another key', () => {
  const unreadable = [{ artefact: 'sha256:1', code: 'EVIDENCE_TOO_LARGE', sentence: 'too large' }] as const;
  const signatures = { signatures: found(1).signatures, unreadable };
  const { reasons } = decide({ signatures, outcomes: [rejected('demo', 'release', 'WRONG_KEY')] });
  assert.deepEqual(
    reasons.map(({ code }) => code),
    ['WRONG_KEY', 'EVIDENCE_TOO_LARGE'],
  );
});

test('a policy whose places hold nothing calls the image unsigned, whatever lies in those of another policy', () => {
  const elsewhere = authority('strict', 'prod', { sources: [{ repository: 'registry.example/signatures' }] });
  const strict = { ...policy('strict'), authorities: [elsewhere] };
  const { reasons } = decide({
    matching: [policy('demo', 'release'), strict],
    signatures: found(1),
    outcomes: [satisfied('demo', 'release', 1)],
  });
  assert.equal(reasons[0].code, 'UNSIGNED');
  assert.match(
    reasons[0].sentence,
    /policy "strict" wants a signature by authority "prod"; looked at .* in registry\.example\/signatures/,
  );
});

test('the most telling rejection leads', () => {
  const order: readonly ReasonCode[] = [
    'SUBJECT_MISMATCH',
    'REPOSITORY_MISMATCH',
    'SIGNATURE_INVALID',
    'WRONG_KEY',
    'EVIDENCE_MALFORMED',
    'EVIDENCE_TOO_LARGE',
    'EVIDENCE_UNSUPPORTED',
  ];
  for (const [i, expected] of order.entries()) {
    const { outcome, reasons } = decide({ outcomes: [rejected('demo', 'release', ...order.slice(i).toReversed())] });
    assert.equal(outcome, 'deny');
    assert.equal(reasons[0].code, expected);
    assert.match(
      reasons[0].sentence,
      new RegExp(
        `^the sentence of ${expected}; policy "demo" wants .* by authority "release"; ${order.length - i} signature`,
      ),
    );
  }
});

test('one authority is enough, and its signer is named', () => {
  const evaluation = decide({
    matching: [policy('demo', 'old', 'release')],
    outcomes: [rejected('demo', 'old', 'WRONG_KEY'), satisfied('demo', 'release', 1)],
  });
  assert.deepEqual(evaluation, {
    outcome: 'allow',
    reasons: [
      {
        code: 'SIGNATURE_VERIFIED',
        sentence: 'signed by key sha256:12ab (demo/release); policy "demo" is satisfied',
      },
    ],
    signers: [{ authority: 'demo/release', identity: 'key sha256:12ab', evidence: digest(1) }],
  });
});

test('each matching policy has to be satisfied, and each that is not gives a reason', () => {
  const { outcome, reasons, signers } = decide({
    matching: [policy('a', 'x'), policy('b', 'x'), policy('c', 'x'), policy('d')],
    outcomes: [satisfied('a', 'x', 1), rejected('b', 'x', 'WRONG_KEY'), rejected('c', 'x', 'SUBJECT_MISMATCH')],
  });
  assert.equal(outcome, 'deny');
  assert.deepEqual(signers, []);
  assert.deepEqual(
    reasons.map(({ code, sentence }) => [code, /policy "(.)"/.exec(sentence)?.[1]]),
    [
      ['SUBJECT_MISMATCH', 'c'],
      ['WRONG_KEY', 'b'],
      ['NO_POLICY', 'd'],
    ],
  );
});

test('a signer without evidence among what was found, or of another policy, counts for nothing', () => {
  for (const outcomes of [
    [satisfied('demo', 'release', 7)],
    [satisfied('other', 'release', 1)],
    [satisfied('demo', 'other', 1)],
    [],
  ]) {
    const { outcome, reasons } = decide({ outcomes });
    assert.equal(outcome, 'deny');
    assert.equal(reasons[0].code, 'WRONG_KEY');
  }
});

test('sentences stay one bounded line whatever they repeat', () => {
  const hostile = `a\r\n\u2028\u202e\u001b[31m${'x'.repeat(5000)}`;
  const outcome: AuthorityOutcome = {
    satisfied: false,
    rejected: [{ blob: digest(1), code: 'SIGNATURE_INVALID', sentence: hostile }],
  };
  const { reasons } = decide({ outcomes: [{ reference: { policy: 'demo', authority: 'release' }, outcome }] });
  assert.match(reasons[0].sentence, /^a \\u\{202e\}\\u\{1b\}\[31mx+\.\.; policy "demo"/);
  assert.ok(reasons[0].sentence.length < 600, reasons[0].sentence);
  const many = Array.from({ length: 100 }, (_, i) => policy(`p${i}`, 'a'));
  assert.equal(decide({ matching: many }).reasons.length, 8);
  assert.match(decide({ matching: many, signatures: found() }).reasons[0].sentence, /; and 95 more; looked at/);
});

test('evidence that the wanted log does not confirm counts for nothing, and the log says why', () => {
  const matching = [{ ...policy('demo'), authorities: [authority('demo', 'ci', { log: 'consistency' })] }];
  const good = satisfied('demo', 'ci', 1);
  const judge = (judged: Evidence['outcomes'][number]) => decide({ matching, outcomes: [judged] });
  assert.equal(judge({ ...good, log: log([1]) }).outcome, 'allow');
  const refused = judge({ ...good, log: log([], 'LOG_INCONSISTENT') });
  assert.equal(refused.outcome, 'deny');
  assert.equal(refused.reasons[0].code, 'LOG_INCONSISTENT');
  assert.match(refused.reasons[0].sentence, /^the log says LOG_INCONSISTENT; policy "demo" wants/);
  assert.equal(judge({ ...good, log: log([2]) }).outcome, 'deny');
  assert.equal(judge(good).outcome, 'deny', 'a log that was not asked confirms nothing');
});

test('all attestations of an authority count together, each with its evidence', () => {
  const both = (...blobs: readonly number[]): Evidence['outcomes'][number] => {
    const signers = blobs.map((n) => {
      const predicateType = `https://example.com/p${n}`;
      return { authority: 'demo/ci', identity: 'ci@example.com (issuer)', evidence: digest(n), predicateType };
    });
    return { reference: { policy: 'demo', authority: 'ci' }, outcome: { satisfied: true, signers } };
  };
  const matching = [policy('demo', 'ci')];
  const { outcome, reasons, signers } = decide({ matching, signatures: found(1, 2), outcomes: [both(1, 2)] });
  assert.equal(outcome, 'allow');
  assert.equal(signers.length, 2);
  assert.deepEqual(reasons, [
    {
      code: 'ATTESTATION_VERIFIED',
      sentence:
        'https://example.com/p1, https://example.com/p2 attested by ci@example.com (issuer) (demo/ci); policy "demo" is satisfied',
    },
  ]);
  assert.equal(decide({ matching, signatures: found(1), outcomes: [both(1, 2)] }).outcome, 'deny');
  const none = { reference: { policy: 'demo', authority: 'ci' }, outcome: { satisfied: true, signers: [] } } as const;
  assert.equal(decide({ matching, outcomes: [none] }).outcome, 'deny', 'satisfied by nobody');
});

test('a static authority passes or refuses without evidence', () => {
  const is = (action: 'pass' | 'fail') => {
    const rule = { static: { action, message: 'ask the\nplatform team' }, sources: [] };
    return [{ ...policy('demo'), authorities: [authority('demo', 'all', rule)] }];
  };
  const passed = decide({ matching: is('pass'), signatures: found() });
  assert.deepEqual([passed.outcome, passed.reasons[0].code, passed.signers], ['allow', 'STATIC_PASS', []]);
  const failed = decide({ matching: is('fail'), signatures: found(), outcomes: [satisfied('demo', 'all', 1)] });
  assert.deepEqual([failed.outcome, failed.reasons[0].code], ['deny', 'STATIC_FAIL']);
  assert.match(failed.reasons[0].sentence, /refuses 127.* whatever signs it: ask the platform team$/);
  assert.equal(decide({ matching: is('fail'), outcomes: [satisfied('demo', 'all', 1)] }).outcome, 'deny');
  const beside = [{ ...policy('demo'), authorities: [...(is('fail')[0]?.authorities ?? []), authority('demo', 'ci')] }];
  assert.equal(decide({ matching: beside, outcomes: [satisfied('demo', 'ci', 1)] }).outcome, 'allow');
});

test('a policy that warns refuses nothing, and says what it would have refused for', () => {
  const warns = { ...policy('soft', 'ci'), mode: 'warn' } as const;
  const alone = decide({ matching: [warns], outcomes: [rejected('soft', 'ci', 'WRONG_KEY')] });
  assert.deepEqual([alone.outcome, alone.reasons[0].code, alone.signers], ['allow', 'POLICY_WARNS', []]);
  assert.match(alone.reasons[0].sentence, /^policy "soft" only warns, and would refuse: WRONG_KEY: the sentence/);
  const unsigned = decide({ matching: [warns], signatures: found() });
  assert.match(unsigned.reasons[0].sentence, /would refuse: UNSIGNED: /);
  const unable = [
    { reference: { policy: 'soft', authority: 'ci' }, inability: { code: 'LOG_TIMEOUT', sentence: 'too slow' } },
  ] as const;
  assert.match(decide({ matching: [warns], unable }).reasons[0].sentence, /would refuse: LOG_TIMEOUT: too slow/);
  const beside = decide({ matching: [warns, policy('hard', 'ci')], outcomes: [satisfied('hard', 'ci', 1)] });
  assert.deepEqual(
    beside.reasons.map(({ code }) => code),
    ['SIGNATURE_VERIFIED', 'POLICY_WARNS'],
  );
  const refused = decide({ matching: [warns, policy('hard', 'ci')], outcomes: [satisfied('soft', 'ci', 1)] });
  assert.equal(refused.outcome, 'deny', 'a policy that enforces is not outvoted');
});

test('a revoked digest is refused by that alone, also when no policy is loaded', () => {
  for (const loaded of [0, 3]) {
    const { outcome, reasons } = decide({
      resolution: { loaded, matching: [], revoked: true },
      outcomes: [satisfied('demo', 'release', 1)],
    });
    assert.deepEqual([outcome, reasons.map(({ code }) => code)], ['deny', ['REVOKED']]);
  }
});
