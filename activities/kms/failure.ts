import { ProxySettingError } from '../../workflows/format/proxy.ts';
import type { ReasonCode } from '../../workflows/verdict/reason.ts';
import { EvidenceError } from '../evidence-error.ts';
import { viaTo } from '../http/exchange.ts';
import { isUntrusted } from '../http/http-fault.ts';
import { proxyFailureOf } from '../http/proxy-tunnel.ts';
import { MAX_RETRY_AFTER_MS } from '../limits.ts';
import { quote } from '../text/quote.ts';

interface Provider {
  /** How the names of its services begin. */
  readonly service: RegExp;
  /** How a worker gets what it needs, with the folder that has it. */
  readonly grant: string;
  /** What a key of it is found by. */
  readonly place: string;
  /** What the way to it depends on. */
  readonly way: string;
}

const PROVIDERS: readonly Provider[] = [
  {
    ...{ service: /^AWS KMS\b/, grant: 'give its identity this permission on this key, see infra/aws' },
    ...{ place: 'region and account', way: 'network, region, endpoint and proxy' },
  },
  {
    ...{ service: /^Google Cloud KMS\b/, grant: 'grant its identity the role in infra/gcp' },
    ...{ place: 'project, location and key ring', way: 'network and proxy' },
  },
  {
    ...{ service: /^Azure Key Vault\b/, grant: 'grant its identity the role in infra/azure' },
    ...{ place: 'the name of the vault', way: 'network, the name of the vault and proxy' },
  },
  {
    ...{ service: /^(?:Vault|OpenBao)\b/, grant: 'give its token the policy in infra/vault' },
    ...{ place: 'address, namespace and mount', way: 'network, address and proxy' },
  },
];

const OTHER: Omit<Provider, 'service'> = {
  grant: 'give its identity this permission on this key, see infra/README.md',
  place: 'where it is',
  way: 'network, endpoint and proxy',
};

interface Class {
  readonly code: ReasonCode;
  /** Whether the same call may be answered differently in a moment. What is no inability of the service is an answer. */
  readonly retryable: boolean;
  /** Completes "AWS KMS ...". */
  readonly says: string;
  /** What to do about it, in the words of the provider where those differ. */
  readonly advice: string | ((provider: Omit<Provider, 'service'>) => string);
}

/** What can go wrong between a worker and any KMS, and what each comes to. The only place where that is decided. */
const CLASSES = {
  throttled: {
    ...{ code: 'KMS_THROTTLED', retryable: true, says: 'receives too many requests' },
    advice: 'check the quotas of the account, or let policies accept an older state',
  },
  fault: {
    ...{ code: 'KMS_ERROR', retryable: true, says: 'answered with an error of its own' },
    advice: 'check its status page if this stays',
  },
  unreachable: {
    ...{ code: 'KMS_UNREACHABLE', retryable: true, says: 'cannot be reached' },
    advice: ({ way }) => `check ${way}`,
  },
  untrusted: {
    ...{ code: 'KMS_UNREACHABLE', retryable: true, says: 'shows a certificate that this worker does not trust' },
    advice: 'check the certificate, and name a private authority to the worker in NODE_EXTRA_CA_CERTS',
  },
  'no-token-service': {
    ...{ code: 'KMS_UNREACHABLE', retryable: true },
    says: 'was not asked, because the service that gives this worker its credentials cannot be reached',
    advice: 'check network and proxy, and name a private authority to the worker in NODE_EXTRA_CA_CERTS',
  },
  timeout: {
    ...{ code: 'KMS_TIMEOUT', retryable: true, says: 'did not answer in time' },
    advice: 'check network and proxy if this stays',
  },
  misbehaved: {
    ...{ code: 'KMS_MISBEHAVED', retryable: true, says: 'sent an unexpected response' },
    advice: 'check the endpoint, and any proxy in front of it',
  },
  denied: {
    ...{ code: 'KMS_ACCESS_DENIED', retryable: false, says: 'does not let this worker do that' },
    advice: ({ grant }) => grant,
  },
  'no-credentials': {
    ...{ code: 'KMS_CREDENTIALS', retryable: true, says: 'was not asked, this worker has no credentials for it' },
    advice: "check the credentials in the worker's environment and of its machine",
  },
  'refused-credentials': {
    ...{ code: 'KMS_CREDENTIALS', retryable: true, says: 'rejected the credentials of this worker' },
    advice: "check the credentials in the worker's environment and of its machine",
  },
  'expired-credentials': {
    ...{ code: 'KMS_CREDENTIALS', retryable: true, says: 'says that the credentials of this worker have expired' },
    advice: 'renew them; if they are in its environment, restart the worker',
  },
  'clock-skew': {
    ...{ code: 'KMS_CREDENTIALS', retryable: true, says: "says that this worker's clock is wrong" },
    advice: 'set the clock of its machine',
  },
  'no-region': {
    ...{ code: 'KMS_CREDENTIALS', retryable: false, says: 'was not asked, this worker does not know in which region' },
    advice: 'name the key by its ARN, or set AWS_REGION for the worker',
  },
  missing: {
    ...{ code: 'KEY_NOT_FOUND', retryable: false, says: 'knows no such key' },
    advice: ({ place }) => `correct the policy's key; check ${place}`,
  },
  disabled: {
    ...{ code: 'KEY_DISABLED', retryable: false, says: 'says that the key is disabled' },
    advice: 'enable it, or sign with another key',
  },
  'other-state': {
    ...{ code: 'KEY_UNAVAILABLE', retryable: false, says: "can't use the key in the state in which it is" },
    advice: 'check the key',
  },
  unavailable: {
    ...{ code: 'KEY_UNAVAILABLE', retryable: true, says: "can't use the key for the moment" },
    advice: 'check the key',
  },
  unsuitable: {
    ...{ code: 'KEY_UNSUITABLE', retryable: false, says: 'says that the key is not for that' },
    advice: 'name a key for signing',
  },
} as const satisfies Readonly<Record<string, Class>>;

