import { MAX_KEY_URI_LENGTH } from '../limits.ts';
import { quote } from '../text/quote.ts';
import { parseAwsKey } from './aws/key-uri.ts';
import { parseAzureKey } from './azure/key-uri.ts';
import { parseGcpKey } from './gcp/key-uri.ts';
import type { KeyProvider, KeyReference } from './managed-key.ts';
import { parseVaultKey } from './vault/key-uri.ts';

export type KeyUriResult =
  | { readonly ok: true; readonly reference: KeyReference }
  | { readonly ok: false; readonly problem: string };

/** What a provider's own parser says of a whole URI, its scheme included. */
type Parsed = { readonly ok: true } | { readonly ok: false; readonly problem: string };

const PARSERS: Readonly<Record<KeyProvider, (uri: string) => Parsed>> = {
  awskms: parseAwsKey,
  hashivault: parseVaultKey,
  openbao: parseVaultKey,
  gcpkms: parseGcpKey,
  azurekms: parseAzureKey,
};

/** What cosign and others read too and nobody reads here, each with what to do instead. */
const OTHERS: ReadonlyMap<string, string> = new Map([
  ['k8s', 'a node should not read secrets of the cluster: put the public key into the policy ("key.data")'],
  ['gitlab', 'download the public key and put it into the policy ("key.data")'],
  ['pkcs11', 'export the public key from the token and put it into the policy ("key.data")'],
]);

/** Reads the URI of a key as cosign names it. Asks nobody. `problem` completes "the key is not usable: ". */
export function parseKeyUri(text: string): KeyUriResult {
  if (text.length > MAX_KEY_URI_LENGTH) {
    return refuse(`expected a key URI of at most ${MAX_KEY_URI_LENGTH} characters, found ${text.length}`);
  }
  const scheme = /^([a-z0-9]{1,20}):/.exec(text)?.[1];
  const provider = (Object.keys(PARSERS) as KeyProvider[]).find((name) => name === scheme); // PARSERS has exactly these keys
  if (provider === undefined || !text.startsWith(`${provider}://`)) return refuse(unknownScheme(text, scheme));
  const parsed = PARSERS[provider](text);
  return parsed.ok ? { ok: true, reference: { provider, uri: text } } : refuse(parsed.problem);
}

function unknownScheme(text: string, scheme: string | undefined): string {
  const known = Object.keys(PARSERS).map((name) => `${name}://`);
  const instead = OTHERS.get(scheme ?? '');
  const expected = `expected a key URI that begins with ${known.slice(0, -1).join(', ')} or ${known.at(-1)}`;
  return `${expected}, found ${quote(text)}${instead === undefined ? '' : `; ${instead}`}`;
}

function refuse(problem: string): KeyUriResult {
  return { ok: false, problem };
}
