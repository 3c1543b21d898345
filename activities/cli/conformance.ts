import { createHash } from 'node:crypto';
import { existsSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { parseArgs } from 'node:util';
import { DEFAULT_MIRROR_URL } from '@sigstore/tuf';
import type { TrustMaterial } from '@sigstore/verify';
import { isRecord } from '../../workflows/format/record.ts';
import { EvidenceError } from '../evidence-error.ts';
import { parsePublicKey } from '../sigstore/key/key.ts';
import { type Artifact, judgeArtifact } from '../sigstore/payload/artifact.ts';
import type { Requirement, SignerRequirement } from '../sigstore/requirement/requirement.ts';
import { exactly } from '../sigstore/requirement/text-pattern.ts';
import { parseStrictJson } from '../text/strict-json.ts';
import { toTrustRoot } from '../trust/trust-root.ts';
import { readTrustedRootJson } from '../trust/trusted-root/trusted-root-json.ts';
import { holdsOverDigest } from './ecdsa-over-digest.ts';

const HELP = `Verifies a Sigstore bundle over a file, for the sigstore-conformance suite.

Usage: portcullis conformance verify-bundle [--staging] --bundle FILE
         (--certificate-identity IDENTITY --certificate-oidc-issuer URL | --key FILE)
         [--trusted-root FILE] FILE_OR_DIGEST

Speaks the suite's protocol (sigstore-conformance docs/cli_protocol.md): exit code 0 when the bundle holds, anything else
when not; the reason is one line on stderr. FILE_OR_DIGEST is a file, or sha256:HEX where there is no file of that name.
Without --trusted-root it is the public-good trusted root that the package @sigstore/tuf carries; nothing is fetched.
A log entry is always asked for, but of a key with an empty trusted root.
The suite starts one program: let it be a script of the line   exec infra/portcullis conformance "$@"`;

const TRUSTED_ROOT = 'application/vnd.dev.sigstore.trustedroot+json;version=0.1';
const DIGEST = /^sha256:([0-9a-f]{64})$/;

interface Options {
  readonly bundle: string;
  readonly signer: SignerOptions;
  readonly trustedRoot: string | undefined;
  readonly staging: boolean;
  readonly artifact: string;
}

type SignerOptions =
  | { readonly kind: 'key'; readonly file: string }
  | { readonly kind: 'keyless'; readonly identity: string; readonly issuer: string };

export const conformanceCommand = {
  help: HELP,
  async run(args: readonly string[]): Promise<number> {
    const options = readOptions(args);
    if (options === undefined) {
      console.error('portcullis conformance verify-bundle: see "portcullis conformance verify-bundle --help"');
      return 2;
    }
    try {
      const [bundle, artifact, requirement] = await Promise.all([
        readFile(options.bundle),
        readArtifact(options.artifact),
        readRequirement(options),
      ]);
      const judgement = judgeArtifact(bundle, requirement, artifact, { now: new Date(), holdsOverDigest });
      if (judgement.valid) {
        console.log(`verified: ${judgement.identity}`);
        return 0;
      }
      console.error(`${judgement.code}: ${judgement.sentence}`);
      return 1;
    } catch (error) {
      if (!(error instanceof EvidenceError)) throw error;
      console.error(`${error.code}: ${error.message}`);
      return 1;
    }
  },
};

function readOptions(args: readonly string[]): Options | undefined {
  const { values, positionals } = parseArgs({
    args: [...args],
    allowPositionals: true,
    options: {
      staging: { type: 'boolean', default: false },
      bundle: { type: 'string' },
      'certificate-identity': { type: 'string' },
      'certificate-oidc-issuer': { type: 'string' },
      key: { type: 'string' },
      'trusted-root': { type: 'string' },
    },
  });
  const { staging, bundle, key, 'trusted-root': trustedRoot } = values;
  const signer = readSigner(key, values['certificate-identity'], values['certificate-oidc-issuer']);
  const [artifact] = positionals;
  if (bundle === undefined || signer === undefined || artifact === undefined || positionals.length > 1)
    return undefined;
  return { bundle, signer, trustedRoot, staging, artifact };
}

/** A key or an identity, never both: the one that is not looked at would be believed to be. */
function readSigner(
  file: string | undefined,
  identity: string | undefined,
  issuer: string | undefined,
): SignerOptions | undefined {
  if (file !== undefined) return identity === undefined && issuer === undefined ? { kind: 'key', file } : undefined;
  return identity === undefined || issuer === undefined ? undefined : { kind: 'keyless', identity, issuer };
}

async function readArtifact(text: string): Promise<Artifact> {
  const [, digest] = DIGEST.exec(text) ?? [];
  if (digest !== undefined && !existsSync(text)) return { digest };
  const bytes = await readFile(text);
  return { digest: createHash('sha256').update(bytes).digest('hex'), bytes };
}

/**
 * What the suite expects of every client: a log entry; for a certificate a time that is proven and a logged certificate.
 * A key needs no entry by a trusted root that knows nobody (the case `managed-key-and-trusted-root`).
 */
async function readRequirement({ signer, trustedRoot, staging }: Options): Promise<Requirement> {
  const json = await readTrustedRoot(trustedRoot, staging);
  const bare = signer.kind === 'key' && knowsNobody(json);
  return {
    signer: await toSigner(signer),
    log: bare ? undefined : { entries: 1, cosignatures: 0, witnesses: [] },
    timestamps: 0,
    observers: signer.kind === 'keyless' ? 1 : 0,
    trust: bare ? NOBODY : toMaterial(trustedRoot === undefined ? 'public-good' : 'custom', json),
    wanted: { kind: 'signature' },
  };
}

const NOBODY: TrustMaterial = {
  certificateAuthorities: [],
  timestampAuthorities: [],
  tlogs: [],
  ctlogs: [],
  publicKey() {
    throw new Error('no key is looked up by its hint');
  },
};

/** Of nothing but its mediaType and empty lists: what can't be used, such as a log of a later kind, is somebody. */
function knowsNobody(json: Buffer): boolean {
  const read = parseStrictJson(json);
  if (!read.ok || !isRecord(read.value)) return false;
  const { mediaType, ...lists } = read.value;
  return mediaType === TRUSTED_ROOT && Object.values(lists).every((list) => Array.isArray(list) && list.length === 0);
}

async function toSigner(signer: SignerOptions): Promise<SignerRequirement> {
  switch (signer.kind) {
    case 'key': {
      const result = parsePublicKey(await readFile(signer.file, 'utf8'));
      if (result.ok) return { kind: 'key', key: result.key };
      throw new EvidenceError('KEY_UNREADABLE', `the key is not usable: ${result.problem}`, { retryable: false });
    }
    case 'keyless': {
      const identity = { issuer: exactly(signer.issuer), subject: exactly(signer.identity) };
      return { kind: 'keyless', identities: [identity], claims: [], certificateTimestamps: 1 };
    }
  }
}

async function readTrustedRoot(file: string | undefined, staging: boolean): Promise<Buffer> {
  if (file === undefined && staging) {
    throw unavailable("no trust root of Sigstore's staging instance is at hand: give one with --trusted-root");
  }
  return file === undefined ? embeddedTrustedRoot() : await readFile(file);
}

function toMaterial(name: string, json: Buffer): TrustMaterial {
  const result = readTrustedRootJson(name, json, 'refuse');
  if (!result.ok) throw unavailable(`the trusted root can't be used: ${result.problem}`);
  const { source } = result.document;
  if (source.kind !== 'keys') throw new Error(`a trusted_root.json gave a source of kind ${source.kind}`);
  return toTrustRoot(name, source.root, source.origins).material;
}

/** Good enough to judge test data; a worker never uses it, because nothing tells how old it is. */
function embeddedTrustedRoot(): Buffer {
  const seeds: unknown = createRequire(import.meta.url)('@sigstore/tuf/seeds.json');
  const seed = isRecord(seeds) ? seeds[DEFAULT_MIRROR_URL] : undefined;
  const targets = isRecord(seed) ? seed['targets'] : undefined;
  const root = isRecord(targets) ? targets['trusted_root.json'] : undefined;
  if (typeof root !== 'string') throw unavailable('@sigstore/tuf carries no trusted root; install the pinned version');
  return Buffer.from(root, 'base64');
}

function unavailable(sentence: string): EvidenceError {
  return new EvidenceError('TRUST_ROOT_UNAVAILABLE', sentence, { retryable: false });
}
