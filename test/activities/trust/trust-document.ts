import assert from 'node:assert/strict';
import { stringify } from 'yaml';
import { readTrustRoot } from '../../../activities/trust/document/read-trust-root.ts';
import type { TrustRootSource } from '../../../activities/trust/trust-root-document.ts';
import { readYaml } from '../../../activities/yaml/document.ts';
import { formatProblem } from '../../../activities/yaml/problem.ts';
import { SIGSTORE, targetsOf } from './setting.ts';
import { mirrorArchive } from './tar.ts';
import { TufRepository } from './tuf-repository.ts';

export type Parts = Readonly<Record<string, unknown>>;

export const base64 = (text: string | Uint8Array) => Buffer.from(text).toString('base64');

export function pemOf(label: string, ...ders: readonly Uint8Array[]): string {
  return ders.map((der) => `-----BEGIN ${label}-----\n${base64(der)}\n-----END ${label}-----\n`).join('');
}

export const LOG_KEY = base64(pemOf('PUBLIC KEY', SIGSTORE.rekorV1.key.spki));
export const AUTHORITY: Parts = {
  subject: { organization: 'acme', commonName: 'fulcio' },
  uri: 'https://fulcio.test',
  certChain: base64(pemOf('CERTIFICATE', SIGSTORE.intermediate.der, SIGSTORE.root.der)),
};
export const TSA: Parts = {
  ...AUTHORITY,
  certChain: base64(pemOf('CERTIFICATE', SIGSTORE.tsa.leaf.der, SIGSTORE.tsa.root.der)),
};
export const LOG: Parts = { baseURL: 'https://rekor.test', hashAlgorithm: 'sha-256', publicKey: LOG_KEY };
export const CT_LOG: Parts = {
  baseURL: 'https://ctfe.test',
  hashAlgorithm: 'sha256',
  publicKey: base64(pemOf('PUBLIC KEY', SIGSTORE.ctLog.key.spki)),
};
export const KEYS: Parts = {
  certificateAuthorities: [AUTHORITY],
  tLogs: [LOG],
  ctLogs: [CT_LOG],
  timestampAuthorities: [TSA],
};
export const REPOSITORY = new TufRepository({ targets: targetsOf() });
export const ROOT = base64(REPOSITORY.initialRoot);
export const MIRROR = base64(mirrorArchive(REPOSITORY.files));

export function documentOf(spec: unknown, more: Parts = {}): Parts {
  return { apiVersion: 'policy.sigstore.dev/v1alpha1', kind: 'TrustRoot', metadata: { name: 'acme' }, spec, ...more };
}

export function readDocument(document: Parts) {
  const file = readYaml('trust.yaml', Buffer.from(stringify(document, { lineWidth: 0, aliasDuplicateObjects: false })));
  const [root] = file.roots;
  const made = root && readTrustRoot({ path: '', node: root.node, offset: root.offset, report: file.report });
  return { made, problems: file.problems.map(formatProblem) };
}

export function sourceOf<K extends TrustRootSource['kind']>(
  spec: unknown,
  kind: K,
): Extract<TrustRootSource, { kind: K }> {
  const { made, problems } = readDocument(documentOf(spec));
  assert.deepEqual(problems, []);
  assert.equal(made?.name, 'acme');
  assert.ok(isOfKind(made.source, kind));
  return made.source;
}

function isOfKind<K extends TrustRootSource['kind']>(
  source: TrustRootSource,
  kind: K,
): source is Extract<TrustRootSource, { kind: K }> {
  return source.kind === kind;
}
