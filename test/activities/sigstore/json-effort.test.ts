import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { describe, it, type TestContext } from 'node:test';
import { MAX_BUNDLE_BYTES, MAX_EVIDENCE_TOKENS, MAX_MANIFEST_TOKENS } from '../../../activities/limits.ts';
import { parseArtefact } from '../../../activities/registry/evidence/artefact.ts';
import { parseAnswer } from '../../../activities/rekor/ask.ts';
import { parseStrictJson } from '../../../activities/text/strict-json.ts';
import { measureJson } from '../../../workflows/format/json-effort.ts';
import { createSigningKey, encodeJson, signBundle } from '../../support/signer.ts';
import { goodKey, verdictOf } from './verdict-of.ts';

const bytesOf = (text: string) => new TextEncoder().encode(text);

/** Ten MiB in the shapes that cost a parser most. */
const EXPENSIVE: Readonly<Record<string, () => Uint8Array>> = {
  'names of fields': () =>
    bytesOf(`{${Array.from({ length: 1_300_000 }, (_, i) => `"${i.toString(36)}":0`).join(',')}}`),
  'empty objects': () => bytesOf(`[${'{},'.repeat(3_400_000)}{}]`),
  'empty texts': () => bytesOf(`["",${'"",'.repeat(3_400_000)}""]`),
  numbers: () => bytesOf(`[${'0,'.repeat(5_200_000)}0]`),
};

/** How often `JSON.parse` is asked while something runs. */
function parsesDuring(t: TestContext, run: () => unknown): number {
  const parse = t.mock.method(JSON, 'parse');
  run();
  const count = parse.mock.callCount();
  parse.mock.restore();
  return count;
}

describe('the effort that a document costs', () => {
  it('is counted in names and values', () => {
    const effortOf = (text: string) => measureJson(text, 1_000, 64);
    assert.deepEqual(effortOf('7'), { tokens: 1, names: 0, depth: 0 });
    assert.deepEqual(effortOf('{"a":[1,{"b:,[":"\\"{"}],"c":null}'), { tokens: 9, names: 3, depth: 3 });
    assert.equal(measureJson('[1,2,3]', 3, 64), 'too many tokens');
    assert.deepEqual(measureJson('[1,2,3]', 4, 64), { tokens: 4, names: 0, depth: 1 });
    assert.equal(measureJson('[[[1]]]', 100, 2), 'too deep');
  });

  for (const [shape, make] of Object.entries(EXPENSIVE)) {
    it(`keeps 10 MiB of ${shape} from every parser: of evidence, manifests and the answers of logs`, (t) => {
      const bytes = make();
      const key = goodKey(createSigningKey('ECDSA P-256').publicPem);
      const parses = parsesDuring(t, () => {
        const read = parseStrictJson(bytes);
        assert.deepEqual(read, {
          ok: false,
          problem: `it has more than ${MAX_EVIDENCE_TOKENS} values and names`,
          tooLarge: true,
        });
        assert.match(
          verdictOf({ format: 'bundle', bundle: bytes.subarray(0, 10 * 1024 * 1024) }, key),
          /^EVIDENCE_TOO_LARGE: /,
        );
        assert.equal(parseArtefact(bytes), 'excessive');
        assert.throws(() => parseAnswer('the log', bytes), { code: 'LOG_MISBEHAVED' });
      });
      assert.equal(parses, 0);
    });
  }

  it('does not shrink what is read of real documents: a bundle of 10 MiB, a tag with 1,000 signatures', () => {
    const key = createSigningKey('ECDSA P-256');
    const payload = randomBytes(5_500_000).toString('base64');
    const bundle = encodeJson(signBundle(key, { filler: payload }));
    assert.ok(bundle.length > 9 * 1024 * 1024 && bundle.length <= MAX_BUNDLE_BYTES, `${bundle.length}`);
    assert.equal(parseStrictJson(bundle).ok, true);
    const digest = `sha256:${'a'.repeat(64)}`;
    const annotations = { 'dev.cosignproject.cosign/signature': 'AAAA', 'dev.sigstore.cosign/certificate': 'PEM' };
    const layer = { mediaType: 'application/vnd.dev.cosign.simplesigning.v1+json', digest, size: 1, annotations };
    const manifest = { schemaVersion: 2, config: layer, layers: Array.from({ length: 1_000 }, () => layer) };
    assert.equal(typeof parseArtefact(encodeJson(manifest)), 'object');
    assert.ok(MAX_MANIFEST_TOKENS > MAX_EVIDENCE_TOKENS);
  });
});
