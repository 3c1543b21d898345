import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { basename } from 'node:path';
import { parseArgs } from 'node:util';
import { DEFAULT_MIRROR_URL } from '@sigstore/tuf';
import { agreementOn } from '../../support/independent-judge/agreement.ts';

/** Asserts that the package `sigstore` verifies as well what the client verified by a certificate, with the same options. */
export async function agreeWithClient(args: readonly string[]): Promise<void> {
  const { values, positionals } = parseArgs({
    args: [...args],
    allowPositionals: true,
    options: {
      staging: { type: 'boolean' },
      bundle: { type: 'string' },
      key: { type: 'string' },
      'certificate-identity': { type: 'string' },
      'certificate-oidc-issuer': { type: 'string' },
      'trusted-root': { type: 'string' },
    },
  });
  const { bundle, 'certificate-identity': subject, 'certificate-oidc-issuer': issuer } = values;
  const [artifact] = positionals;
  if (values.key !== undefined) return;
  assert.ok(bundle !== undefined && subject !== undefined && issuer !== undefined && artifact !== undefined);
  const bytes = await readFile(bundle);
  const file = existsSync(artifact) ? await readFile(artifact) : undefined;
  const byDigest = file === undefined && bytes.includes('"messageSignature"');
  const trustedRoot = await readTrustedRoot(values['trusted-root']);
  const question = { trustedRoot, issuer, subject, entries: 1, certificateTimestamps: 1 };
  const agree = await agreementOn(`${basename(bundle)}${byDigest ? ', by its digest' : ''}`, question);
  agree({ format: 'bundle', bundle: bytes }, file);
}

/** The file, or the root that the package carries for Sigstore's own instance. */
async function readTrustedRoot(file: string | undefined): Promise<string> {
  if (file !== undefined) return await readFile(file, 'utf8');
  // A file of the package: another shape fails the verification that needs it.
  const seeds = createRequire(import.meta.url)('@sigstore/tuf/seeds.json') as Record<string, Seed | undefined>;
  return Buffer.from(seeds[DEFAULT_MIRROR_URL]?.targets['trusted_root.json'] ?? '', 'base64').toString();
}

interface Seed {
  readonly targets: Readonly<Record<string, string>>;
}
