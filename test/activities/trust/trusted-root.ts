import assert from 'node:assert/strict';
import { toTrustRoot } from '../../../activities/trust/trust-root.ts';
import { readTrustedRootJson } from '../../../activities/trust/trusted-root/trusted-root-json.ts';
import { trustedRootJson } from '../../support/virtual-sigstore/trusted-root.ts';
import { keys, SIGSTORE } from './setting.ts';

export type Json = Record<string, unknown>;

/** A trusted root as JSON that may be bent at will; what is bent is what its type says. */
export function bentJson(bend: (json: ReturnType<typeof trustedRootJson>) => unknown): Buffer {
  const json = trustedRootJson(SIGSTORE.trustPlan());
  return Buffer.from(JSON.stringify(bend(json) ?? json));
}

export function problemOf(bytes: Uint8Array): string {
  const read = readTrustedRootJson('acme', bytes, 'refuse');
  assert.ok(!read.ok, 'it was read');
  assert.doesNotMatch(read.problem, /[\n\r]/);
  return read.problem;
}

export function logsOf(bytes: Uint8Array) {
  const { source } = keys('acme', bytes);
  assert.ok(source.kind === 'keys');
  return toTrustRoot('acme', source.root, source.origins).logs;
}
