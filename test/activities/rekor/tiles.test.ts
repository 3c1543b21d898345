import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import type { Ask } from '../../../activities/rekor/ask.ts';
import type { LogApi } from '../../../activities/rekor/log-api.ts';
import { createRekorV2 } from '../../../activities/rekor/rekor-v2.ts';
import { consistencyRanges, subtreesOf, tilePath } from '../../../activities/rekor/tile.ts';
import type { MerkleTree } from '../../support/virtual-sigstore/merkle-tree.ts';
import { tilePath as expectedPath, RekorV2 } from '../../support/virtual-sigstore/rekor-v2.ts';

const ORIGIN = 'log.example';
const NEVER = new AbortController().signal;

/** A log that is read without a network. */
class TileFixture {
  readonly log = new RekorV2({ origin: ORIGIN });
  readonly asked: string[] = [];
  /** What is answered instead of the true bytes. */
  bend: (path: string, bytes: Buffer) => Uint8Array | number = (_path, bytes) => bytes;
  /** How large the tree is that the server has; what it does not have is 404. */
  size: number;
  readonly api: LogApi;

  constructor(entries: number) {
    this.log.fill(entries);
    this.size = entries;
    const { key } = this.log;
    const ask: Ask = async ({ path, alsoAnswers = [] }) => {
      this.asked.push(path);
      const bytes = this.log.tile(path.replace('api/v2/tile/', ''), this.size);
      const answer = bytes === undefined ? 404 : this.bend(path, bytes);
      if (typeof answer === 'number' && !alsoAnswers.includes(answer)) throw new Error(`unexpected ${answer}: ${path}`);
      return answer;
    };
    const log = { id: 'aa', baseUrl: new URL('https://log.example'), publicKey: key.publicKey, origin: ORIGIN };
    this.api = createRekorV2({ ...log, version: 'v2', validFrom: 0, validUntil: undefined }, ask);
  }

  async compare(first: number, second: number, tree: MerkleTree = this.log.tree) {
    const smaller = { treeSize: BigInt(first), rootHash: tree.root(first) };
    const larger = { treeSize: BigInt(second), rootHash: this.log.tree.root(second) };
    return await this.api.compare(ORIGIN, smaller, larger, NEVER);
  }
}

