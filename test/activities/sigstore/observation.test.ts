import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { MAX_TLOG_ENTRIES } from '../../../activities/limits.ts';
import type { JudgeContext } from '../../../activities/sigstore/judge-context.ts';
import type { FoundEntry } from '../../../activities/sigstore/log/looked-up-entry.ts';
import type { Requirement } from '../../../activities/sigstore/requirement/requirement.ts';
import { judge } from '../../../activities/sigstore/signature.ts';
import { logInV1, logInV2, stampOf } from '../../support/virtual-sigstore/evidence.ts';
import type { Signed } from '../../support/virtual-sigstore/log-body.ts';
import type { TlogEntry } from '../../support/virtual-sigstore/tlog-entry.ts';
import type { TrustPlan } from '../../support/virtual-sigstore/trusted-root.ts';
import { BASES, wants } from './negatives/bases.ts';
import {
  asked,
  type Base,
  type Bend,
  type Change,
  contentOf,
  JUDGED_AT,
  judgementOf,
  SIGNED_AT,
  sigstore,
  stranger,
} from './negatives/case.ts';

const MINUTE_MS = 60_000;
const at = (seconds: number) => new Date(SIGNED_AT.getTime() + seconds * 1000);
const nothing = wants({ entries: 0, timestamps: 0 });
const unlogged = (it: Requirement): Requirement => ({ ...nothing(it), log: undefined });
const minutesAfter = (minutes: number) => new Date(SIGNED_AT.getTime() + minutes * MINUTE_MS);

function verdict(base: Base, bend: Bend, context: JudgeContext = { now: JUDGED_AT }): string {
  const { requirement, expected } = asked(base, bend);
  const judgement = judge(contentOf(base, bend), requirement, expected, context);
  return judgement.valid ? 'valid' : judgement.code;
}

describe('the time at which a certificate is judged', () => {
  it('is the time of judging where nothing is asked for and nobody saw the signature', () => {
    const bend: Bend = { entries: () => [], require: unlogged };
    assert.equal(verdict(BASES.keyless, bend, { now: minutesAfter(1) }), 'valid');
    assert.equal(verdict(BASES.keyless, bend, { now: minutesAfter(6) }), 'CERTIFICATE_EXPIRED');
    assert.equal(verdict(BASES.keyless, bend, { now: minutesAfter(-6) }), 'CERTIFICATE_EXPIRED');
  });

  it('is compared to the millisecond, both ends of the validity included', () => {
    const bend: Bend = { entries: () => [], require: unlogged };
    const at = (ms: number) => verdict(BASES.keyless, bend, { now: new Date(SIGNED_AT.getTime() + ms) });
    assert.equal(at(5 * MINUTE_MS), 'valid');
    assert.equal(at(5 * MINUTE_MS + 1), 'CERTIFICATE_EXPIRED');
    assert.equal(at(-5 * MINUTE_MS), 'valid');
    assert.equal(at(-5 * MINUTE_MS - 1), 'CERTIFICATE_EXPIRED');
  });

  it('is what a log or an authority saw, though nobody asks for them', () => {
    assert.equal(verdict(BASES.keyless, { require: unlogged }), 'valid');
    assert.equal(verdict(BASES.stamped, { require: unlogged }), 'valid');
    assert.equal(verdict(BASES.legacyStamped, { require: unlogged }), 'valid');
  });

  it('is every one of them: one outside is enough to refuse', () => {
    const late = (minutes: number): Bend => ({
      require: unlogged,
      stamps: (_, signed) => [stampOf(sigstore.tsa, signed, minutesAfter(minutes))],
    });
    assert.equal(verdict(BASES.keyless, late(4)), 'valid');
    assert.equal(verdict(BASES.keyless, late(6)), 'CERTIFICATE_EXPIRED');
  });

  it('is not what a log says that nobody named, nor an entry that does not hold: then it is the time of judging', () => {
    const foreign: Bend = { require: unlogged, entries: (_, signed) => [strangersEntry(signed)] };
    assert.equal(verdict(BASES.keyless, foreign), 'CERTIFICATE_EXPIRED');
    assert.equal(verdict(BASES.keyless, foreign, { now: minutesAfter(1) }), 'valid');
    const broken: Bend = {
      require: unlogged,
      entries: (entries) => entries.map((entry) => ({ ...entry, integratedTime: '1' })),
    };
    assert.equal(verdict(BASES.keyless, broken), 'CERTIFICATE_EXPIRED');
  });

  it('has to be somebody’s word where a log is asked for: an entry without a time is not enough', () => {
    const bend: Bend = { stamps: () => [], require: wants({ timestamps: 0 }) };
    assert.equal(verdict(BASES.tiled, bend), 'TIMESTAMP_MISSING');
    assert.equal(verdict(BASES.tiled, bend, { now: SIGNED_AT }), 'TIMESTAMP_MISSING');
  });
});

