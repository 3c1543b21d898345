import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { before, describe, it } from 'node:test';
import fc from 'fast-check';
import type { SignatureContent } from '../../../activities/sigstore/evidence/content.ts';
import { judge } from '../../../activities/sigstore/signature.ts';
import { type Agreement, agreementOn } from '../../support/independent-judge/agreement.ts';
import { questionOf } from '../../support/independent-judge/question.ts';
import { BASES } from './negatives/bases.ts';
import { asked, type Base, contentOf, judgedAt, trustPlan } from './negatives/case.ts';
import { type Part, partsOf } from './properties/parts.ts';
import { type Example, UNAUTHENTICATED, unexplained } from './properties/unauthenticated.ts';

/** The same changes every time, at the same places; fast-check prints it with a counterexample. The keys are fresh. */
const SEED = 20_260_601;
/** For a whole document, and for each part of one. */
const RUNS = { document: 200, part: 40 } as const;

interface Change {
  readonly kind: 'set' | 'insert' | 'remove';
  readonly at: number;
  readonly byte: number;
}

const change: fc.Arbitrary<Change> = fc.record({
  // Most mistakes are another byte in the place of one.
  kind: fc.constantFrom('set', 'set', 'set', 'insert', 'remove'),
  at: fc.nat(),
  byte: fc.oneof(fc.nat(255), fc.constantFrom(...Buffer.from(' \n"\\\0,]}=/'))),
});

function apply(bytes: Buffer, { kind, at, byte }: Change): Buffer {
  const index = at % bytes.length;
  const kept = kind === 'insert' ? index : index + 1;
  return Buffer.concat([bytes.subarray(0, index), Buffer.from(kind === 'remove' ? [] : [byte]), bytes.subarray(kept)]);
}

for (const base of Object.values<Base>(BASES)) {
  describe(`one byte changed: ${base.name}`, () => {
    const content = contentOf(base);
    const { requirement, expected } = asked(base);
    let agree: Agreement = () => {};
    before(async () => {
      if (base.signer === 'certificate') agree = await agreementOn(base.name, questionOf(requirement, trustPlan()));
    });
    const isValid = (changed: SignatureContent) => {
      const { valid } = judge(changed, requirement, expected, { now: judgedAt(base) });
      if (valid) agree(changed);
      return valid;
    };

    for (const [index, part] of partsOf(content).entries()) {
      it(`${part.name} is never valid, unless the byte is in the list of unauthenticated places`, () => {
        const original = part.with(part.bytes);
        assert.ok(original !== undefined && isValid(original), 'expected it to hold unchanged');
        const property = fc.property(change, (one) => holds(part, original, apply(part.bytes, one), isValid));
        fc.assert(property, { seed: SEED, numRuns: index === 0 ? RUNS.document : RUNS.part });
      });
    }
  });
}

function holds(
  part: Part,
  original: SignatureContent,
  bytes: Buffer,
  isValid: (content: SignatureContent) => boolean,
): void {
  const changed = part.with(bytes);
  if (bytes.equals(part.bytes) || changed === undefined || !isValid(changed)) return;
  assert.deepEqual(
    unexplained(original, changed),
    [],
    'expected what is valid to differ in unauthenticated places only',
  );
}

describe('the list of unauthenticated places', () => {
  it('is the one that the README of the room has', () => {
    const readme = readFileSync(new URL('../../../activities/sigstore/README.md', import.meta.url), 'utf8');
    const [, table = ''] = readme.split('## What is not authenticated');
    const rows = [...table.matchAll(/^\| (?!-|place )(.+?) +\| (.+?) +\|$/gm)].map(
      ([, place, why]) => `${place}: ${why}`,
    );
    assert.deepEqual(
      rows,
      UNAUTHENTICATED.map(({ name, why }) => `${name}: ${why}`),
    );
  });

  for (const place of UNAUTHENTICATED) {
    it(`holds nothing that need not be there: ${place.path.source}, for ${place.why}`, () => {
      const { base } = place.example;
      const { requirement, expected } = asked(base);
      const original = contentOf(base);
      const changed = withExample(original, place.example);
      const judgement = judge(changed, requirement, expected, { now: judgedAt(base) });
      assert.equal(judgement.valid ? 'valid' : judgement.sentence, 'valid');
      const others = UNAUTHENTICATED.filter((other) => other !== place);
      assert.notDeepEqual(unexplained(original, changed, others), []);
    });
  }
});

