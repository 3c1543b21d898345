import assert from 'node:assert/strict';
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { after, describe, it } from 'node:test';
import fc from 'fast-check';
import { CheckpointStore } from '../../../activities/rekor/checkpoint-store.ts';
import { openRevocationFile, readRevocationFile } from '../../../activities/revocation/revocation-file.ts';
import { createTufCache } from '../../../activities/trust/tuf/cache.ts';
import { openClockGuard, readTime } from '../../../shim/memory/clock-guard.ts';
import { openKeptFile } from '../../../shim/memory/kept-file.ts';
import { openNodeState } from '../../../shim/memory/node-state.ts';
import { openVerdictCache } from '../../../shim/memory/verdict-cache/open.ts';
import { listImports, readImport } from '../../../shim/offline/import-folder.ts';
import { putImport } from '../../../shim/offline/put-import.ts';
import { type Digest, parseDigest } from '../../../workflows/format/digest.ts';
import { mergeRevocations } from '../../../workflows/revocations.ts';
import type { Envelope } from '../../../workflows/verdict/verdict.ts';
import { temporaryFolder } from '../../support/temporary-folder.ts';
import { anAllow, digestOf, TEST_FLEET } from '../../support/verdicts.ts';

const folder = await temporaryFolder();
after(() => folder[Symbol.asyncDispose]());

let count = 0;
/** A path that no run had before. */
const fresh = () => join(folder.path, `${++count}`);

const RUNS = { numRuns: 150 };

/** Objects as JSON has them. */
const record = <T>(model: { [K in keyof T]: fc.Arbitrary<T[K]> }) => fc.record(model, { noNullPrototype: true });

/** Text of any alphabet and of every size around the bounds of the stores. */
const text = fc.oneof(
  fc.string({ unit: 'binary', maxLength: 40 }),
  fc.base64String({ maxLength: 100 }),
  fc.tuple(fc.constantFrom('A', 'é', '"', '\n', '\u0000', '\ud800'), fc.nat(700)).map(([unit, n]) => unit.repeat(n)),
  fc
    .tuple(fc.constantFrom('A', '=', '中'), fc.constantFrom(255, 257, 511, 512, 513, 48_000, 262_144, 262_148, 600_000))
    .map(([unit, n]) => unit.repeat(n)),
);

/** As workers sign them, and as anyone can carry them. */
const envelope: fc.Arbitrary<Envelope> = fc.oneof(
  envelopeOf(fc.constant('application/vnd.in-toto+json'), fc.base64String({ maxLength: 400 }), fc.constant('ab'), 8),
  envelopeOf(text, text, text, 10),
);

function envelopeOf(
  type: fc.Arbitrary<string>,
  payload: fc.Arbitrary<string>,
  keyid: fc.Arbitrary<string>,
  most: number,
): fc.Arbitrary<Envelope> {
  const sig = most > 8 ? text : fc.base64String({ maxLength: 100 });
  const signatures = fc.array(record({ keyid, sig }), { maxLength: most });
  return record({ payloadType: type, payload, signatures });
}

const digest: fc.Arbitrary<Digest> = fc.integer({ min: 0, max: 0xffffff }).map((number) => {
  const parsed = parseDigest(`sha256:${number.toString(16).padStart(64, '0')}`);
  assert.ok(parsed !== undefined);
  return parsed;
});

const lists = (most: number) =>
  fc.uniqueArray(
    record({
      name: fc.stringMatching(/^[A-Za-z0-9._-]{1,40}$/),
      revision: fc.maxSafeNat(),
      digests: fc.array(digest, { maxLength: most }).map((all) => [...new Set(all)].toSorted()),
    }),
    { selector: ({ name }) => name, maxLength: 20 },
  );

/** As a store has them: in one order. */
const revocations = lists(30).map((all) => mergeRevocations([], all) ?? []);

const signers = fc.uniqueArray(record({ keyId: fc.stringMatching(/^[0-9a-f]{64}$/), revocations }), {
  selector: ({ keyId }) => keyId,
  maxLength: 5,
});

