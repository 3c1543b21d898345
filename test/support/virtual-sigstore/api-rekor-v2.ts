import { createHash } from 'node:crypto';
import { preAuthEncoding } from '../../../workflows/format/dsse.ts';
import { bytes, Json, json, type Service } from './api.ts';
import { sha256 } from './key-pair.ts';
import type { RekorV2 } from './rekor-v2.ts';

/** The API of Rekor 2: one call that writes, and tiles to read. A `dsse` request becomes a `hashedrekord` over the envelope's encoding, as Rekor 2 does now. */
export function rekorV2Service(shown: () => RekorV2, clock: () => Date): Service {
  return ({ method, path, body }) => {
    const log = shown();
    if (method === 'POST' && path === '/api/v2/log/entries') {
      return json(log.entry(log.append(bodyOf(Json.parse(body))), clock()), 201);
    }
    const read = /^(?:\/api\/v2)?\/(checkpoint|tile\/(.+))$/.exec(path);
    if (method !== 'GET' || read === null) return undefined;
    if (read[1] === 'checkpoint') return bytes(log.checkpoint(clock()), 'text/plain; charset=utf-8');
    const tile = log.tile(read[2] ?? '');
    return tile === undefined ? undefined : bytes(tile, 'application/octet-stream');
  };
}

function bodyOf(request: Json): object {
  const hashed = request.at('hashedRekordRequestV002');
  return hashed.exists
    ? hashedRekord(hashed.at('digest').text(), hashed.at('signature'))
    : ofEnvelope(request.at('dsseRequestV002'));
}

function ofEnvelope(request: Json): object {
  const envelope = request.at('envelope');
  const encoded = preAuthEncoding(
    envelope.at('payloadType').text(),
    Buffer.from(envelope.at('payload').text(), 'base64'),
  );
  const verifier = request.at('verifiers', 0);
  const hash = hashOf(verifier.at('keyDetails').text());
  const digest = hash.node === 'sha256' ? sha256(encoded) : createHash(hash.node).update(encoded).digest();
  const signature = { content: envelope.at('signatures', 0, 'sig').value, verifier: verifier.value };
  return hashedRekord(digest.toString('base64'), new Json(signature));
}

function hashedRekord(digest: string, signature: Json): object {
  const verifier = signature.at('verifier');
  const data = { algorithm: hashOf(verifier.at('keyDetails').text()).proto, digest };
  const spec = {
    hashedRekordV002: { data, signature: { content: signature.at('content').text(), verifier: verifier.value } },
  };
  return { apiVersion: '0.0.2', kind: 'hashedrekord', spec };
}

function hashOf(keyDetails: string): { readonly node: string; readonly proto: string } {
  if (/SHA_?384/.test(keyDetails)) return { node: 'sha384', proto: 'SHA2_384' };
  if (/SHA_?512|ED25519_PH/.test(keyDetails)) return { node: 'sha512', proto: 'SHA2_512' };
  return { node: 'sha256', proto: 'SHA2_256' };
}
