import { parseDocument } from 'yaml';
import { parseGoDuration } from '../../../workflows/format/go-duration.ts';
import { isRecord } from '../../../workflows/format/record.ts';
import { MAX_CREDENTIAL_PROVIDERS } from '../../limits.ts';
import { matchesImage } from './image-pattern.ts';

/** A program that knows credentials for some images, as a kubelet has them. */
export interface CredentialProvider {
  /** The file in the folder of providers. */
  readonly name: string;
  readonly matchImages: readonly string[];
  /** How long an answer is used that names no time, in ms. */
  readonly defaultCacheMs: number;
  readonly args: readonly string[];
  readonly env: Readonly<Record<string, string>>;
  /** The version of the protocol, `credentialprovider.kubelet.k8s.io/v1`. */
  readonly apiVersion: string;
}

const PROTOCOLS = ['credentialprovider.kubelet.k8s.io/v1'];
const CONFIGS = ['kubelet.config.k8s.io/v1'];

/**
 * Parses a kubelet's `CredentialProviderConfig` (kubelet.config.k8s.io/v1, YAML or JSON). Answers one sentence that names the field
 * when something is not as expected; what needs a pod's service account is refused, because a worker is no pod's.
 */
export function parseProviders(text: string): readonly CredentialProvider[] | string {
  const document = parseDocument(text, { schema: 'core', uniqueKeys: true });
  if (document.errors.length > 0) return 'expected YAML or JSON, found something else';
  let config: unknown;
  try {
    config = document.toJS({ maxAliasCount: 0 });
  } catch {
    return 'expected YAML without aliases';
  }
  if (
    !isRecord(config) ||
    config['kind'] !== 'CredentialProviderConfig' ||
    !CONFIGS.includes(String(config['apiVersion']))
  ) {
    return `expected kind CredentialProviderConfig of ${CONFIGS.join()}, found something else`;
  }
  const list: unknown = config['providers'];
  if (!Array.isArray(list) || list.length > MAX_CREDENTIAL_PROVIDERS) {
    return `providers: expected a list of at most ${MAX_CREDENTIAL_PROVIDERS}`;
  }
  const providers: CredentialProvider[] = [];
  for (const [index, value] of list.entries()) {
    const provider = parseProvider(value);
    if (typeof provider === 'string') return `providers[${index}].${provider}`;
    providers.push(provider);
  }
  return providers;
}

function parseProvider(value: unknown): CredentialProvider | string {
  if (!isRecord(value)) return 'expected an object';
  const { name, matchImages, apiVersion, args = [], env = [], defaultCacheDuration = '0s', tokenAttributes } = value;
  if (typeof name !== 'string' || !/^[\w.-]{1,100}$/.test(name) || /^\.\.?$/.test(name))
    return 'name: expected the name of a file';
  if (!isTexts(matchImages) || matchImages.length === 0) return 'matchImages: expected a list of patterns';
  if (typeof apiVersion !== 'string' || !PROTOCOLS.includes(apiVersion))
    return `apiVersion: expected ${PROTOCOLS.join()}`;
  if (!isTexts(args)) return 'args: expected a list of texts';
  if (tokenAttributes !== undefined) return 'tokenAttributes: a worker has no service account of the pod';
  const variables = parseEnv(env);
  if (variables === undefined) return 'env: expected a list of name and value';
  const defaultCacheMs = parseGoDuration(String(defaultCacheDuration));
  if (Number.isNaN(defaultCacheMs)) return 'defaultCacheDuration: expected a duration such as 12h';
  return { name, matchImages, apiVersion, args, env: variables, defaultCacheMs };
}

function isTexts(value: unknown): value is readonly string[] {
  return Array.isArray(value) && value.length <= 1_000 && value.every((one) => typeof one === 'string');
}

function parseEnv(value: unknown): Readonly<Record<string, string>> | undefined {
  if (!Array.isArray(value)) return undefined;
  const pairs = value.map((one: unknown) => (isRecord(one) ? [one['name'], one['value']] : []));
  if (!pairs.every((pair) => pair.length === 2 && pair.every((part) => typeof part === 'string'))) return undefined;
  return Object.fromEntries(pairs.map(([name, content]) => [String(name), String(content)]));
}

/** Those that are to be asked about an image. */
export function providersOf(providers: readonly CredentialProvider[], image: string): readonly CredentialProvider[] {
  return providers.filter(({ matchImages }) => matchImages.some((pattern) => matchesImage(pattern, image)));
}