describe('what a store accepts it returns, also after a restart:', () => {
  it('a kept file', () => {
    const path = fresh();
    fc.assert(
      fc.property(text, (content) => {
        const before = openKeptFile(path, 1_000).read();
        const problem = openKeptFile(path, 1_000).write(content);
        const expected = problem === undefined ? { kind: 'text', text: content } : before;
        assert.deepEqual(openKeptFile(path, 1_000).read(), expected);
      }),
      RUNS,
    );
  });

  it('the state of a node', () => {
    const path = fresh();
    let accepted = 0;
    const statement = fc.option(envelope, { nil: undefined });
    fc.assert(
      fc.property(record({ revocations: signers, statement }), (state) => {
        const before = openNodeState(path).read();
        const problem = openNodeState(path).write(state);
        if (problem === undefined) accepted++;
        assert.deepEqual(openNodeState(path).read(), problem === undefined ? { kind: 'state', state } : before);
      }),
      RUNS,
    );
    assert.ok(accepted > 20, `accepted ${accepted}`);
  });

  it('the state of a node that knows as much as a node may', () => {
    const path = fresh();
    const digests = Array.from({ length: 10 }, (_, i) => digestOf(i.toString(16).padStart(2, '0')));
    const named = Array.from({ length: 2_000 }, (_, i) => ({
      name: `${i}`.padStart(5, '0').padStart(253, 'n'),
      revision: i,
      digests,
    }));
    const signature = { keyid: 'k'.repeat(256), sig: 'A'.repeat(512) };
    const statement = {
      payloadType: 't'.repeat(128),
      payload: 'A'.repeat(262_144),
      signatures: Array.from({ length: 8 }, () => signature),
    };
    const empty = named.map((list) => ({ ...list, digests: [] }));
    const other = { keyId: 'b'.repeat(64), revocations: empty };
    const state = { revocations: [{ keyId: 'a'.repeat(64), revocations: named }, other], statement };
    assert.equal(openNodeState(path).write(state), undefined);
    assert.deepEqual(openNodeState(path).read(), { kind: 'state', state });
  });

  it('the clock guard', () => {
    fc.assert(
      fc.property(
        fc.array(fc.oneof(fc.integer(), fc.double(), fc.nat(2_000_000_000_000)), { maxLength: 5 }),
        (times) => {
          const path = fresh();
          const guard = openClockGuard(path);
          const [first] = times.filter((time) => time > 0 && time < Date.now());
          for (const time of times) guard.witness(time);
          const { time, problem } = readTime(path);
          assert.deepEqual([time, problem], [first === undefined ? 0 : Math.trunc(first), undefined]);
        },
      ),
      RUNS,
    );
  });

  it('the verdict cache', async () => {
    const { name, policyRevision } = anAllow();
    const directory = fresh();
    mkdirSync(directory, { mode: 0o700 });
    const kept = new Map<string, Envelope>();
    const cache = openVerdictCache(directory);
    fc.assert(
      fc.property(envelope, digest, (one, of) => {
        const lost = cache.stats().lost;
        const before = cache.find({ name, digest: of, policyRevision });
        cache.keep({ name, digest: of, policyRevision }, one, Date.now() + 60_000);
        const isKept = cache.stats().lost === lost;
        if (isKept) kept.set(of, one);
        assert.deepEqual(cache.find({ name, digest: of, policyRevision }), isKept ? one : before);
      }),
      RUNS,
    );
    await cache.close();
    assert.ok(kept.size > 10, `kept ${kept.size}`);
    const reopened = openVerdictCache(directory);
    for (const [of, one] of kept) {
      assert.deepEqual(reopened.find({ name, digest: parseDigest(of) ?? digestOf('00'), policyRevision }), one);
    }
    await reopened.close();
  });

  it('the imports', async () => {
    const now = Date.now();
    const head = {
      fleet: TEST_FLEET,
      policyRevision: 'c'.repeat(64),
      statedAt: new Date(now).toISOString(),
      expiresAt: new Date(now).toISOString(),
    };
    let accepted = 0;
    await fc.assert(
      fc.asyncProperty(envelope, fc.array(envelope, { maxLength: 3 }), async (policy, verdicts) => {
        const path = fresh();
        mkdirSync(path, { mode: 0o700 });
        try {
          putImport(path, { policy, verdicts }, head, [], now);
        } catch {
          assert.deepEqual((await listImports(path)).files, []);
          return;
        }
        accepted++;
        const [file] = (await listImports(path)).files;
        assert.ok(file !== undefined);
        assert.deepEqual(await readImport(file), { policy, verdicts });
      }),
      RUNS,
    );
    assert.ok(accepted > 5, `accepted ${accepted}`);
  });

  it("a worker's memory of a log", async () => {
    const store = new CheckpointStore(fresh());
    const conviction = fc.option(record({ sentence: text, at: text, evidence: fc.array(text, { maxLength: 3 }) }), {
      nil: undefined,
    });
    const checkpoints = fc.oneof(
      fc.array(text, { maxLength: 4 }),
      fc.tuple(fc.constantFrom(63, 64, 65, 200), text).map(([n, note]) => Array.from({ length: n }, () => note)),
    );
    let [accepted, id] = [0, 0];
    await fc.assert(
      fc.asyncProperty(record({ checkpoints, conviction }), async (record) => {
        const log = `${++id}`.padStart(64, '0');
        await store.reserve(log);
        const problem = await store.save(log, record);
        const loaded = await store.load(log);
        if (problem === undefined) {
          accepted++;
          assert.deepEqual(loaded, { kind: 'record', record });
        } else if (record.conviction !== undefined) {
          assert.ok(loaded.kind === 'record' && loaded.record.conviction !== undefined, 'a conviction is kept anyway');
        }
      }),
      RUNS,
    );
    assert.ok(accepted > 20, `accepted ${accepted}`);
  });

  it("a worker's revocations", async () => {
    await fc.assert(
      fc.asyncProperty(revocations, async (known) => {
        const path = fresh();
        const file = openRevocationFile(path);
        file.write(known, (problem) => assert.fail(problem));
        await file.idle();
        assert.deepEqual(await readRevocationFile(path), known);
      }),
      RUNS,
    );
  });

  it('the metadata of a TUF repository', async () => {
    const large = fc.constantFrom(9_000_000, 26_000_000).map((n) => new Uint8Array(n));
    const bytes = fc.oneof(
      { arbitrary: fc.uint8Array({ maxLength: 200 }), weight: 20 },
      { arbitrary: large, weight: 1 },
    );
    const metadata = fc.record(
      { roots: fc.array(bytes, { maxLength: 3 }), timestamp: bytes, snapshot: bytes, targets: bytes },
      { requiredKeys: ['roots'] },
    );
    const proven = record({ timestamp: bytes, snapshot: bytes, targets: bytes, target: bytes });
    const directory = fresh();
    let accepted = 0;
    await fc.assert(
      fc.asyncProperty(fc.record({ metadata, proven }, { requiredKeys: ['metadata'] }), async (memory) => {
        const cache = createTufCache(directory, 'root', `${++count}`.padStart(16, '0'));
        const isWritten = await cache.write(memory).then(
          () => true,
          () => false,
        );
        if (isWritten) accepted++;
        const read = await cache.read();
        assert.deepEqual(plain(read), isWritten ? plain(memory) : undefined);
      }),
      { numRuns: 25 },
    );
    assert.ok(accepted > 3, `accepted ${accepted}`);
  });
});

/** Bytes as base64, whatever class holds them. */
function plain(value: unknown): unknown {
  const text = JSON.stringify(value, (_, one: unknown) => {
    if (one instanceof Uint8Array) return Buffer.from(one).toString('base64');
    const isBuffer = typeof one === 'object' && one !== null && 'type' in one && 'data' in one;
    return isBuffer && Array.isArray(one.data) ? Buffer.from(one.data).toString('base64') : one;
  });
  return text === undefined ? undefined : JSON.parse(text);
}