export type FailureClass = keyof typeof CLASSES;

/** The names that AWS has for its errors (of the service itself, of what stands before it, and of its client). */
const NAMES: Readonly<Partial<Record<FailureClass, readonly string[]>>> = {
  throttled: [
    ...['ThrottlingException', 'Throttling', 'ThrottledException', 'RequestThrottled', 'RequestThrottledException'],
    ...['TooManyRequestsException', 'RequestLimitExceeded', 'LimitExceededException', 'SlowDown'],
  ],
  fault: ['KMSInternalException', 'DependencyTimeoutException', 'InternalFailure', 'ServiceUnavailable'],
  denied: ['AccessDeniedException', 'AccessDenied', 'OptInRequired', 'NotAuthorized'],
  'no-credentials': ['CredentialsProviderError', 'TokenProviderError', 'ProviderError', 'MissingAuthenticationToken'],
  'refused-credentials': [
    ...['UnrecognizedClientException', 'InvalidSignatureException', 'InvalidClientTokenId', 'IncompleteSignature'],
    ...['SignatureDoesNotMatch', 'MissingAuthenticationTokenException', 'IncompleteSignatureException'],
  ],
  'expired-credentials': ['ExpiredTokenException', 'ExpiredToken', 'TokenRefreshRequired'],
  'clock-skew': ['RequestExpired', 'RequestTimeTooSkewed', 'RequestInTheFuture'],
  missing: ['NotFoundException', 'InvalidArnException', 'ValidationException', 'ValidationError'],
  disabled: ['DisabledException'],
  'other-state': ['KMSInvalidStateException'],
  unavailable: ['KeyUnavailableException'],
  unsuitable: ['InvalidKeyUsageException', 'UnsupportedOperationException'],
};

const CLASS_OF_NAME: ReadonlyMap<string, FailureClass> = new Map(
  // Object.entries forgets that the keys are classes.
  (Object.entries(NAMES) as [FailureClass, readonly string[]][]).flatMap(([kind, names]) =>
    names.map((name) => [name, kind] as const),
  ),
);

/** The class of an error that AWS has named. */
export function classOfName(name: string): FailureClass | undefined {
  return CLASS_OF_NAME.get(name);
}

/** The class of an HTTP status of a service that says by it what is wrong. `undefined` for 2xx. */
export function classOfStatus(status: number): FailureClass | undefined {
  if (status >= 200 && status < 300) return undefined;
  if (status === 429) return 'throttled';
  if (status === 401) return 'refused-credentials';
  if (status === 403) return 'denied';
  if (status === 404) return 'missing';
  if (status === 408) return 'timeout';
  return status >= 500 && status < 600 ? 'fault' : 'misbehaved';
}

