import assert from 'node:assert/strict';
import { Bundle, TrustedRoot } from '@sigstore/protobuf-specs';
import { type ProtoMessage, readProto } from '../../../activities/sigstore/proto-json.ts';
import { BUNDLE } from '../../../activities/sigstore/proto-messages.ts';
import { parseStrictJson } from '../../../activities/text/strict-json.ts';
import { TRUSTED_ROOT, WINDOW_FIELDS } from '../../../activities/trust/trusted-root-message.ts';
import { isRecord } from '../../../workflows/format/record.ts';
import { corpus } from '../corpus.ts';
import type { Input } from '../input.ts';
import { assertInert, type Outcome, partOf, type Target } from '../target.ts';

const LIBRARY: ReadonlyMap<ProtoMessage, (json: unknown) => unknown> = new Map<
  ProtoMessage,
  (json: unknown) => unknown
>([
  [BUNDLE, (json) => Bundle.fromJSON(json)],
  [TRUSTED_ROOT, (json) => TrustedRoot.fromJSON(json)],
]);

const bundles = corpus.evidence.flatMap(({ name, parts }): readonly Input[] =>
  parts['bundle'] === undefined ? [] : [{ seed: name, parts: { json: Buffer.from(parts['bundle'], 'base64') } }],
);
const root: Input = { seed: 'trusted root', parts: { json: Buffer.from(JSON.stringify(corpus.trustedRoot)) } };

/**
 * The strict reader of proto JSON. What it accepts has one form: read again it is itself, with nothing unknown left, the
 * library reads it, and the strict mode accepts nothing that the lenient one refuses or reads as something else.
 */
export const protoJsonTarget: Target = {
  name: 'proto-json',
  seeds: [root, ...bundles, ...[root, ...bundles].map(withOriginalNames)],
  run(input) {
    const json = parseStrictJson(partOf(input, 'json'));
    if (!json.ok) return 'refused';
    return readAs(input.seed.startsWith(root.seed) ? TRUSTED_ROOT : BUNDLE, json.value);
  },
};

function readAs(message: ProtoMessage, json: unknown): Outcome {
  const reserved = WINDOW_FIELDS;
  const lenient = readProto(message, json, { unknownFields: 'tolerate', reserved });
  const strict = readProto(message, json, { unknownFields: 'refuse', reserved });
  if (!lenient.ok) {
    assertInert(lenient.problem);
    assert.equal(strict.ok, false, 'the strict mode accepted what the lenient one refuses');
    return 'refused';
  }
  if (strict.ok) assert.deepEqual(strict.value, lenient.value);
  else assertInert(strict.problem);
  const value = withoutUndefined(lenient.value);
  const again = readProto(message, value, { unknownFields: 'refuse', reserved });
  assert.ok(again.ok, again.ok ? '' : `it does not read its own answer: ${again.problem}`);
  assert.deepEqual(again, { ok: true, value, unknown: [] });
  assert.doesNotThrow(() => LIBRARY.get(message)?.(value));
  return 'accepted';
}

/** A value of an enum that is not known is answered as `undefined`. */
function withoutUndefined(value: unknown): unknown {
  return JSON.parse(JSON.stringify(value));
}

function withOriginalNames({ seed, parts }: Input): Input {
  const json: unknown = JSON.parse(String(parts['json']));
  return { seed: `${seed}, original names`, parts: { json: Buffer.from(JSON.stringify(renamed(json))) } };
}

function renamed(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(renamed);
  if (!isRecord(value)) return value;
  return Object.fromEntries(
    Object.entries(value).map(([name, one]) => [
      // The one field whose original name is no other.
      name === 'payloadType' ? name : name.replaceAll(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`),
      renamed(one),
    ]),
  );
}
