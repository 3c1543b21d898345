import type { KeyObject } from 'node:crypto';
import { HashAlgorithm, PublicKeyDetails, type TransparencyLogInstance } from '@sigstore/protobuf-specs';
import { parsePublicKey } from '../../sigstore/key/key.ts';
import { quote } from '../../text/quote.ts';
import { identifyLog, type LogIdentity } from './log-identity.ts';
import { readWindow, type ValidityWindow } from './validity-window.ts';

/** A transparency or CT log that has been looked at. */
export interface TrustLog extends ValidityWindow, LogIdentity {
  readonly baseUrl: string;
  /** Where it is asked; `undefined` for a CT log, which is not. */
  readonly url: URL | undefined;
  readonly publicKey: KeyObject;
}

/**
 * Checks one log of a trusted root: a usable key, the id that belongs to that key, a window and, for a transparency
 * log, where it is. `origin` is the name that it signs checkpoints by when its URL does not hold it. `problem` has
 * what was expected, what was found and what to do.
 */
export function readLog(
  log: TransparencyLogInstance,
  kind: 'tlog' | 'ctlog',
  origin?: string,
): { readonly log: TrustLog } | { readonly problem: string } {
  const key = readKey(log);
  if (!key.ok) return { problem: `the key is not usable: ${key.problem}` };
  // Rekor and CT both hash their trees with SHA-256; no other algorithm has a log.
  if (log.hashAlgorithm !== HashAlgorithm.SHA2_256 && log.hashAlgorithm !== HashAlgorithm.HASH_ALGORITHM_UNSPECIFIED) {
    return { problem: 'expected the hash algorithm SHA2_256, found another; such a log is not known' };
  }
  const url = readUrl(log.baseUrl);
  if (kind === 'tlog' && url === undefined) {
    return { problem: `expected an http or https baseUrl, found ${quote(log.baseUrl)}; add the URL of the log` };
  }
  const window = readWindow(log.publicKey?.validFor);
  if ('problem' in window) return window;
  const { publicKey } = key.key;
  const identity = identifyLog({
    kind,
    publicKey,
    url,
    origin,
    logId: log.logId?.keyId,
    checkpointKeyId: log.checkpointKeyId?.keyId,
  });
  if ('problem' in identity) return identity;
  return {
    log: { ...identity, ...window, baseUrl: log.baseUrl, url: kind === 'tlog' ? url : undefined, publicKey },
  };
}

function readKey({ publicKey }: TransparencyLogInstance) {
  const pkcs1 = publicKey?.keyDetails === PublicKeyDetails.PKCS1_RSA_PKCS1V5;
  const label = pkcs1 ? 'RSA PUBLIC KEY' : 'PUBLIC KEY';
  const body = Buffer.from(publicKey?.rawBytes ?? []).toString('base64');
  return parsePublicKey(`-----BEGIN ${label}-----\n${body}\n-----END ${label}-----\n`);
}

/** `baseUrl` may come without a scheme (sigstore protobuf-specs `TransparencyLogInstance`). */
function readUrl(text: string): URL | undefined {
  const url = URL.parse(text.includes('://') ? text : `https://${text}`);
  const known = url !== null && (url.protocol === 'https:' || url.protocol === 'http:');
  return known && url.username === '' && url.password === '' && url.search === '' && url.hash === '' ? url : undefined;
}