/** The class of an error of the connection: of the system (errno), of the resolver, of TLS. */
export function classOfConnection(error: unknown): { readonly kind: FailureClass; readonly found: string } | undefined {
  const code = systemCodeOf(error);
  if (code === undefined) return undefined;
  if (code.startsWith('HPE_')) return { kind: 'misbehaved', found: code };
  if (isUntrusted(code)) return { kind: 'untrusted', found: code };
  const late = code === 'ETIMEDOUT' || code === 'UND_ERR_HEADERS_TIMEOUT' || code === 'UND_ERR_BODY_TIMEOUT';
  return { kind: late ? 'timeout' : 'unreachable', found: code };
}

/** Node puts it on the error, on its cause, or on the first of the addresses that were tried. */
function systemCodeOf(error: unknown, depth = 0): string | undefined {
  if (!(error instanceof Error) || depth > 3) return undefined;
  const { code } = error as { code?: unknown };
  if (typeof code === 'string' && /^[A-Z][A-Z0-9_]{2,60}$/.test(code)) return code;
  const inner: readonly unknown[] = error instanceof AggregateError ? error.errors : [];
  return systemCodeOf(error.cause ?? inner[0], depth + 1);
}

/** What was being done when it failed. Nothing in here is secret. */
export interface Call {
  /** `AWS KMS in eu-west-1` */
  readonly service: string;
  /** By its permission: `kms:DescribeKey`. */
  readonly permission: string;
  /** The key as it was asked for. */
  readonly key: string;
  /** What to do about it, where that is not the usual. */
  readonly advice?: string;
}

/**
 * The error of one call. `found` is a short word for what came instead: a name, a status, an errno; never a message of
 * the service, because some of them quote what was signed, session token included.
 */
export function kmsFailure(kind: FailureClass, call: Call, found?: string, retryAfterMs?: number): EvidenceError {
  const { code, retryable, says, advice } = CLASSES[kind];
  const shown = found === undefined ? '' : `, found ${quote(found)}`;
  const cure = call.advice ?? (typeof advice === 'string' ? advice : advice(providerOf(call)));
  const sentence = `${call.service} ${says} (${call.permission} on ${quote(call.key)}${shown}); ${cure}`;
  const wait = kind === 'throttled' ? (retryAfterMs ?? backOff()) : retryAfterMs;
  return new EvidenceError(code, sentence, {
    retryable,
    ...(retryable && wait !== undefined && { retryAfterMs: Math.min(wait, MAX_RETRY_AFTER_MS) }),
  });
}

function providerOf({ service }: Call): Omit<Provider, 'service'> {
  return PROVIDERS.find((one) => one.service.test(service)) ?? OTHER;
}

/** The same for what a proxy on the way did, or for a proxy that is set wrong; `undefined` for other errors. */
export function proxyFailure(call: Call, error: unknown): EvidenceError | undefined {
  if (error instanceof ProxySettingError) {
    const [problem = '', fix = ''] = error.message.split('; ');
    return kmsFailure('unreachable', { ...call, advice: fix }, problem);
  }
  const proxy = proxyFailureOf(error);
  if (proxy === undefined) return undefined;
  const kind = proxy.code === 'PROXY_TIMEOUT' ? 'timeout' : 'unreachable';
  return kmsFailure(kind, { ...call, advice: proxy.fix }, proxy.problem);
}

/** `AWS KMS in eu-west-1`, and the proxy on the way to this host if there is one. */
export function reachedAt(service: string, host: string): string {
  const url = `https://${host}/`;
  return URL.canParse(url) ? `${service}${viaTo(new URL(url))}` : service;
}

/** At least a second, and not the same for all workers, so that they don't come back together. */
function backOff(): number {
  return 1000 + Math.floor(Math.random() * 1000);
}

/** `Retry-After` in ms (RFC 9110 section 10.2.3), where it is a number of seconds. */
export function retryAfterOf(header: string | undefined): number | undefined {
  return header !== undefined && /^\d{1,6}$/.test(header.trim()) ? Number(header) * 1000 : undefined;
}
