import { join } from 'node:path';
import { parseGoDuration } from '../../../workflows/format/go-duration.ts';
import { isRecord } from '../../../workflows/format/record.ts';
import { EvidenceError } from '../../evidence-error.ts';
import { MAX_AUTH_BYTES, MAX_DOCKER_CONFIG_BYTES, MAX_TOKEN_MS } from '../../limits.ts';
import { readConfiguredFile } from '../endpoints/configured-file.ts';
import { parseJsonObject } from '../json.ts';
import type { Credential, CredentialSource } from './credential.ts';
import { type CredentialProvider, parseProviders, providersOf } from './credential-providers.ts';
import { matchesImage } from './image-pattern.ts';
import { runHelper } from './run-helper.ts';

/** A kubelet's own settings: `--image-credential-provider-config` and `--image-credential-provider-bin-dir`. */
export interface ProviderSettings {
  readonly config: string;
  readonly binDir: string;
}

/** What a provider said, by the pattern of the images that it is for. */
interface Answer {
  readonly auth: ReadonlyMap<string, Credential>;
  readonly key: string;
  readonly lifetimeMs: number;
}

type Held = Map<string, { readonly answer: Answer; readonly until: number }>;

/** Answers held at once: one for each registry or repository that was asked lately. */
const MAX_HELD = 1_000;

/**
 * Credentials of the programs that a kubelet asks (credentialprovider.kubelet.k8s.io/v1): each that matches the image is run, the earlier
 * one in the list counts more. Throws REGISTRY_UNAUTHORIZED, naming the program and never what it said, and REGISTRY_TIMEOUT.
 */
export function providerCredentials(settings: ProviderSettings): CredentialSource {
  const held: Held = new Map();
  return async (host, signal, repository, anew = false) => {
    const image = `${host === 'registry-1.docker.io' ? 'docker.io' : host}/${repository}`;
    for (const provider of providersOf(await readProviders(settings.config), image)) {
      const known = anew ? undefined : recall(held, provider, image);
      const answer = known ?? keep(held, provider, await ask(settings, provider, image, signal));
      const credential = credentialIn(answer, image);
      if (credential !== undefined) return credential;
    }
    return { kind: 'anonymous' };
  };
}

/** By image, by registry, or for all: how the provider said that its answer may be used. */
function recall(held: Held, { name }: CredentialProvider, image: string): Answer | undefined {
  const [registry = ''] = image.split('/');
  const found = [image, registry, ''].map((key) => held.get(`${name} ${key}`)).find((one) => one !== undefined);
  return found !== undefined && found.until > Date.now() ? found.answer : undefined;
}

function keep(held: Held, { name }: CredentialProvider, answer: Answer): Answer {
  if (answer.lifetimeMs <= 0) return answer;
  const key = `${name} ${answer.key}`;
  held.delete(key);
  held.set(key, { answer, until: Date.now() + answer.lifetimeMs });
  const [oldest] = held.keys();
  if (held.size > MAX_HELD && oldest !== undefined) held.delete(oldest);
  return answer;
}

async function ask(
  { binDir }: ProviderSettings,
  provider: CredentialProvider,
  image: string,
  signal: AbortSignal,
): Promise<Answer> {
  const { name, args, env, apiVersion } = provider;
  const input = JSON.stringify({ apiVersion, kind: 'CredentialProviderRequest', image });
  const end = await runHelper({ program: join(binDir, name), args, env, input }, signal);
  switch (end.kind) {
    case 'not-started':
      throw failed(name, image, `could not be started (${end.reason}); is it in ${binDir}?`);
    case 'too-large':
      throw failed(name, image, `printed more than ${MAX_AUTH_BYTES} bytes`);
    case 'timeout':
      throw new EvidenceError(
        'REGISTRY_TIMEOUT',
        `credential provider ${name} for ${image}: no answer within the time limit`,
        {
          retryable: true,
        },
      );
    case 'exited': {
      if (end.code !== 0) throw failed(name, image, `expected exit status 0, got ${end.code ?? 'a signal'}`);
      const answer = readAnswer(provider, image, parseJsonObject(end.output));
      if (answer === undefined)
        throw failed(name, image, 'expected a CredentialProviderResponse, found something else');
      return answer;
    }
  }
}

function readAnswer(
  { apiVersion, defaultCacheMs }: CredentialProvider,
  image: string,
  json: Record<string, unknown> | undefined,
): Answer | undefined {
  if (json?.['kind'] !== 'CredentialProviderResponse' || json['apiVersion'] !== apiVersion) return undefined;
  const { auth = {}, cacheKeyType, cacheDuration } = json;
  if (auth !== null && !isRecord(auth)) return undefined;
  const found = new Map<string, Credential>();
  for (const [pattern, value] of Object.entries(auth ?? {})) {
    if (!isRecord(value)) return undefined;
    const { username, password } = value;
    if (typeof username !== 'string' || typeof password !== 'string') return undefined;
    found.set(pattern, { kind: 'password', username, password });
  }
  const stated =
    cacheDuration === undefined || cacheDuration === null ? defaultCacheMs : parseGoDuration(String(cacheDuration));
  const keys: Readonly<Record<string, string>> = { Image: image, Registry: image.split('/')[0] ?? '', Global: '' };
  const key = keys[String(cacheKeyType)];
  if (Number.isNaN(stated) || key === undefined) return undefined;
  return { auth: found, key, lifetimeMs: Math.min(stated, MAX_TOKEN_MS) };
}

/** The most specific pattern counts: the last in order, as kubelet's keyring sorts them. */
function credentialIn({ auth }: Answer, image: string): Credential | undefined {
  const patterns = [...auth.keys()].toSorted().toReversed();
  const pattern = patterns.find((one) => matchesImage(one, image));
  return pattern === undefined ? undefined : auth.get(pattern);
}

async function readProviders(path: string): Promise<readonly CredentialProvider[]> {
  const text = await readConfiguredFile({ path, mostBytes: MAX_DOCKER_CONFIG_BYTES, unusable });
  if (text === undefined) throw unusable(path, 'could not be read (ENOENT)');
  const providers = parseProviders(text);
  if (typeof providers === 'string') throw unusable(path, providers);
  return providers;
}

function unusable(path: string, found: string): EvidenceError {
  return new EvidenceError('REGISTRY_UNAUTHORIZED', `credential providers ${path}: ${found}`, { retryable: false });
}

function failed(name: string, image: string, found: string): EvidenceError {
  return new EvidenceError('REGISTRY_UNAUTHORIZED', `credential provider ${name} for ${image}: ${found}`, {
    retryable: false,
  });
}
