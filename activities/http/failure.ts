import { ProxySettingError } from '../../workflows/format/proxy.ts';
import { EvidenceError } from '../evidence-error.ts';
import { type InternalKind, isAddress } from './address-kind.ts';
import type { Reach } from './destinations.ts';
import { isUntrusted, untrustedWords } from './http-fault.ts';
import { proxyFailureOf } from './proxy-tunnel.ts';

/** What an exception of a request or of a body stream means. An aborted signal is always the time limit. */
export function transportFailure(what: string, error: unknown, signal: AbortSignal): EvidenceError {
  if (error instanceof EvidenceError) return error;
  const code = systemCode(error);
  const proxy = proxyFailureOf(error);
  if (proxy !== undefined && !signal.aborted) {
    const kind = proxy.code === 'PROXY_TIMEOUT' ? 'REGISTRY_TIMEOUT' : 'REGISTRY_UNREACHABLE';
    return new EvidenceError(kind, `${what}: ${proxy.message}`, { retryable: true, cause: error });
  }
  if (error instanceof ProxySettingError) {
    return new EvidenceError('REGISTRY_UNREACHABLE', `${what}: ${error.message}`, { retryable: false, cause: error });
  }
  if (signal.aborted || /TIMEOUT|ETIMEDOUT/.test(code)) {
    return new EvidenceError('REGISTRY_TIMEOUT', `${what}: no complete answer within the time limit`, {
      retryable: true,
      cause: error,
    });
  }
  if (
    /^HPE_|^UND_ERR_HEADERS_OVERFLOW|^UND_ERR_RES|^Z_|^ZSTD_|^ERR_BROTLI|^ERR__|^ERR_ASSERTION|^STATUS_UNKNOWN|^ENCODING_/.test(
      code,
    )
  ) {
    return misbehaved(what, `the answer is not valid HTTP (${code})`, true, error);
  }
  const words = isUntrusted(code) ? untrustedWords(code) : `the connection failed (${code}); check host and network`;
  return new EvidenceError('REGISTRY_UNREACHABLE', `${what}: ${words}`, { retryable: true, cause: error });
}

/** A request that is not sent because of where it would go. Says what kind of address a name leads to, and not which one. */
export function internalAddress(
  what: string,
  { url, reach, kind }: { readonly url: URL; readonly reach: Reach; readonly kind: InternalKind },
): EvidenceError {
  const place = url.port === '' ? url.hostname : url.host;
  const verb = isAddress(url.hostname) ? 'is' : 'leads to';
  const address = `${kind === 'unspecified' ? 'an' : 'a'} ${kind} address`;
  if (reach !== 'named') {
    const fix = `if the worker may connect to it, list it with --allow-internal ${place} of portcullis worker`;
    return refused(what, `the server refers to ${place}, which ${verb} ${address}; ${fix}`);
  }
  const whose = kind === 'loopback' ? ' (the node itself for containerd, the worker itself for the worker)' : '';
  const fix = `use a name that leads the worker to the registry, or list it with --allow-internal ${place} of portcullis worker`;
  return refused(what, `${place} ${verb} ${address}${whose}; ${fix}`);
}

function refused(what: string, why: string): EvidenceError {
  return new EvidenceError('REGISTRY_INTERNAL_ADDRESS', `${what}: ${why}`, { retryable: false });
}

/** The registry broke the protocol: nothing it says in this exchange can be used. */
export function misbehaved(what: string, found: string, retryable: boolean, cause?: unknown): EvidenceError {
  const fix = found.includes('; ') ? '' : '; check the server and any proxy in front of it';
  return new EvidenceError('REGISTRY_MISBEHAVED', `${what}: ${found}${fix}`, { retryable, cause });
}

/** The system's error code, looked for down the chain of causes; messages are left out, they quote URLs. */
function systemCode(error: unknown): string {
  for (let cause = error, depth = 0; cause instanceof Error && depth < 5; cause = cause.cause, depth++) {
    // The HTTP parser of Node leaves the code out for some errors.
    if (cause.name === 'HTTPParserError') return 'HPE_INVALID';
    if ('code' in cause && typeof cause.code === 'string' && /^[A-Z][A-Za-z0-9_]*$/.test(cause.code)) return cause.code;
  }
  return 'no further detail';
}