describe('consistency by tiles', () => {
  it('holds for every pair of sizes around the edges of tiles', async () => {
    const fixture = new TileFixture(800);
    const edges = [1, 2, 3, 7, 8, 255, 256, 257, 511, 512, 513, 640, 767, 768, 769, 800];
    for (const first of edges) {
      for (const second of edges.filter((size) => size > first)) {
        assert.equal(await fixture.compare(first, second), 'consistent', `${first} to ${second}`);
      }
    }
  });

  it('holds for any sizes, and convicts a log of two histories for any', async () => {
    const other = new RekorV2({ origin: ORIGIN });
    for (let index = 0; index < 700; index++) other.append(Buffer.from(`other ${index}`));
    const sizes = fc.tuple(fc.integer({ min: 1, max: 700 }), fc.integer({ min: 1, max: 700 }));
    await fc.assert(
      fc.asyncProperty(
        sizes.filter(([first, second]) => first < second),
        async ([first, second]) => {
          const fixture = new TileFixture(second);
          assert.equal(await fixture.compare(first, second), 'consistent');
          // Sizes that are a power of two too: what the proof leaves out there is read from the tiles.
          assert.equal(await fixture.compare(first, second, other.tree), 'inconsistent');
          assert.equal(new Set(fixture.asked).size, fixture.asked.length);
        },
      ),
      { numRuns: 25 },
    );
  });

  it('reads two levels of tiles, each once, in a log of 70,000 entries', async () => {
    const fixture = new TileFixture(70_000);
    assert.equal(await fixture.compare(66_000, 70_000), 'consistent');
    const expected = ['0/257', '1/001.p/17', '2/000.p/1'];
    // 66,000 is within tile 257 of level 0; the last leaves of the tree are in a partial tile.
    expected.push('0/273.p/112');
    assert.deepEqual(fixture.asked.map((path) => path.replace('api/v2/tile/', '')).sort(), expected.sort());
    assert.equal(await fixture.compare(66_001, 70_000), 'consistent');
    assert.equal(fixture.asked.length, 4);
  });

  it('reads the full tile where the partial one has given way to it', async () => {
    const fixture = new TileFixture(256);
    fixture.bend = (path, bytes) => (path.includes('.p/') ? 404 : bytes);
    assert.equal(await fixture.compare(77, 200), 'consistent');
    assert.deepEqual(fixture.asked, ['api/v2/tile/0/000.p/200', 'api/v2/tile/0/000']);
    assert.equal(await fixture.compare(78, 256), 'consistent');
    assert.equal(fixture.asked.length, 2);
  });

  it('shows nothing with any hash changed, and keeps no such tile', async () => {
    const fixture = new TileFixture(300);
    await fc.assert(
      fc.asyncProperty(fc.nat(8 * 1024), fc.integer({ min: 1, max: 255 }), async (at, mask) => {
        let bent = false;
        fixture.bend = (_path, bytes) => {
          if (at >= bytes.length) return bytes;
          bent = true;
          const altered = Buffer.from(bytes);
          altered[at] = (altered[at] ?? 0) ^ mask;
          return altered;
        };
        const answer = await fixture.compare(170, 300);
        assert.equal(answer, bent ? 'unproven' : 'consistent');
      }),
      { numRuns: 50 },
    );
    fixture.bend = (_path, bytes) => bytes;
    assert.equal(await fixture.compare(170, 300), 'consistent');
  });

  it('reads anew when a hash that no proof touched turns out to be bad', async () => {
    const fixture = new TileFixture(600);
    // The proof from 300 adds up tile 0/001 from its leaves, so that its hash in 1/000 is not looked at.
    fixture.bend = (path, bytes) => {
      if (!path.includes('tile/1/')) return bytes;
      const altered = Buffer.from(bytes);
      altered.fill(0, 32, 64);
      return altered;
    };
    assert.equal(await fixture.compare(300, 600), 'consistent');
    fixture.bend = (_path, bytes) => bytes;
    assert.equal(await fixture.compare(512, 600), 'consistent');
  });

  it('takes no tile of another length', async () => {
    const fixture = new TileFixture(40);
    for (const bent of [0, 31, 39 * 32]) {
      fixture.bend = (_path, bytes) => bytes.subarray(0, bent);
      await assert.rejects(fixture.compare(7, 40), { code: 'LOG_MISBEHAVED' });
    }
  });
});

describe('the geometry of tiles', () => {
  it('names tiles as the C2SP document does', () => {
    assert.equal(tilePath({ level: 0n, index: 1234067n, width: 256 }), 'tile/0/x001/x234/067');
    assert.equal(tilePath({ level: 1n, index: 0n, width: 17 }), 'tile/1/000.p/17');
    fc.assert(
      fc.property(fc.nat(3), fc.nat(5_000_000), fc.integer({ min: 1, max: 256 }), (level, index, width) => {
        const size = (index * 256 + width) * 256 ** level;
        const path = tilePath({ level: BigInt(level), index: BigInt(index), width });
        assert.equal(path, `tile/${expectedPath(level, index, size)}`);
      }),
    );
  });

  it('covers both trees with the ranges of a proof, for sizes of any length', () => {
    const sizes = fc.tuple(fc.bigInt(1n, 2n ** 62n), fc.bigInt(1n, 2n ** 62n));
    fc.assert(
      fc.property(
        sizes.filter(([first, second]) => first < second),
        ([first, second]) => {
          const ranges = [...consistencyRanges(first, second)].sort((a, b) => (a.start < b.start ? -1 : 1));
          assert.equal(ranges[0]?.start, 0n);
          assert.equal(ranges.at(-1)?.end, second);
          for (const [at, { end }] of ranges.slice(0, -1).entries()) assert.equal(ranges[at + 1]?.start, end);
          assert.ok(ranges.some(({ end }) => end === first));
          assert.ok(ranges.flatMap(subtreesOf).length <= 130);
        },
      ),
    );
  });
});
