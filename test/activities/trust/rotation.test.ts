import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { toTrustRoot } from '../../../activities/trust/trust-root.ts';
import { readTrustedRootJson } from '../../../activities/trust/trusted-root/trusted-root-json.ts';
import type { TrustPlan } from '../../support/virtual-sigstore/trusted-root.ts';
import { trustedRootJson } from '../../support/virtual-sigstore/trusted-root.ts';
import { BASES } from '../sigstore/negatives/bases.ts';
import { type Base, type Bend, judgementOf, sigstore, stranger } from '../sigstore/negatives/case.ts';

const BEFORE = new Date('2026-05-31T00:00:00Z');
const AFTER = new Date('2026-06-01T18:00:00Z');
const LATER = new Date('2027-01-01T00:00:00Z');

/** The judgement of good evidence, with a trust root that was read from its file. */
function judged(
  base: Base,
  bend: (plan: TrustPlan) => void,
  origins: readonly (string | undefined)[] = [],
  more: Bend = {},
): string {
  const plan = sigstore.trustPlan();
  bend(plan);
  const json = trustedRootJson(plan);
  const tlogs = json.tlogs.map((log, i) => (origins[i] === undefined ? log : { ...log, origin: origins[i] }));
  const read = readTrustedRootJson('acme', Buffer.from(JSON.stringify({ ...json, tlogs })), 'refuse');
  assert.ok(read.ok && read.document.source.kind === 'keys', read.ok ? '' : read.problem);
  const { root, origins: declared } = read.document.source;
  const trust = toTrustRoot('acme', root, declared).material;
  return judgementOf(base, { judgedAt: LATER, ...more, require: (requirement) => ({ ...requirement, trust }) });
}

const codeOf = (judgement: string) => judgement.split(':')[0];

describe('a trust root that is read from its file', () => {
  // One that is judged at its own time proves nothing later, whatever the trust root.
  const timed = Object.values<Base>(BASES).filter(({ require, judgedAt }) => (require ?? judgedAt) === undefined);
  for (const base of timed) {
    it(`proves what it should: ${base.name}`, () => {
      assert.equal(
        judged(base, () => {}),
        'valid',
      );
    });
  }

  it('lets what was retired prove what it signed in its time, and nothing after', () => {
    const retire = (until: Date) => (plan: TrustPlan) => {
      for (const one of [...plan.authorities, ...plan.logs, ...plan.ctLogs, ...plan.timestampAuthorities])
        one.window.until = until;
    };
    for (const [base, code] of [
      [BASES.keyless, 'LOG_KEY_EXPIRED'],
      [BASES.tiled, 'TIMESTAMP_UNTRUSTED'],
      [BASES.legacy, 'LOG_KEY_EXPIRED'],
    ] as const) {
      assert.equal(judged(base, retire(AFTER)), 'valid');
      assert.equal(codeOf(judged(base, retire(BEFORE))), code);
    }
  });

  const RETIRED: readonly (readonly [string, Base, string, (plan: TrustPlan) => void])[] = [
    ['an authority', BASES.keyless, 'CERTIFICATE_EXPIRED', (plan) => end(plan.authorities)],
    ['a Rekor v1 log', BASES.keyless, 'LOG_KEY_EXPIRED', (plan) => end(plan.logs)],
    ['a Rekor v2 log', BASES.tiled, 'LOG_KEY_EXPIRED', (plan) => end(plan.logs)],
    ['a timestamp authority', BASES.tiled, 'TIMESTAMP_UNTRUSTED', (plan) => end(plan.timestampAuthorities)],
    ['a CT log', BASES.keyless, 'CERTIFICATE_UNLOGGED', (plan) => end(plan.ctLogs)],
  ];
  for (const [what, base, code, retire] of RETIRED) {
    it(`refuses evidence of ${what} that had been retired before`, () => {
      assert.equal(codeOf(judged(base, retire)), code);
    });
  }

  it('goes over to the next authority and log without a gap', () => {
    const both = (plan: TrustPlan) => {
      const next = stranger.trustPlan();
      for (const list of ['authorities', 'logs', 'ctLogs', 'timestampAuthorities'] as const) {
        for (const one of plan[list]) one.window.until = AFTER;
        for (const one of next[list]) one.window.from = AFTER;
      }
      plan.authorities.push(...next.authorities);
      plan.logs.push(...next.logs);
      plan.ctLogs.push(...next.ctLogs);
      plan.timestampAuthorities.push(...next.timestampAuthorities);
    };
    assert.equal(judged(BASES.keyless, both), 'valid');
    // The next authority signs at once, in the old one's time.
    assert.equal(
      codeOf(judged(BASES.keyless, both, [], { leaf: { by: stranger.intermediate } })),
      'CERTIFICATE_EXPIRED',
    );
  });
});

describe('a log that signs checkpoints by another name than its URL has', () => {
  const moved = (plan: TrustPlan) => {
    for (const log of plan.logs) log.baseUrl = 'https://rekor.internal';
  };

  it('proves nothing until the trust root gives the name', () => {
    const [v1] = sigstore.trustPlan().logs;
    assert.ok(v1 !== undefined);
    const only = (plan: TrustPlan) => {
      moved(plan);
      plan.logs.splice(1);
    };
    assert.equal(codeOf(judged(BASES.keyless, only)), 'LOG_PROOF_INVALID');
    assert.equal(judged(BASES.keyless, only, [new URL(v1.baseUrl).hostname]), 'valid');
    assert.equal(codeOf(judged(BASES.keyless, only, ['another.name'])), 'LOG_PROOF_INVALID');
  });

  it('is refused when it is read, if its id has the name in it', () => {
    const plan = sigstore.trustPlan();
    moved(plan);
    const read = readTrustedRootJson('acme', Buffer.from(JSON.stringify(trustedRootJson(plan))), 'refuse');
    assert.ok(!read.ok);
    assert.match(read.problem, /^tlogs\[1\]: expected the log id that follows from the key/);
    const names = sigstore.trustPlan().logs.map(({ baseUrl }) => new URL(baseUrl).hostname);
    assert.equal(judged(BASES.tiled, moved, names), 'valid');
  });
});

function end(list: readonly { window: { until?: Date } }[]): void {
  for (const one of list) one.window.until = BEFORE;
}