describe('the key of a log without times', () => {
  const untimed: Bend['entries'] = (_, signed) => [logInV2(sigstore.rekorV2, 'dsse 0.0.2', signed, SIGNED_AT)];
  const until = (time: Date) => (plan: TrustPlan) => {
    for (const log of plan.logs) {
      if (log.id.equals(sigstore.rekorV2.id)) log.window = { from: log.window.from, until: time };
    }
  };

  it('has to be valid now where nothing says when the signature was made, and the reason says so', () => {
    assert.equal(judgementOf(BASES.keyedLogged, { entries: untimed }), 'valid');
    const sentence = judgementOf(BASES.keyedLogged, { entries: untimed, trust: until(at(60)) });
    const now = JUDGED_AT.toISOString();
    assert.equal(
      sentence,
      `LOG_KEY_EXPIRED: the signature has no trusted time, so the present counts, and the key of the log is not valid at ${now} by the trust root; sign with a timestamp authority, or correct the window of the log in the trust root`,
    );
  });

  it('has to be valid at the time of a timestamp where there is one', () => {
    assert.equal(judgementOf(BASES.tiled, { trust: until(at(60)) }), 'valid');
    assert.equal(
      judgementOf(BASES.tiled, { trust: until(at(-1)) }),
      `LOG_KEY_EXPIRED: the key of the log is not valid at ${SIGNED_AT.toISOString()} by the trust root; sign again, or correct the window of the log in the trust root`,
    );
  });
});

describe('parties that the trust root does not name', () => {
  it('are passed over beside one that it names', () => {
    const entries = (usual: readonly TlogEntry[], signed: Signed) => [strangersEntry(signed), ...usual];
    assert.equal(verdict(BASES.keyless, { entries }), 'valid');
    assert.equal(verdict(BASES.keyedLogged, { entries }), 'valid');
    const stamps = (usual: readonly string[], signed: Signed) => [stampOf(stranger.tsa, signed, SIGNED_AT), ...usual];
    assert.equal(verdict(BASES.stamped, { stamps }), 'valid');
  });

  it('are the reason where they are all there is', () => {
    assert.equal(verdict(BASES.keyless, { entries: (_, signed) => [strangersEntry(signed)] }), 'LOG_UNKNOWN');
    const stamps = (_: readonly string[], signed: Signed) => [stampOf(stranger.tsa, signed, SIGNED_AT)];
    assert.equal(verdict(BASES.stamped, { stamps }), 'TIMESTAMP_UNTRUSTED');
    assert.equal(
      verdict(BASES.stamped, { stamps, require: wants({ timestamps: 0, observers: 1 }) }),
      'TIMESTAMP_UNTRUSTED',
    );
  });
});

describe('counting', () => {
  it('counts logs, not entries', () => {
    const twice = (_: readonly TlogEntry[], signed: Signed) => [
      logInV1(sigstore.rekorV1, 'dsse 0.0.1', signed, SIGNED_AT),
      logInV1(sigstore.rekorV1, 'hashedrekord 0.0.1', signed, SIGNED_AT),
    ];
    assert.equal(verdict(BASES.keyless, { entries: twice }), 'valid');
    assert.equal(verdict(BASES.keyless, { entries: twice, require: wants({ entries: 2 }) }), 'LOG_ENTRY_MISSING');
  });

  it('counts authorities, not timestamps', () => {
    const twice = (_: readonly string[], signed: Signed) =>
      [0, 1].map((minutes) => stampOf(sigstore.tsa, signed, minutesAfter(minutes)));
    assert.equal(verdict(BASES.stamped, { stamps: twice }), 'valid');
    assert.equal(verdict(BASES.stamped, { stamps: twice, require: wants({ timestamps: 2 }) }), 'TIMESTAMP_MISSING');
  });

  it('counts logs with a time and authorities together as observers', () => {
    const observers = (count: number) => ({ require: wants({ timestamps: 0, observers: count }) });
    assert.equal(verdict(BASES.twoLogs, observers(2)), 'valid');
    assert.equal(verdict(BASES.twoLogs, observers(3)), 'TIMESTAMP_MISSING');
    assert.equal(verdict(BASES.keyless, observers(1)), 'valid');
    assert.equal(verdict(BASES.keyless, observers(2)), 'TIMESTAMP_MISSING');
    assert.equal(verdict(BASES.keyedStamped, observers(1)), 'valid');
    assert.equal(verdict(BASES.keyed, observers(1)), 'TIMESTAMP_MISSING');
  });
});

