import { quote } from '../../text/quote.ts';

/** A key of AWS KMS as a policy names it. */
export interface AwsKey {
  /** `host` or `host:port` where another service than the region's own is to be asked, always by TLS, as cosign does. */
  readonly endpoint: string | undefined;
  /** What the API calls `KeyId`: the id of a key, an alias, or the ARN of either. */
  readonly keyId: string;
  /** What an ARN says; otherwise the worker's own region is meant. */
  readonly region: string | undefined;
  /** An alias can be made to mean another key. */
  readonly isAlias: boolean;
}

export type AwsKeyResult =
  | { readonly ok: true; readonly key: AwsKey }
  | { readonly ok: false; readonly problem: string };

const FORMS = 'awskms://[ENDPOINT]/ID, .../alias/NAME or .../ARN, with three slashes where no endpoint is named';

/**
 * All partitions that AWS has, also the isolated and the European one, which cosign's pattern leaves out. Key ids are
 * taken with dashes or, for a multi-region key, as `mrk-` and 32 digits (AWS, "Key identifiers"); cosign also takes shapes
 * that AWS never makes, and any text behind `alias/`.
 */
const ARN = /^arn:aws(?:-[a-z]{1,10}){0,2}:kms:([a-z]{2,4}(?:-[a-z]{1,12}){1,3}-\d{1,2}):\d{12}:(.+)$/;
const KEY_ID = /^(?:[0-9A-Fa-f]{8}(?:-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12}|mrk-[0-9A-Fa-f]{32})$/;
const ALIAS = /^alias\/[A-Za-z0-9/_-]{1,250}$/;
const ENDPOINT = /^(?:[A-Za-z0-9](?:[A-Za-z0-9.-]{0,251}[A-Za-z0-9])?|\[[0-9A-Fa-f:.]{2,45}\])(?::(\d{1,5}))?$/;

/** Reads `awskms://[ENDPOINT]/[ID | ARN | alias/NAME | alias ARN]` (sigstore/sigstore `pkg/signature/kms/aws`). */
export function parseAwsKey(uri: string): AwsKeyResult {
  const [, endpoint, keyId] = /^awskms:\/\/([^/]*)\/(.*)$/s.exec(uri) ?? [];
  if (endpoint === undefined || keyId === undefined) return refuse(uri, FORMS);
  const port = ENDPOINT.exec(endpoint)?.[1];
  if (endpoint !== '' && (!ENDPOINT.test(endpoint) || (port !== undefined && !isPort(Number(port))))) {
    return refuse(uri, `a host, or host:port, between the slashes, or nothing (${FORMS})`);
  }
  const [, region, resource = keyId] = ARN.exec(keyId) ?? [];
  if (keyId.startsWith('arn:') && region === undefined) {
    return refuse(uri, 'an ARN such as arn:aws:kms:REGION:ACCOUNT:key/ID or arn:aws:kms:REGION:ACCOUNT:alias/NAME');
  }
  const id = region === undefined ? resource : resource.replace(/^key\//, '');
  const isAlias = ALIAS.test(resource);
  if (!isAlias && !(KEY_ID.test(id) && (region === undefined) === (id === resource))) {
    return refuse(uri, `the id of a key, alias/NAME (letters, digits, "/", "_", "-"), or the ARN of one (${FORMS})`);
  }
  return { ok: true, key: { endpoint: endpoint === '' ? undefined : endpoint, keyId, region, isAlias } };
}

function isPort(port: number): boolean {
  return port >= 1 && port <= 65_535;
}

function refuse(uri: string, expected: string): AwsKeyResult {
  return { ok: false, problem: `expected ${expected}, found ${quote(uri)}` };
}
