import { createHash, randomBytes } from 'node:crypto';
import {
  authorityKeyId,
  type Certificate,
  digitalSignature,
  EKU,
  type Extension,
  extendedKeyUsage,
  issue,
  issueRoot,
  subjectKeyId,
  type Window,
} from './ca.ts';
import { context, der, generalizedTime, integer, octetString, oid, sequence, setOf, TAG } from './der.ts';
import { createKeyPair, sha256, signatureAlgorithm } from './key-pair.ts';

const OID = {
  signedData: '1.2.840.113549.1.7.2',
  tstInfo: '1.2.840.113549.1.9.16.1.4',
  contentType: '1.2.840.113549.1.9.3',
  messageDigest: '1.2.840.113549.1.9.4',
  signingCertificateV2: '1.2.840.113549.1.9.16.2.47',
} as const;

const HASH_OID = {
  sha256: '2.16.840.1.101.3.4.2.1',
  sha384: '2.16.840.1.101.3.4.2.2',
  sha512: '2.16.840.1.101.3.4.2.3',
} as const;
export type ImprintHash = keyof typeof HASH_OID;

/** What a client asks for. */
export interface StampRequest {
  readonly hash: ImprintHash;
  readonly imprint: Uint8Array;
  readonly nonce?: bigint;
  /** Whether the token has to carry the authority's certificates. */
  readonly certificates?: boolean;
}

/** A timestamp authority (RFC 3161). */
export interface Tsa {
  readonly root: Certificate;
  readonly leaf: Certificate;
  /** A TimeStampResp over the imprint. */
  answer(request: StampRequest, time: Date): Buffer;
  /** A TimeStampResp over bytes. */
  stamp(bytes: Uint8Array, time: Date, hash?: ImprintHash): Buffer;
}

export interface TsaOptions {
  readonly name: string;
  readonly window: Window;
  /** Other extensions of the leaf than the usual ones. */
  readonly extensions?: readonly Extension[];
  /** Of the leaf, in place of a root of its own. */
  readonly issuer?: Certificate;
}

export function createTsa({ name, window, extensions = stampingExtensions(), issuer }: TsaOptions): Tsa {
  const root = issuer ?? issueRoot(`${name} root`, window);
  const key = createKeyPair('ECDSA P-256');
  const ids = [subjectKeyId(key), authorityKeyId(root.key)];
  const leaf = issue(root, key, { commonName: name, window, extensions: [...extensions, ...ids] });
  const answer = (request: StampRequest, time: Date) => answerAs(leaf, [leaf, root], request, time);
  return {
    root,
    leaf,
    answer,
    stamp: (bytes, time, hash = 'sha256') => answer({ hash, imprint: createHash(hash).update(bytes).digest() }, time),
  };
}

export function stampingExtensions(): readonly Extension[] {
  return [digitalSignature(), extendedKeyUsage([EKU.timeStamping], true)];
}

/** A TimeStampResp in the name of a certificate, signed by its key; `chain` is what it carries when it is asked for certificates. */
export function answerAs(leaf: Certificate, chain: readonly Certificate[], request: StampRequest, time: Date): Buffer {
  const { key } = leaf;
  const info = tstInfo(request, time);
  const attributes = [
    attribute(OID.contentType, oid(OID.tstInfo)),
    attribute(OID.messageDigest, octetString(sha256(info))),
    attribute(OID.signingCertificateV2, sequence(sequence(sequence(octetString(sha256(leaf.der)))))),
  ];
  const signedAttributes = setOf(...attributes);
  const signerInfo = sequence(
    integer(1),
    sequence(leaf.issuer, integer(leaf.serial)),
    hashAlgorithm('sha256'),
    // IMPLICIT [0]: the same bytes under another tag.
    der(0xa0, ...attributes.toSorted(Buffer.compare)),
    signatureAlgorithm(key.kind),
    octetString(key.sign(signedAttributes)),
  );
  const certificates = request.certificates === true ? [der(0xa0, ...chain.map((one) => one.der))] : [];
  const signedData = sequence(
    integer(3),
    setOf(hashAlgorithm('sha256')),
    sequence(oid(OID.tstInfo), context(0, octetString(info))),
    ...certificates,
    setOf(signerInfo),
  );
  const granted = sequence(integer(0));
  return sequence(granted, sequence(oid(OID.signedData), context(0, signedData)));
}

function tstInfo({ hash, imprint, nonce }: StampRequest, time: Date): Buffer {
  return sequence(
    integer(1),
    oid('1.3.6.1.4.1.57264.2'),
    sequence(hashAlgorithm(hash), octetString(imprint)),
    integer(BigInt(`0x10${randomBytes(15).toString('hex')}`)),
    generalizedTime(time),
    sequence(integer(1)), // accurate to a second
    ...(nonce === undefined ? [] : [integer(nonce)]),
  );
}

function hashAlgorithm(hash: ImprintHash): Buffer {
  return sequence(oid(HASH_OID[hash]), der(TAG.null));
}

function attribute(id: string, value: Buffer): Buffer {
  return sequence(oid(id), setOf(value));
}