describe('entries that a look-up found', () => {
  it('count as if they were in the evidence', () => {
    for (const base of [BASES.keyedLogged, BASES.legacyKeyedLogged, BASES.keyless]) {
      const { judged, own } = unloggedEvidence(base);
      assert.equal(judged([]), 'LOG_ENTRY_MISSING', base.name);
      assert.equal(judged(own), 'valid', base.name);
    }
  });

  it('do not count twice', () => {
    const { judged, own } = unloggedEvidence(BASES.keyedLogged, wants({ entries: 2 }));
    assert.equal(judged([...own, ...own]), 'LOG_ENTRY_MISSING');
  });

  it('are passed over where they do not hold, are about another signature, or are no entries', () => {
    const { judged, own } = unloggedEvidence(BASES.keyedLogged);
    const junk: readonly FoundEntry[] = [
      { ...own[0], inclusionPromise: { signedEntryTimestamp: 'AAAA' } },
      {},
      { logId: 7, kindVersion: [] },
      ...unloggedEvidence(BASES.keyless).own,
    ];
    assert.equal(judged(junk), 'LOG_PROOF_INVALID');
    assert.equal(judged(unloggedEvidence(BASES.keyless).own), 'LOG_ENTRY_MISMATCH');
    assert.equal(judged([...junk, ...own]), 'valid');
  });

  it('of the kind intoto 0.0.1 count by their promise, and not beside a proof, which this kind does not bind', () => {
    const { judged, own } = unloggedEvidence(BASES.attachedIntoto1);
    const promised = own.map(({ inclusionProof: _, ...entry }) => entry);
    const [foreign] = unloggedEvidence(BASES.attached).own;
    assert.equal(judged(promised), 'valid');
    assert.ok(foreign?.['inclusionProof'] !== undefined);
    assert.equal(
      judged(promised.map((entry) => ({ ...entry, inclusionProof: foreign['inclusionProof'] }))),
      'LOG_PROOF_INVALID',
    );
  });

  it('by a key of the log that has ended are passed over beside a good entry of their own', () => {
    const found: FoundEntry[] = [];
    const content = contentOf(BASES.keyedLogged, {
      signed: (usual) => {
        found.push({ ...logInV2(sigstore.rekorV2, 'dsse 0.0.2', usual, SIGNED_AT) });
        return usual;
      },
    });
    const ended: Bend = {
      trust: (plan) => {
        for (const log of plan.logs) {
          if (log.id.equals(sigstore.rekorV2.id)) log.window = { from: log.window.from, until: at(-1) };
        }
      },
    };
    const judged = (entries: number, bend: Bend = {}) => {
      const { requirement, expected } = asked(BASES.keyedLogged, { ...bend, require: wants({ entries }) });
      const judgement = judge(content, requirement, expected, { now: JUDGED_AT, foundEntries: found });
      return judgement.valid ? 'valid' : judgement.code;
    };
    assert.equal(judged(2), 'valid');
    assert.equal(judged(1, ended), 'valid');
    assert.equal(judged(2, ended), 'LOG_KEY_EXPIRED');
  });

  it('are read up to a bound', () => {
    const { judged, own } = unloggedEvidence(BASES.keyedLogged);
    const many = Array.from({ length: MAX_TLOG_ENTRIES }, () => ({}));
    assert.equal(judged([...many.slice(1), ...own]), 'valid');
    assert.equal(judged([...many, ...own]), 'LOG_ENTRY_MISSING');
  });
});

describe('certificate timestamps', () => {
  const foreign: Bend = { leaf: { scts: { logs: [stranger.ctLog] } } };

  it('are not looked at where none is asked for', () => {
    assert.equal(verdict(BASES.keyless, { ...foreign, require: wants({ scts: 0 }) }), 'valid');
    assert.equal(verdict(BASES.keyless, { leaf: { scts: { logs: [] } }, require: wants({ scts: 0 }) }), 'valid');
  });

  it('have to be of a log that is named where one is asked for', () => {
    assert.equal(verdict(BASES.keyless, foreign), 'CERTIFICATE_UNLOGGED');
    assert.equal(verdict(BASES.keyless, { require: wants({ scts: 2 }) }), 'CERTIFICATE_UNLOGGED');
  });
});

function strangersEntry(signed: Signed): TlogEntry {
  return logInV1(stranger.rekorV1, 'dsse 0.0.1', signed, SIGNED_AT);
}

/** Evidence that was logged and does not say so, and what a look-up would find for it. */
function unloggedEvidence(base: Base, require: Change = (it) => it) {
  const own: FoundEntry[] = [];
  const bend: Bend = {
    entries: (usual) => {
      own.push(...usual.map((entry) => ({ ...entry })));
      return [];
    },
    require,
  };
  const content = contentOf(base, bend);
  const { requirement, expected } = asked(base, bend);
  const judged = (foundEntries: readonly FoundEntry[]): string => {
    const judgement = judge(content, requirement, expected, { now: JUDGED_AT, foundEntries });
    return judgement.valid ? 'valid' : judgement.code;
  };
  return { judged, own };
}
