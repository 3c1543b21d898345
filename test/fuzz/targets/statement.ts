import assert from 'node:assert/strict';
import { judgeStatement } from '../../../activities/sigstore/payload/statement.ts';
import { parseStrictJson } from '../../../activities/text/strict-json.ts';
import { isRecord } from '../../../workflows/format/record.ts';
import { corpus } from '../corpus.ts';
import { partOf, refused, type Target } from '../target.ts';

const TYPE = 'application/vnd.in-toto+json';
const PREDICATE_TYPE = 'https://slsa.dev/provenance/v1';
const HEX = corpus.digest.slice('sha256:'.length);

/** An in-toto statement, read after its signature held; and the JSON reader below it, held against the platform's. */
export const statementTarget: Target = {
  name: 'statement',
  seeds: ['https://in-toto.io/Statement/v1', 'https://in-toto.io/Statement/v0.1'].map((type) => ({
    seed: type,
    parts: { type: Buffer.from(TYPE), payload: Buffer.from(JSON.stringify(statementOf(type))) },
  })),
  run(input) {
    const payload = partOf(input, 'payload');
    const strict = parseStrictJson(payload);
    if (strict.ok) assert.deepEqual(strict.value, JSON.parse(payload.toString()), 'two readers read two things');
    const wanted = { kind: 'attestation', predicateTypes: [PREDICATE_TYPE] } as const;
    const judged = judgeStatement(partOf(input, 'type').toString(), payload, wanted, HEX);
    if (!judged.ok) return refused(judged.refusal);
    const { document, predicateType } = judged.value ?? {};
    assert.equal(predicateType, PREDICATE_TYPE);
    assert.deepEqual(document, JSON.parse(payload.toString()));
    const subjects: unknown = document?.['subject'];
    assert.ok(Array.isArray(subjects) && subjects.some(namesDigest), 'a statement about something else was accepted');
    return 'accepted';
  },
};

function namesDigest(subject: unknown): boolean {
  return isRecord(subject) && isRecord(subject['digest']) && subject['digest']['sha256'] === HEX;
}

function statementOf(type: string): object {
  return {
    _type: type,
    subject: [
      { name: 'other', digest: { sha512: 'ab'.repeat(64) } },
      { name: 'app', digest: { sha256: HEX, sha1: 'ab'.repeat(20) } },
    ],
    predicateType: PREDICATE_TYPE,
    predicate: { buildDefinition: { buildType: 'https://build.example/v1', resolvedDependencies: [{ uri: 'git' }] } },
  };
}
