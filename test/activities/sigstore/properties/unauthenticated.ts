import { RFC3161Timestamp } from '@sigstore/core';
import type { SignatureContent } from '../../../../activities/sigstore/evidence/content.ts';
import { readBase64 } from '../../../../activities/text/base64.ts';
import { isRecord } from '../../../../workflows/format/record.ts';
import { BASES } from '../negatives/bases.ts';
import type { Base } from '../negatives/case.ts';

/** One place in which two pieces of evidence differ; `undefined` where one has nothing there. */
export interface Difference {
  /** Names and indices, with dots: `verificationMaterial.tlogEntries.0.logIndex`. */
  readonly path: string;
  readonly before: unknown;
  readonly after: unknown;
}

/** Bytes that nobody signed and that decide nothing. */
export interface Place {
  /** As the README of the room lists it. */
  readonly name: string;
  readonly path: RegExp;
  /** Narrows the place to some changes of what stands there; by default to any. */
  readonly only?: (difference: Difference, evidence: unknown) => boolean;
  readonly why: string;
  /** A change there that stays valid, so that nothing is in the list which need not be. */
  readonly example: Example;
}

/** Text of the document, or of an annotation, and other text for it. */
export interface Example {
  readonly base: Base;
  readonly annotation?: 'certificate' | 'chain';
  readonly from: string | RegExp;
  readonly to: string;
}

/**
 * The list of unauthenticated places, and all of it. Besides these only the spelling of JSON may change: white space between
 * its parts, the escapes of a text that stays the same, and of base64 the alphabet, the padding, white space and left-over bits.
 */
