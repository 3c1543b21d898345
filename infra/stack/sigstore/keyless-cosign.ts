import { execFile } from 'node:child_process';
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { obtain } from '../../tools/obtain.ts';
import { type CosignFiles, writeCosignFiles } from './cosign-files.ts';
import type { SigstoreServices } from './services.ts';

const execute = promisify(execFile);

/** What cosign 3 and what cosign 2 write of their own accord. */
export type KeylessFormat = 'bundle' | 'legacy';

/** Who has to have signed: exactly this subject, by exactly this issuer. */
export interface Signer {
  readonly identity: string;
  readonly issuer: string;
}

/** Real cosign, signing without a key of its own. Images are `registry/repository@sha256:...`. */
export interface KeylessCosign extends CosignFiles {
  /** Signs as the identity that the token names. Rejects with what cosign said. */
  sign(image: string, token: string, format?: KeylessFormat): Promise<void>;
  /** Attests a predicate of a type that cosign knows by name, or any URI. Rejects with what cosign said. */
  attest(image: string, token: string, attestation: Attestation, format?: KeylessFormat): Promise<void>;
  /** Whether cosign finds a signature by the signer; rejects with what it said when not. */
  verify(image: string, signer: Signer, format?: KeylessFormat): Promise<void>;
}

/** What is attested. */
export interface Attestation {
  readonly type: string;
  readonly predicate: unknown;
}

/** `dir` is a folder for its files, made if it is not there. */
export async function useKeylessCosign(dir: string, services: SigstoreServices): Promise<KeylessCosign> {
  await mkdir(dir, { recursive: true });
  const files = await writeCosignFiles(dir, services);
  const { fulcio, ctLog, rekorV1, timestampAuthority } = services;
  const env = {
    ...process.env,
    // it keeps what it gets of the public TUF repository here
    TUF_ROOT: join(dir, 'tuf'),
    SIGSTORE_ROOT_FILE: fulcio.chain,
    SIGSTORE_CT_LOG_PUBLIC_KEY_FILE: ctLog.publicKey,
    SIGSTORE_TSA_CERTIFICATE_FILE: timestampAuthority.chain,
    ...(rekorV1 !== undefined && { SIGSTORE_REKOR_PUBLIC_KEY: rekorV1.publicKey }),
  };
  const run = async (format: KeylessFormat, ...args: readonly string[]) => {
    await execute(await binaryOf(format), args, { cwd: dir, env });
  };
  const services2 = [
    ...[`--fulcio-url=${fulcio.url}`, `--timestamp-server-url=${timestampAuthority.url}`],
    ...(rekorV1 === undefined ? ['--tlog-upload=false'] : [`--rekor-url=${rekorV1.url}`]),
  ];
  const signing = {
    bundle: [`--signing-config=${files.signingConfig}`, `--trusted-root=${files.trustedRoot}`],
    legacy: services2,
  };
  const verifying = {
    bundle: [`--trusted-root=${files.trustedRoot}`],
    legacy: ['--use-signed-timestamps', ...(rekorV1 === undefined ? ['--insecure-ignore-tlog'] : [])],
  };
  const common = ['--yes', '--allow-http-registry'];
  let written = 0;
  const write = async (name: string, content: string) => {
    const file = join(dir, `${name}-${++written}`);
    await writeFile(file, content, { mode: 0o600 });
    return file;
  };
  // by a file: what cosign was called with stands in its errors
  const as = async (token: string) => `--identity-token=${await write('token', token)}`;
  return {
    ...files,
    sign: async (image, token, format = 'bundle') =>
      run(format, 'sign', ...common, ...signing[format], await as(token), image),
    async attest(image, token, { type, predicate }, format = 'bundle') {
      const what = [`--type=${type}`, `--predicate=${await write('predicate', JSON.stringify(predicate))}`];
      await run(format, 'attest', ...common, ...signing[format], ...what, await as(token), image);
    },
    verify: (image, { identity, issuer }, format = 'bundle') =>
      run(
        ...[format, 'verify', '--allow-http-registry', ...verifying[format]],
        ...[`--certificate-identity=${identity}`, `--certificate-oidc-issuer=${issuer}`, image],
      ),
  };
}

/** The older one takes minutes to build: only who signs by it waits. */
async function binaryOf(format: KeylessFormat): Promise<string> {
  switch (format) {
    case 'bundle':
      return (await obtain(['cosign'])).cosign;
    case 'legacy':
      return (await obtain(['cosign2'])).cosign2;
  }
}
