import assert from 'node:assert/strict';
import { anonymous } from '../../../activities/registry/credentials/credential.ts';
import { findSignatures, readSignature } from '../../../activities/registry/evidence/signatures.ts';
import { createRegistry } from '../../../activities/registry/registry.ts';
import type { SignatureContent } from '../../../activities/sigstore/evidence/content.ts';
import type { Digest } from '../../../workflows/format/digest.ts';
import { pushImage } from '../registry-push.ts';
import { identityToken } from '../virtual-sigstore/api-fulcio.ts';
import { nameOf, type Scenario } from './scenario.ts';
import { signingConfigFile, type Workbench } from './workbench.ts';

export const SUBJECT = 'alice@acme.test';
export const ISSUER = 'https://issuer.test';
export const PREDICATE_TYPE = 'https://portcullis.test/predicate/v1';

/** An image that cosign signed or attested, and what it wrote. */
export interface SignedImage {
  readonly scenario: Scenario;
  readonly repository: string;
  readonly digest: Digest;
  readonly content: SignatureContent;
}

/** Pushes an image of its own, and has cosign sign or attest it. */
export async function signImage(bench: Workbench, scenario: Scenario, number: number): Promise<SignedImage> {
  const { address } = bench.registry;
  const repository = `signed/app${number}`;
  const digest = await pushImage({ address, repository }, 'v1');
  const args = [...commandOf(scenario), ...signerOptions(scenario), ...serviceOptions(bench, scenario)];
  const image = `${address}/${repository}@${digest}`;
  const signed = await bench.cosign(scenario.writer, [...args, image], bench.trusts.get('usual')?.environment);
  assert.ok(signed.ok, `${nameOf(scenario)} could not be made: ${signed.said}`);
  return { scenario, repository, digest, content: await onlySignature(`${address}/${repository}:v1`, digest) };
}

function commandOf({ kind }: Scenario): readonly string[] {
  const common = ['--yes', '--allow-http-registry'];
  if (kind === 'signature') return ['sign', ...common];
  return ['attest', ...common, '--type', PREDICATE_TYPE, '--predicate', 'predicate.json'];
}

function signerOptions({ signer }: Scenario): readonly string[] {
  if (signer !== 'keyless') return ['--key', `${signer}.key`];
  return ['--identity-token', identityToken({ iss: ISSUER, sub: SUBJECT, email: SUBJECT })];
}

function serviceOptions({ served, trusts }: Workbench, scenario: Scenario): readonly string[] {
  const { format, writer, log, timestamps } = scenario;
  if (format === 'bundle') {
    return ['--trusted-root', trusts.get('usual')?.file ?? '', '--signing-config', signingConfigFile(scenario)];
  }
  const { rekorV1, fulcio, tsa } = served.sigstore.urls;
  return [
    ...(writer === 3 ? ['--new-bundle-format=false', '--use-signing-config=false'] : []),
    ...['--rekor-url', rekorV1, '--fulcio-url', fulcio, `--tlog-upload=${log !== 'none'}`],
    ...(timestamps ? ['--timestamp-server-url', tsa] : []),
  ];
}

async function onlySignature(name: string, digest: Digest): Promise<SignatureContent> {
  const registry = createRegistry({ credentials: anonymous });
  const signal = AbortSignal.timeout(60_000);
  const { signatures, unreadable } = await findSignatures(registry, { name, digest, source: {} }, signal);
  assert.deepEqual(unreadable, []);
  const [reference, ...others] = signatures;
  assert.ok(reference !== undefined && others.length === 0, `expected one signature of ${name}`);
  return readSignature(registry, name, reference, signal);
}
