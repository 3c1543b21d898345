import { quote } from '../../text/quote.ts';

/** A key of Azure Key Vault, or of a managed HSM, as a policy names it. */
export interface AzureKey {
  /** `https://NAME.vault.azure.net`, without a path. */
  readonly vaultUrl: string;
  readonly name: string;
  /** One version; otherwise the newest is meant. */
  readonly version: string | undefined;
}

export type AzureKeyResult =
  | { readonly ok: true; readonly key: AzureKey }
  | { readonly ok: false; readonly problem: string };

const FORM = 'azurekms://NAME.vault.azure.net/KEY, and /VERSION for one version';

/** Azure, "Object identifiers": names of keys are 1 to 127 letters, digits and dashes; versions 32 digits. */
const KEY =
  /^azurekms:\/\/([a-z0-9](?:[a-z0-9.-]{0,251}[a-z0-9])?(?::\d{1,5})?)\/([A-Za-z0-9-]{1,127})(?:\/([a-z0-9]{1,64})?)?$/i;

/** Reads `azurekms://VAULT_HOST/KEY[/VERSION]` (sigstore/sigstore `pkg/signature/kms/azure`), always asked by TLS. */
export function parseAzureKey(uri: string): AzureKeyResult {
  const [, host, name, version] = KEY.exec(uri) ?? [];
  if (host === undefined || name === undefined || !URL.canParse(`https://${host}`)) {
    return { ok: false, problem: `expected ${FORM}, found ${quote(uri)}` };
  }
  return { ok: true, key: { vaultUrl: `https://${host.toLowerCase()}`, name, version: version?.toLowerCase() } };
}
