import type { KeyObject } from 'node:crypto';
import type { SignatureSource } from '../../workflows/activities.ts';
import { parsePublicKey } from '../sigstore/key/key.ts';
import { reject } from '../yaml/field.ts';
import { parseCertificateChain } from './certificate-chain.ts';
import type { AuthorityDocument } from './cluster-image-policy/authority.ts';
import type { KeyDocument } from './cluster-image-policy/key-rule.ts';
import type { TimeDocument } from './cluster-image-policy/log-rule.ts';
import type { SourceDocument } from './cluster-image-policy/source-rule.ts';
import type { FileRead } from './directory.ts';
import type { Material } from './material.ts';
import type { Authority, LogRule, SignerRule } from './policy-set.ts';

/** The files that policies refer to, by path. */
export type Files = ReadonlyMap<string, FileRead>;

/** An authority with its keys at hand, and the log that would count if one were asked for. */
export interface ResolvedAuthority {
  readonly authority: Authority;
  readonly log: LogRule | undefined;
}

/** What only an AuthorityRequirement asks for. */
const WITHOUT_DEMANDS = {
  coversIndexChildren: false,
  newestAttestation: false,
  signedAs: [],
  signedReference: 'repository',
} as const;

/** Puts what an authority names in other files in its place; reports what can't be used. */
export function resolveAuthority(document: AuthorityDocument, files: Files): ResolvedAuthority | undefined {
  const { name } = document;
  if (!('time' in document)) {
    const nothing = { log: undefined, timestamps: undefined, observers: 0, attestations: [], sources: [], formats: [] };
    return { authority: { name, signer: document.signer, ...nothing, ...WITHOUT_DEMANDS }, log: undefined };
  }
  const { time, attestations, formats } = document;
  const signer = resolveSigner(document.signer, files);
  const log = resolveLog(time, files);
  if (signer === undefined || log === undefined) return undefined;
  const timestamps = time.timestamps && { count: 1, trustRoot: time.timestamps.name };
  const sources = document.sources.map(toSource);
  const rule = { log: time.isLogDemanded ? log : undefined, timestamps, observers: 0, ...WITHOUT_DEMANDS };
  return { authority: { name, signer, attestations, sources, formats, ...rule }, log };
}

type EvidenceSigner = Exclude<AuthorityDocument['signer'], { readonly kind: 'static' }>;

function resolveSigner(document: EvidenceSigner, files: Files): SignerRule | undefined {
  if (document.kind === 'key') {
    const key = resolveKey(document.key, document.hashAlgorithm, files);
    return key && { kind: 'key', key };
  }
  if (document.kind === 'kms') return document;
  const { identities, trustRoot, insecureIgnoreSct } = document;
  const authority = document.certificateAuthority;
  const chain = authority && resolveChain(authority, files);
  if (authority !== undefined && chain === undefined) return undefined;
  const trust = { trustRoot: trustRoot.name, certificateAuthority: chain, insecureIgnoreSct };
  return { kind: 'keyless', identities, claims: [], ...trust };
}

function resolveLog({ log }: TimeDocument, files: Files): LogRule | undefined {
  const { trustRoot, url, publicKey: material } = log;
  const publicKey: KeyObject | undefined = material && resolveKey(material, undefined, files)?.publicKey;
  if (material !== undefined && publicKey === undefined) return undefined;
  const demand = { mode: 'offline', entries: 1, cosignatures: 0, witnesses: [] } as const;
  return { ...demand, trustRoot: trustRoot.name, url, publicKey };
}

function resolveKey(material: Material, hash: KeyDocument['hashAlgorithm'], files: Files) {
  const text = textOf(material, files);
  if (text === undefined) return undefined;
  const parsed = parsePublicKey(text.pem, hash);
  if (parsed.ok) return parsed.key;
  const fix = 'paste the output of cosign public-key';
  return reject(material.field, `${text.where}the key is not usable: ${parsed.problem}; ${fix}`);
}

function resolveChain(material: Material, files: Files): readonly Uint8Array[] | undefined {
  const text = textOf(material, files);
  if (text === undefined) return undefined;
  const parsed = parseCertificateChain(text.pem);
  if (parsed.ok) return parsed.chain;
  const fix = 'paste the certificates of the authority';
  return reject(material.field, `${text.where}the certificates are not usable: ${parsed.problem}; ${fix}`);
}

function textOf({ source, field }: Material, files: Files) {
  if (source.kind === 'data') return { pem: source.pem, where: '' };
  const read = files.get(source.path);
  if (read?.ok === true) return { pem: read.bytes.toString('latin1'), where: `${read.path}: ` };
  return reject(field, `${source.path}: ${read?.problem.message ?? 'expected a file that was read'}`);
}

function toSource({ repository, tagPrefix, pullSecrets }: SourceDocument): SignatureSource {
  const names = pullSecrets.map(({ name }) => name);
  return {
    ...(repository === undefined ? {} : { repository }),
    ...(tagPrefix === undefined ? {} : { tagPrefix }),
    ...(names.length === 0 ? {} : { pullSecrets: names }),
  };
}
