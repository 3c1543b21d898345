import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { JudgeContext } from '../../../activities/sigstore/judge-context.ts';
import type { Proof, ProvenEntry } from '../../../activities/sigstore/judgement.ts';
import { compilePattern, exactly } from '../../../activities/sigstore/requirement/text-pattern.ts';
import { judge } from '../../../activities/sigstore/signature.ts';
import type { SubjectName } from '../../support/virtual-sigstore/fulcio-extensions.ts';
import { WORKFLOW_ISSUER, WORKFLOW_SUBJECT } from '../../support/virtual-sigstore/sigstore.ts';
import { BASES } from './negatives/bases.ts';
import { asked, type Base, type Bend, contentOf, JUDGED_AT, SIGNED_AT, sigstore } from './negatives/case.ts';

/** The proof of evidence that holds. */
function proofOf(base: Base, bend: Bend = {}, context: JudgeContext = { now: JUDGED_AT }): Proof {
  const { requirement, expected } = asked(base, bend);
  const judgement = judge(contentOf(base, bend), requirement, expected, context);
  assert.ok(judgement.valid, judgement.valid ? '' : `${judgement.code}: ${judgement.sentence}`);
  return judgement;
}

function onlyEntry(proof: Proof): ProvenEntry {
  const [entry, ...others] = proof.entries;
  assert.ok(entry !== undefined && others.length === 0);
  return entry;
}

describe('a pattern', () => {
  it('has at most 1024 characters', () => {
    assert.equal(compilePattern('a'.repeat(1_024)).ok, true);
    assert.equal(compilePattern('a'.repeat(1_025)).ok, false);
  });
});

describe('a proof says who signed', () => {
  it('names a certificate by subject and issuer, and a key by its hash', () => {
    assert.equal(proofOf(BASES.keyless).identity, `${WORKFLOW_SUBJECT} (${WORKFLOW_ISSUER})`);
    assert.match(proofOf(BASES.keyed).identity, /^key sha256:[0-9a-f]{64}$/);
  });

  it('names a certificate without an issuer by its subject alone', () => {
    const bend: Bend = {
      leaf: { issuer: {} },
      require: (it) => ({ ...it, signer: keyless(exactly(WORKFLOW_SUBJECT), exactly('')) }),
    };
    assert.equal(proofOf(BASES.keyless, bend).identity, WORKFLOW_SUBJECT);
  });

  it('writes what is not printable in a subject so that it cannot reorder a line', () => {
    const text = 'a\u202eb@example.test';
    const bend: Bend = {
      leaf: { names: [{ kind: 'email', text }] },
      require: (it) => ({ ...it, signer: keyless(exactly(text), exactly(WORKFLOW_ISSUER)) }),
    };
    assert.equal(proofOf(BASES.keyless, bend).identity, `a\\u202eb@example.test (${WORKFLOW_ISSUER})`);
  });

  const names: readonly SubjectName[] = [
    { kind: 'email', text: 'dev@example.test' },
    { kind: 'dns', text: 'build.example.test' },
    { kind: 'other', text: 'dev!example.test' },
    { kind: 'uri', text: 'spiffe://example.test/build' },
  ];
  for (const name of names) {
    it(`reads a subject that is of the kind ${name.kind}`, () => {
      assert.ok(name.kind !== 'der');
      const bend: Bend = {
        leaf: { names: [name] },
        require: (it) => ({ ...it, signer: keyless(exactly(name.text), exactly(WORKFLOW_ISSUER)) }),
      };
      assert.equal(proofOf(BASES.keyless, bend).identity, `${name.text} (${WORKFLOW_ISSUER})`);
    });
  }

  it('believes the newer of two issuers', () => {
    const bend: Bend = { leaf: { issuer: { v1: 'https://old.test', v2: WORKFLOW_ISSUER } } };
    assert.equal(proofOf(BASES.keyless, bend).identity, `${WORKFLOW_SUBJECT} (${WORKFLOW_ISSUER})`);
  });
});

describe('a proof says what was logged', () => {
  it('has the place in the tree of the signed checkpoint, and the time that the log promised', () => {
    const entry = onlyEntry(proofOf(BASES.keyless));
    assert.equal(entry.logId, sigstore.rekorV1.id.toString('hex'));
    assert.equal(entry.integratedTime, SIGNED_AT.getTime());
    assert.equal(entry.inclusion?.rootHash.length, 32);
    assert.ok(entry.inclusion.index < entry.inclusion.treeSize);
    const body: unknown = JSON.parse(Buffer.from(entry.canonicalizedBody).toString());
    assert.ok(typeof body === 'object' && body !== null && 'kind' in body && body.kind === 'dsse');
  });

  it('has no place where the log only promised, and no time where the log tells none', () => {
    assert.equal(onlyEntry(proofOf(BASES.oldBundle)).inclusion, undefined);
    assert.equal(onlyEntry(proofOf(BASES.legacy)).inclusion, undefined);
    assert.equal(onlyEntry(proofOf(BASES.attachedIntoto1)).inclusion, undefined);
    assert.equal(onlyEntry(proofOf(BASES.tiled)).integratedTime, undefined);
  });

  it('has the entries in the order of the evidence', () => {
    const logs = proofOf(BASES.twoLogs).entries.map(({ logId }) => logId);
    assert.deepEqual(logs, [sigstore.rekorV1.id.toString('hex'), sigstore.rekorV2.id.toString('hex')]);
  });

  it('has none for a key of which no log is asked for', () => {
    const bend: Bend = { require: (it) => ({ ...it, log: undefined }) };
    assert.deepEqual(proofOf(BASES.keyedLogged, bend).entries, []);
  });
});

describe('a proof says what was stated', () => {
  it('has the statement of an attestation, in every format', () => {
    for (const base of [BASES.attestation, BASES.attached, BASES.attachedIntoto1]) {
      const { statement } = proofOf(base);
      assert.equal(statement?.predicateType, 'https://slsa.dev/provenance/v1', base.name);
      assert.deepEqual(statement.predicate, {}, base.name);
      assert.equal(statement.document['_type'], 'https://in-toto.io/Statement/v1', base.name);
    }
  });

  it('has none for a signature', () => {
    for (const base of [BASES.keyless, BASES.legacy, BASES.keyed]) assert.equal(proofOf(base).statement, undefined);
  });
});

function keyless(subject: ReturnType<typeof exactly>, issuer: ReturnType<typeof exactly>) {
  return { kind: 'keyless', identities: [{ subject, issuer }], claims: [], certificateTimestamps: 1 } as const;
}
