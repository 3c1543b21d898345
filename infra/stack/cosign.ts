import { execFile } from 'node:child_process';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';

const execute = promisify(execFile);

/** What cosign 3 writes by default, and what cosign 2 wrote. */
export type SignatureFormat = 'bundle' | 'simple-signing';

/** Options that keep cosign from every service but the registry. */
const FORMAT_OPTIONS: Readonly<Record<SignatureFormat, readonly string[]>> = {
  bundle: ['--signing-config=signing-config.json'],
  'simple-signing': ['--new-bundle-format=false', '--use-signing-config=false', '--tlog-upload=false'],
};

/** Real cosign in a folder of its own, where its keys lie as `<key>.key` and `<key>.pub`. */
export interface Cosign {
  /** Makes a key pair; answers the public key as PEM. */
  generateKeyPair(key: string): Promise<string>;
  /** Signs `registry/repository@sha256:...`. Rejects with what cosign said. */
  sign(image: string, key: string, format?: SignatureFormat): Promise<void>;
  /** Whether `cosign verify` accepts the image. */
  verifies(image: string, key: string): Promise<boolean>;
}

/** `directory` holds keys and configuration. */
export async function useCosign(binary: string, directory: string): Promise<Cosign> {
  const cosign = async (...args: readonly string[]) => {
    // an empty password: the keys live as long as the folder
    await execute(binary, args, { cwd: directory, env: { ...process.env, COSIGN_PASSWORD: '' } });
  };
  await cosign('signing-config', 'create', '--out', 'signing-config.json');
  return {
    async generateKeyPair(key) {
      await cosign('generate-key-pair', `--output-key-prefix=${key}`);
      return await readFile(join(directory, `${key}.pub`), 'utf8');
    },
    sign: (image, key, format = 'bundle') =>
      cosign('sign', '--yes', '--allow-http-registry', ...FORMAT_OPTIONS[format], `--key=${key}.key`, image),
    verifies: (image, key) =>
      cosign('verify', '--allow-http-registry', '--insecure-ignore-tlog=true', `--key=${key}.pub`, image).then(
        () => true,
        () => false,
      ),
  };
}