describe('the index of a log entry', () => {
  // Two entries in one bundle: the first has a promise, the second has none.
  const base = BASES.twoLogs;
  const original = contentOf(base);
  const withoutIndex = (entry: number): SignatureContent => {
    assert.ok(original.format === 'bundle');
    // Each entry has one, and so has its proof, which comes behind it.
    let seen = 0;
    const rename = (name: string) => (seen++ === 2 * entry ? '"notRead":' : name);
    const bundle = Buffer.from(original.bundle).toString().replaceAll('"logIndex":', rename);
    return { ...original, bundle: Buffer.from(bundle) };
  };
  const { requirement, expected } = asked(base);
  const isValid = (changed: SignatureContent) => judge(changed, requirement, expected, { now: judgedAt(base) }).valid;

  it('is authenticated by the promise of that entry', () => {
    assert.equal(isValid(withoutIndex(0)), false);
    assert.notDeepEqual(unexplained(original, withoutIndex(0)), []);
  });

  it('is authenticated by the proof of an entry of a log of tiles, which has no promise', () => {
    assert.equal(isValid(withoutIndex(1)), false);
    assert.notDeepEqual(unexplained(original, withoutIndex(1)), []);
  });

  it('is whole, and for an entry of Rekor v1 with nothing but a proof at least the one in its tree', () => {
    const proven = BASES.keyedProven;
    const asks = asked(proven);
    const judged = (field: string, value: unknown): string => {
      const content = contentOf(proven);
      assert.ok(content.format === 'bundle');
      const json = Buffer.from(content.bundle).toString();
      const bundle = Buffer.from(json.replace(new RegExp(`"${field}":"\\d+"`), `"${field}":${JSON.stringify(value)}`));
      const judgement = judge({ ...content, bundle }, asks.requirement, asks.expected, { now: judgedAt(proven) });
      return judgement.valid ? 'valid' : judgement.code;
    };
    assert.equal(judged('logIndex', '900719925474099100'), 'valid');
    assert.equal(judged('integratedTime', '0'), 'valid');
    for (const bad of ['-1', '9223372036854775807']) assert.equal(judged('logIndex', bad), 'LOG_PROOF_INVALID');
    for (const bad of ['-1', '9223372036854775807']) assert.equal(judged('integratedTime', bad), 'LOG_PROOF_INVALID');
    for (const bad of [{}, '', '01', 'x', true, '9223372036854775808']) {
      assert.equal(judged('logIndex', bad), 'EVIDENCE_MALFORMED');
      assert.equal(judged('integratedTime', bad), 'EVIDENCE_MALFORMED');
    }
  });

  it('is the one of the proof, and no time beside it, in a log of tiles', () => {
    const tiled = BASES.tiled;
    const asks = asked(tiled);
    const judged = (bend: (json: string) => string): string => {
      const content = contentOf(tiled);
      assert.ok(content.format === 'bundle');
      const bundle = Buffer.from(bend(Buffer.from(content.bundle).toString()));
      const judgement = judge({ ...content, bundle }, asks.requirement, asks.expected, { now: judgedAt(tiled) });
      return judgement.valid ? 'valid' : judgement.sentence;
    };
    assert.equal(
      judged((json) => json),
      'valid',
    );
    const neighbour = (json: string) =>
      json.replace(/"logIndex":"(\d+)"/, (_, index) => `"logIndex":"${Number(index) + 1}"`);
    assert.match(judged(neighbour), /the log entry has the index \d+, its inclusion proof is for \d+/);
    const timed = (json: string) => json.replace('"kindVersion"', '"integratedTime":"1780315200","kindVersion"');
    assert.match(judged(timed), /a time that its log never gives/);
  });
});

function withExample(content: SignatureContent, { annotation, from, to }: Example): SignatureContent {
  const replace = (bytes: Uint8Array | string) => Buffer.from(Buffer.from(bytes).toString().replace(from, to));
  if (content.format === 'bundle') return { ...content, bundle: replace(content.bundle) };
  if (annotation !== undefined) {
    const text = replace(content.annotations[annotation] ?? '').toString();
    return { ...content, annotations: { ...content.annotations, [annotation]: text } };
  }
  return content.format === 'envelope'
    ? { ...content, envelope: replace(content.envelope) }
    : { ...content, payload: replace(content.payload) };
}
