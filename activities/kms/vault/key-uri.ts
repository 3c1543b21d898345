import { quote } from '../../text/quote.ts';

/** A key of a transit engine as a policy names it. The engine and its server are the worker's own setting. */
export interface VaultKey {
  readonly provider: 'hashivault' | 'openbao';
  readonly name: string;
}

export type VaultKeyResult =
  | { readonly ok: true; readonly key: VaultKey }
  | { readonly ok: false; readonly problem: string };

/** As in Vault, a name neither begins nor ends with a dash or a dot; the bound is ours. */
const KEY = /^(hashivault|openbao):\/\/([A-Za-z0-9_](?:[A-Za-z0-9_.-]{0,253}[A-Za-z0-9_])?)$/;

/** Reads `hashivault://NAME` and `openbao://NAME` (sigstore/sigstore `pkg/signature/kms/hashivault`). */
export function parseVaultKey(uri: string): VaultKeyResult {
  const [, provider, name] = KEY.exec(uri) ?? [];
  if ((provider !== 'hashivault' && provider !== 'openbao') || name === undefined) {
    const expected = 'hashivault://NAME or openbao://NAME, a NAME of letters, digits, "_", "-" and "."';
    const hint = "the mount of the transit engine is the worker's TRANSIT_SECRET_ENGINE_PATH";
    return { ok: false, problem: `expected ${expected}, found ${quote(uri)}; ${hint}` };
  }
  return { ok: true, key: { provider, name } };
}
