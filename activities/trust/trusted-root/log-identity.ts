import { createHash, type KeyObject } from 'node:crypto';

/** What a log is known by. */
export interface LogIdentity {
  /** 32 bytes. */
  readonly id: Buffer;
  /** `v1` has the Rekor API, `v2` serves tiles; a CT log is `v1`. */
  readonly version: 'v1' | 'v2';
  /** The name that its checkpoints are signed by; `undefined` where it is not known, which only a v1 log may leave open. */
  readonly origin: string | undefined;
  /** The origin as the trust root's author gave it beside the URL. */
  readonly declaredOrigin: string | undefined;
}

export interface LogClaim {
  readonly kind: 'tlog' | 'ctlog';
  readonly publicKey: KeyObject;
  readonly url: URL | undefined;
  readonly origin: string | undefined;
  readonly logId: Uint8Array | undefined;
  readonly checkpointKeyId: Uint8Array | undefined;
}

/**
 * Works the log's id out from its key, and compares. A CT or Rekor v1 log is known by SHA-256 of its SPKI (RFC 6962
 * section 3.2), a Rekor v2 log by the key id of C2SP signed-note, which for Ed25519 and RSA holds the log's name. An id
 * that is neither is refused: it would belong to another key. Without any id an Ed25519 log is v2 (cosign and
 * policy-controller know v1 only with ECDSA), every other one v1; ECDSA has one id for both, and is v2 where the root
 * gives the same id twice, as sigstore's `TransparencyLogInstance` says of v2.
 */
export function identifyLog(claim: LogClaim): LogIdentity | { readonly problem: string } {
  const spki = claim.publicKey.export({ type: 'spki', format: 'der' });
  const plain = createHash('sha256').update(spki).digest();
  const logId = nonEmpty(claim.logId);
  const checkpointKeyId = nonEmpty(claim.checkpointKeyId);
  const declaredOrigin = claim.origin;
  const v1: LogIdentity = { id: plain, version: 'v1', origin: declaredOrigin, declaredOrigin };
  if (claim.kind === 'ctlog') return logId === undefined || plain.equals(logId) ? v1 : WRONG_ID;
  const named = namesOf(claim).map((origin) => ({ origin, id: namedId(claim.publicKey, spki, origin) ?? plain }));
  const isNamed = namedId(claim.publicKey, spki, '') !== undefined;

  const given = logId ?? checkpointKeyId;
  if (given === undefined) {
    const [first] = named;
    if (claim.publicKey.asymmetricKeyType !== 'ed25519' || first === undefined) return v1;
    return { id: first.id, version: 'v2', origin: first.origin, declaredOrigin };
  }
  const v2 = named.find(
    ({ id }) => matches(given, id) && (checkpointKeyId === undefined || matches(checkpointKeyId, id)),
  );
  const twice = logId !== undefined && checkpointKeyId !== undefined && Buffer.compare(logId, checkpointKeyId) === 0;
  if (v2 !== undefined && (isNamed || twice || logId === undefined)) {
    return { id: v2.id, version: 'v2', origin: v2.origin, declaredOrigin };
  }
  const checkpointFits =
    checkpointKeyId === undefined || [plain, ...named.map(({ id }) => id)].some((id) => matches(checkpointKeyId, id));
  return logId !== undefined && plain.equals(logId) && checkpointFits ? v1 : WRONG_ID;
}

const WRONG_ID = {
  problem:
    'expected the log id that follows from the key (and, for Rekor v2, from the host name of baseUrl), found another; correct the id or the key, or add the name that the log signs checkpoints by as origin',
};

/** The name a checkpoint of this log may be signed by, the likeliest first. */
function namesOf({ origin, url }: LogClaim): readonly string[] {
  if (origin !== undefined) return [origin];
  if (url === undefined) return [];
  const path = url.pathname.replace(/\/+$/, '');
  return [...new Set([url.hostname, url.host, `${url.hostname}${path}`, `${url.host}${path}`])];
}

/** The key id of C2SP signed-note before it is cut to four bytes; `undefined` for ECDSA, whose id has no name in it. */
function namedId(key: KeyObject, spki: Buffer, name: string): Buffer | undefined {
  const hash = createHash('sha256').update(name).update('\n');
  // SPKI of Ed25519 is a fixed 12 bytes and the key (RFC 8410).
  if (key.asymmetricKeyType === 'ed25519') return hash.update(Buffer.of(0x01)).update(spki.subarray(12)).digest();
  if (key.asymmetricKeyType !== 'rsa') return undefined;
  return hash.update(Buffer.of(0xff)).update('PKIX-RSA-PKCS#1v1.5').update(spki).digest();
}

/** A checkpoint key id may be cut to the four bytes that a checkpoint has of it. */
function matches(given: Uint8Array, id: Buffer): boolean {
  return (given.length === 4 || given.length === id.length) && id.subarray(0, given.length).equals(given);
}

function nonEmpty(bytes: Uint8Array | undefined): Uint8Array | undefined {
  return bytes === undefined || bytes.length === 0 ? undefined : bytes;
}
