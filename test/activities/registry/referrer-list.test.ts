import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { JsonScan } from '../../../activities/registry/json-scan.ts';
import { parseReferrerList, ReferrerScan } from '../../../activities/registry/referrer-list.ts';
import { digestOf } from '../../support/verdicts.ts';

const BUNDLE = 'application/vnd.dev.sigstore.bundle.v0.3+json';
const digest = digestOf('ab');

/** Writes a text in pieces of the given lengths, over and over. */
function inPieces(text: string, lengths: readonly number[], write: (piece: Uint8Array) => void): void {
  const bytes = Buffer.from(text);
  for (let at = 0, turn = 0; at < bytes.length; turn++) {
    const length = lengths[turn % lengths.length] ?? 1;
    write(bytes.subarray(at, at + length));
    at += length;
  }
}

const pieces = fc.array(fc.integer({ min: 1, max: 40 }), { minLength: 1, maxLength: 5 });

/** What JSON.parse makes of a text, flattened to the scalars and their places. */
function scalarsOf(value: unknown, path: readonly string[] = []): readonly unknown[] {
  if (Array.isArray(value)) return value.flatMap((one) => scalarsOf(one, [...path, '[]']));
  if (typeof value !== 'object' || value === null) return [[path.join(' '), value]];
  return Object.entries(value).flatMap(([key, one]) => scalarsOf(one, [...path, key]));
}

/** The same by the scan; `undefined` for what is no JSON. */
function scan(text: string, lengths: readonly number[]): readonly unknown[] | undefined {
  const scalars: unknown[] = [];
  const words = { true: true, false: false, null: null };
  const json = new JsonScan(({ path, kind, text: string, number }) => {
    if (kind === 'string') scalars.push([path.join(' '), string]);
    else if (kind === 'number') scalars.push([path.join(' '), number]);
    else if (kind === 'true' || kind === 'false' || kind === 'null') scalars.push([path.join(' '), words[kind]]);
  }, 4096);
  inPieces(text, lengths, (piece) => json.write(piece));
  return json.end() ? scalars : undefined;
}

function parse(text: string): { readonly value: unknown } | undefined {
  try {
    return { value: JSON.parse(text) };
  } catch {
    return undefined;
  }
}

describe('JsonScan', () => {
  it('sees what JSON.parse sees, however the bytes are cut', () => {
    const document = fc.json({ depthSize: 'small', maxDepth: 5 });
    fc.assert(
      fc.property(document, pieces, fc.constantFrom('', ' ', '\n\t'), (text, lengths, space) => {
        // JSON.stringify writes negative zero as 0, and an object's __proto__ is no key of Object.entries.
        fc.pre(!text.includes('__proto__'));
        const spaced = `${space}${text.replaceAll('\u2028', '')}${space}`;
        assert.deepEqual(scan(spaced, lengths), scalarsOf(JSON.parse(spaced)));
      }),
      { numRuns: 500 },
    );
  });

  it('takes for JSON what JSON.parse takes, after any change of one character', () => {
    const character = fc.constantFrom(...'{}[]:,"\\0-1.eEtrufalsn \n\u0001é');
    fc.assert(
      fc.property(fc.json({ maxDepth: 3 }), fc.nat(), character, pieces, (text, at, inserted, lengths) => {
        const place = at % (text.length + 1);
        const changed = text.slice(0, place) + inserted + text.slice(place + (at % 2));
        const parsed = parse(changed);
        // A string with a broken escape is a string without a content here, and no JSON there.
        fc.pre(parsed !== undefined || !changed.includes('\\'));
        assert.equal(scan(changed, lengths) !== undefined, parsed !== undefined, changed);
      }),
      { numRuns: 1_000 },
    );
  });

  it('refuses what is nested without end', () => {
    assert.equal(scan('['.repeat(100_000), [1_000]), undefined);
    assert.equal(scan('{"a":'.repeat(100_000), [1_000]), undefined);
  });
});

describe('ReferrerScan', () => {
  it('keeps of a descriptor what matters, whatever else is in it', () => {
    const junk = fc.dictionary(
      fc.string().filter((key) => !['digest', 'artifactType', 'size', 'annotations', '__proto__'].includes(key)),
      fc.jsonValue({ maxDepth: 3 }),
    );
    fc.assert(
      fc.property(junk, fc.dictionary(fc.string(), fc.string()), pieces, (fields, notes, lengths) => {
        const annotations = { ...notes, 'dev.sigstore.bundle.predicateType': 'https://slsa.dev/provenance/v1' };
        const manifest = { ...fields, digest, size: 700, artifactType: BUNDLE, annotations };
        const index = JSON.stringify({ ...fields, manifests: [manifest, {}, 'x', [digest], manifest] });
        fc.pre(!('manifests' in fields));
        const list = new ReferrerScan();
        list.beginPage();
        inPieces(index, lengths, (piece) => list.write(piece));
        const entry = {
          digest,
          size: 700,
          artifactType: BUNDLE,
          predicateType: annotations['dev.sigstore.bundle.predicateType'],
        };
        assert.equal(list.endPage(), true);
        assert.deepEqual(list.list, { entries: [entry, entry], unreadable: 3 });
      }),
    );
  });

  it('reads neither of two lists, and no field that is there twice', () => {
    const entry = `{"digest":"${digest}"}`;
    assert.equal(parseReferrerList(Buffer.from(`{"manifests":[${entry}],"manifests":[]}`)), undefined);
    const twice = `{"manifests":[{"digest":"${digest}","digest":"${digestOf('cd')}"}]}`;
    assert.deepEqual(parseReferrerList(Buffer.from(twice)), { entries: [], unreadable: 1 });
  });

  it('holds no more than its limits, and what may be evidence before what says to be something else', () => {
    const numbered = (index: number) => `sha256:${index.toString(16).padStart(64, '0')}`;
    const list = new ReferrerScan();
    list.beginPage();
    list.write(Buffer.from('{"manifests":['));
    for (let index = 0; index < 60_000; index++) {
      list.write(Buffer.from(`{"digest":"${numbered(index)}","artifactType":"application/spdx+json"},`));
    }
    list.write(Buffer.from(`{"digest":"${digest}","artifactType":"${BUNDLE}"}]}`));
    assert.equal(list.endPage(), true);
    assert.equal(list.list.entries.length, 2_001);
    assert.equal(list.list.entries[0]?.digest, digest);
    assert.equal(list.omitted, 58_000);
  });

  it('does not keep the annotations that it passes over', () => {
    const list = new ReferrerScan(digest);
    list.beginPage();
    list.write(Buffer.from(`{"manifests":[{"annotations":{"junk":"`));
    const before = process.memoryUsage();
    const megabyte = Buffer.alloc(1024 * 1024, 'x');
    for (let index = 0; index < 200; index++) list.write(megabyte);
    list.write(Buffer.from(`"},"digest":"${digest}"}]}`));
    const { heapUsed, arrayBuffers } = process.memoryUsage();
    assert.equal(list.isFound && list.endPage(), true);
    const grown = heapUsed - before.heapUsed + (arrayBuffers - before.arrayBuffers);
    assert.ok(grown < 20_000_000, `${grown} bytes more`);
  });
});