export const UNAUTHENTICATED: readonly Place[] = [
  {
    name: '`publicKey.hint`',
    path: /\.publicKey\.hint$/,
    why: "it names the key for people; the key is the policy's",
    example: { base: BASES.keyed, from: '"hint":"', to: '"hint":"x' },
  },
  {
    name: '`dsseEnvelope.signatures[0].keyid`',
    path: /signatures\.0\.keyid$/,
    why: "DSSE calls it an unauthenticated hint; the key is the policy's or the certificate's",
    example: { base: BASES.attached, from: '"keyid":""', to: '"keyid":"x"' },
  },
  {
    name: '`mediaType`, among versions 0.1 to 0.3',
    path: /^mediaType$/,
    why: 'the version of the bundle says what has to be there, and all that is there is proven',
    example: { base: BASES.chainBundle, from: 'version=0.2', to: 'version=0.1' },
  },
  {
    name: '`x509CertificateChain.certificates`, after the first',
    path: /x509CertificateChain\.certificates\.[1-9]\d*\b/,
    why: 'authorities come from the trust root; these are no roots, and not used',
    example: { base: BASES.longChain, from: /(,\{"rawBytes":"[^"]+)[^"]{4}([^"]{8}"\})/, to: '$1AAAA$2' },
  },
  {
    name: '`tlogEntries[].logIndex` of Rekor v1, without a promise',
    path: /tlogEntries\.\d+\.logIndex$/,
    only: ({ path }, evidence) => !hasPromise(parentOf(path, evidence)) && !isTiled(parentOf(path, evidence)),
    why: 'the index over all trees of the log, of which only the promise is a signature; it is at least the index in the proof',
    example: { base: BASES.keyedProven, from: '"logIndex":"', to: '"logIndex":"1' },
  },
  {
    name: '`tlogEntries[].integratedTime` of Rekor v1, without a promise',
    path: /tlogEntries\.\d+\.integratedTime$/,
    only: ({ path }, evidence) => !hasPromise(parentOf(path, evidence)) && !isTiled(parentOf(path, evidence)),
    why: 'it is used as a time only where a promise signs it',
    example: { base: BASES.keyedProven, from: '"integratedTime":"', to: '"integratedTime":"1' },
  },
  {
    name: '`tlogEntries[].inclusionPromise`, left out',
    path: /tlogEntries\.0\.(inclusionPromise|integratedTime)$/,
    only: ({ after }) => after === undefined,
    why: "a promise that is left out, where a proof and the policy's key are enough",
    example: { base: BASES.keyedLogged, from: '"inclusionPromise"', to: '"leftOut"' },
  },
  {
    name: "`inclusionProof.checkpoint.envelope`, other lines than the log's signature",
    path: /\.checkpoint\.envelope$/,
    only: ({ before, after }) => textAndLogSignature(before) === textAndLogSignature(after),
    why: "names in signature lines, which Rekor v1 does not sign and no key id has, and the lines behind the log's own where no cosignature is required",
    example: { base: BASES.tiled, from: 'witness-1.test', to: 'witness-3.test' },
  },
  {
    name: '`signedTimestamp`: status and version',
    path: /\.(signedTimestamp|SignedRFC3161Timestamp)$/,
    only: ({ before, after }) => differsInStatusAlone(before, after),
    why: 'the status (granted in either way) and its text stand beside the signed token; CMS does not sign its version, 1 or 3',
    example: { base: BASES.stamped, from: /("signedTimestamp":"M.{7})AgEA/, to: '$1AgEB' },
  },
  {
    name: 'annotation `certificate`, outside of the first block',
    path: /^annotations\.certificate$/,
    only: ({ before, after }) => firstBlock(before) === firstBlock(after),
    why: 'line breaks of PEM, and what stands behind the first certificate',
    example: { base: BASES.legacy, annotation: 'certificate', from: /$/, to: '\n' },
  },
  {
    name: 'annotation `chain`',
    path: /^annotations\.chain$/,
    why: 'authorities come from the trust root',
    example: { base: BASES.legacy, annotation: 'chain', from: 'M', to: 'N' },
  },
  {
    name: 'unknown fields',
    path: /(^|\.)[^.]+$/,
    only: ({ before, path }) => before === undefined && !KNOWN.has(path.split('.').at(-1) ?? ''),
    why: 'a field that no format has is not read, unless its name is a near miss of a known one: then the bundle is refused',
    example: { base: BASES.keyed, from: '"publicKey":{', to: '"publicKey":{"x":1,' },
  },
];

/** Names that mean something to a reader of evidence. */
const KNOWN: ReadonlySet<string> = new Set(
  'mediaType verificationMaterial publicKey hint certificate rawBytes x509CertificateChain certificates tlogEntries logIndex logId keyId kindVersion kind version integratedTime inclusionPromise signedEntryTimestamp inclusionProof rootHash treeSize hashes checkpoint envelope canonicalizedBody timestampVerificationData rfc3161Timestamps signedTimestamp dsseEnvelope messageSignature payload payloadType signatures sig keyid signature chain bundle timestamp SignedEntryTimestamp Payload body logID SignedRFC3161Timestamp'.split(
    ' ',
  ),
);

/** What is not explained by the list: nothing, for a change that may stay valid. */
export function unexplained(
  before: SignatureContent,
  after: SignatureContent,
  places = UNAUTHENTICATED,
): readonly Difference[] {
  const evidence = view(before);
  return differences(evidence, view(after)).filter(
    (difference) =>
      !places.some(({ path, only }) => path.test(difference.path) && only?.(difference, evidence) !== false),
  );
}

/** The evidence as nested values, as far as it is JSON; bytes that are signed as a whole stay text. */
function view(content: SignatureContent): unknown {
  switch (content.format) {
    case 'bundle':
      return parsed(Buffer.from(content.bundle).toString(), inOneSpelling);
    case 'envelope':
      return {
        ...record(parsed(Buffer.from(content.envelope).toString(), inOneSpelling)),
        annotations: annotationsOf(content),
      };
    case 'simple-signing':
      return { payload: Buffer.from(content.payload).toString('hex'), annotations: annotationsOf(content) };
  }
}

function annotationsOf({ annotations }: SignatureContent & { readonly format: 'envelope' | 'simple-signing' }) {
  const { signature, bundle, timestamp, ...texts } = annotations;
  const [entry, stamp] = [bundle, timestamp].map((text = '""') => parsed(text, inOneSpelling));
  return { ...texts, signature: inOneSpelling('', signature), bundle: entry, timestamp: stamp };
}

/** Base64 in its first spelling, whatever alphabet, padding, white space and left-over bits it has; any other text as it is. */
function inOneSpelling(_: string, value: unknown): unknown {
  return typeof value === 'string' ? (readBase64(value)?.toString('base64') ?? value) : value;
}

function parsed(text: string, revive?: (name: string, value: unknown) => unknown): unknown {
  try {
    return JSON.parse(text, revive);
  } catch {
    return { unreadable: text };
  }
}

function record(value: unknown): Readonly<Record<string, unknown>> {
  return isRecord(value) ? value : { value };
}

function differences(before: unknown, after: unknown, path = ''): readonly Difference[] {
  if (Object.is(before, after)) return [];
  if (typeof before !== 'object' || typeof after !== 'object' || before === null || after === null) {
    return [{ path, before, after }];
  }
  const [left, right] = [new Map(Object.entries(before)), new Map(Object.entries(after))];
  return [...new Set([...left.keys(), ...right.keys()])].flatMap((name) =>
    differences(left.get(name), right.get(name), path === '' ? name : `${path}.${name}`),
  );
}

function hasPromise(entry: unknown): boolean {
  return isRecord(entry) && entry['inclusionPromise'] !== undefined;
}

/** Kinds of entries that logs of tiles have, and no other. */
function isTiled(entry: unknown): boolean {
  const kind = isRecord(entry) ? entry['kindVersion'] : undefined;
  return isRecord(kind) && kind['version'] === '0.0.2' && kind['kind'] !== 'intoto';
}

/** What the last name of a path stands in. */
function parentOf(path: string, evidence: unknown): unknown {
  const inside = (value: unknown, name: string) => new Map(Object.entries(value ?? {})).get(name);
  return path.split('.').slice(0, -1).reduce(inside, evidence);
}

/** The signed text of a checkpoint, and the first signature of it, which is the log's. */
function textAndLogSignature(envelope: unknown): string | undefined {
  const parts = typeof envelope === 'string' ? /^(.*?)\n\n\u2014 \S+ (\S+)\n/s.exec(envelope) : null;
  return parts === null ? undefined : `${parts[1]} ${parts[2]}`;
}

/** The base64 of the first PEM block in one spelling. */
function firstBlock(pem: unknown): string | undefined {
  const block = typeof pem === 'string' ? /-----BEGIN CERTIFICATE-----(.*?)-----END CERTIFICATE-----/s.exec(pem) : null;
  return readBase64(block?.[1] ?? '')?.toString('base64');
}

/** Whether two responses are the same but for their status and the version of their signed data. */
function differsInStatusAlone(before: unknown, after: unknown): boolean {
  if (typeof before !== 'string' || typeof after !== 'string') return false;
  const [one, other] = [withoutStatus(before), withoutStatus(after)];
  return one !== undefined && one === other;
}

function withoutStatus(response: string): string | undefined {
  try {
    const { root } = RFC3161Timestamp.parse(Buffer.from(response, 'base64'));
    const [, token, ...rest] = root.subs;
    const signedData = token?.subs[1]?.subs[0];
    if (token === undefined || signedData === undefined || rest.length > 0) return undefined;
    const parts = [...signedData.subs.slice(1), ...(token.subs[0] === undefined ? [] : [token.subs[0]])];
    return parts.map((part) => part.toDER().toString('hex')).join();
  } catch {
    return undefined;
  }
}
