import { execFile } from 'node:child_process';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { obtain } from '../../../infra/tools/obtain.ts';
import { type FakeRegistry, startFakeRegistry } from '../registry.ts';
import { createSigningKey, type SigningKey } from '../signer.ts';
import { signingConfigJson } from '../virtual-sigstore/cosign-config.ts';
import { type ServedSigstore, serveSigstore } from '../virtual-sigstore/http.ts';
import { type Generation, KEYS, type Scenario } from './scenario.ts';
import { type Trust, type TrustFiles, writeTrusts } from './trust.ts';

/** What one run of cosign ended in. */
export interface Run {
  readonly ok: boolean;
  /** The end of what it said. */
  readonly said: string;
}

/** Both cosigns, a registry and a Sigstore, with keys and trust roots as files. */
export interface Workbench {
  readonly dir: string;
  readonly registry: FakeRegistry;
  readonly served: ServedSigstore;
  readonly trusts: ReadonlyMap<Trust, TrustFiles>;
  /** By the signer's name; `other` is a P-256 key that signed nothing. */
  readonly keys: ReadonlyMap<string, SigningKey>;
  /** Processes so far. */
  readonly runs: number;
  cosign(generation: Generation, args: readonly string[], environment?: Readonly<Record<string, string>>): Promise<Run>;
  stop(): Promise<void>;
}

/** A process that takes longer hangs. */
const PROCESS_MS = 60_000;

export async function openWorkbench(): Promise<Workbench> {
  const dir = await mkdtemp(join(tmpdir(), 'portcullis-matrix-'));
  const binaries = await obtain(['cosign', 'cosign2']);
  const [registry, served] = await Promise.all([startFakeRegistry(), serveSigstore()]);
  let runs = 0;
  const run: Workbench['cosign'] = (generation, args, environment = {}) => {
    runs++;
    const env = {
      ...process.env,
      HOME: dir,
      TUF_ROOT: join(dir, 'tuf'),
      COSIGN_PASSWORD: '',
      ...OFFLINE,
      ...environment,
    };
    const binary = generation === 2 ? binaries.cosign2 : binaries.cosign;
    return new Promise((resolve) => {
      execFile(binary, args, { cwd: dir, env, timeout: PROCESS_MS }, (error, stdout, stderr) => {
        resolve({ ok: error === null, said: `${stdout}${stderr}`.trim().slice(-300) });
      });
    });
  };
  const keys = await writeKeys(dir, run);
  await writeSigningConfigs(dir, served);
  await writeFile(join(dir, 'predicate.json'), '{"answer":42}');
  return {
    ...{ dir, registry, served, keys },
    trusts: await writeTrusts(dir, served.sigstore),
    get runs() {
      return runs;
    },
    cosign: run,
    async stop() {
      await Promise.all([registry.stop(), served[Symbol.asyncDispose]()]);
      await rm(dir, { recursive: true });
    },
  };
}

/** Whatever cosign wants to ask beside loopback gets no answer: nothing is decided by a service out there. */
const OFFLINE = { HTTPS_PROXY: 'http://127.0.0.1:9', HTTP_PROXY: 'http://127.0.0.1:9' };

/** The file of the signing config that a scenario is signed with. */
export function signingConfigFile({ log, timestamps, signer }: Scenario): string {
  return `signing-${log}-${timestamps}-${signer === 'keyless'}.json`;
}

async function writeKeys(dir: string, cosign: Workbench['cosign']): Promise<ReadonlyMap<string, SigningKey>> {
  const kinds = [...Object.entries(KEYS), ['other', 'ECDSA P-256']] as const;
  const keys = kinds.map(async ([name, kind]) => {
    const key = createSigningKey(kind);
    await writeFile(join(dir, `${name}.pem`), key.privateKey.export({ type: 'pkcs8', format: 'pem' }));
    await writeFile(join(dir, `${name}.pub`), key.publicPem);
    // Cosign wants its keys encrypted; `other` never signs.
    if (name !== 'other') {
      const imported = await cosign(3, [
        'import-key-pair',
        '--key',
        `${name}.pem`,
        '--output-key-prefix',
        name,
        '--yes',
      ]);
      if (!imported.ok) throw new Error(`cosign could not import a key: ${imported.said}`);
    }
    return [name, key] as const;
  });
  return new Map(await Promise.all(keys));
}

async function writeSigningConfigs(dir: string, { sigstore }: ServedSigstore): Promise<void> {
  for (const log of ['none', 'v1', 'v2'] as const) {
    for (const timestamps of [true, false]) {
      for (const isKeyless of [true, false]) {
        const config = signingConfigJson(sigstore, { log, timestamps, keyed: !isKeyless });
        await writeFile(join(dir, `signing-${log}-${timestamps}-${isKeyless}.json`), JSON.stringify(config));
      }
    }
  }
}
