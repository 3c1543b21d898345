import { createHash } from 'node:crypto';
import type { TrustedRoot } from '@sigstore/protobuf-specs';
import { MAX_TRUST_ENTRIES } from '../../limits.ts';
import type { LogOrigins } from '../trust-root-document.ts';
import { readAuthority, type TrustAuthority } from './trust-authority.ts';
import { readLog, type TrustLog } from './trust-log.ts';

/** Everything a trusted root says that a judgement rests on, looked at. */
export interface CheckedTrustedRoot {
  readonly certificateAuthorities: readonly TrustAuthority[];
  readonly timestampAuthorities: readonly TrustAuthority[];
  readonly ctlogs: readonly TrustLog[];
  readonly tlogs: readonly TrustLog[];
}

export type TrustedRootResult =
  | { readonly ok: true; readonly checked: CheckedTrustedRoot }
  | { readonly ok: false; readonly problem: string };

/** Where the logs of a trusted root stand in its file, in which others may stand between them. */
export type LogPlaces = Readonly<Record<'tlogs' | 'ctlogs', readonly number[]>>;

/** Checks a trusted root as a whole; one entry that can't hold refuses all, because its absence would go unnoticed. */
export function checkTrustedRoot(
  root: TrustedRoot,
  origins: LogOrigins = new Map(),
  places?: LogPlaces,
): TrustedRootResult {
  try {
    const checked = {
      certificateAuthorities: each('certificateAuthorities', root.certificateAuthorities, (one) => {
        const read = readAuthority(one, 'certificates');
        return 'problem' in read ? read : { value: read.authority };
      }),
      timestampAuthorities: each('timestampAuthorities', root.timestampAuthorities, (one) => {
        const read = readAuthority(one, 'timestamps');
        return 'problem' in read ? read : { value: read.authority };
      }),
      ctlogs: each(
        'ctlogs',
        root.ctlogs,
        (one) => {
          const read = readLog(one, 'ctlog');
          return 'problem' in read ? read : { value: read.log };
        },
        places?.ctlogs,
      ),
      tlogs: each(
        'tlogs',
        root.tlogs,
        (one, i) => {
          const read = readLog(one, 'tlog', origins.get(i));
          return 'problem' in read ? read : { value: read.log };
        },
        places?.tlogs,
      ),
    };
    const { certificateAuthorities, timestampAuthorities, tlogs } = checked;
    return certificateAuthorities.length + timestampAuthorities.length + tlogs.length > 0
      ? { ok: true, checked }
      : { ok: false, problem: 'expected an authority or a transparency log, found none that can be used; add one' };
  } catch (error) {
    if (error instanceof Problem) return { ok: false, problem: error.message };
    throw error;
  }
}

/** Hex SHA-256 over all that a judgement rests on, in whatever order it stands: the same trust has the same revision. */
export function revisionOfTrust(checked: CheckedTrustedRoot): string {
  const authorities = (list: readonly TrustAuthority[]) =>
    list
      .map(({ chain, validFrom, validUntil }) =>
        JSON.stringify([chain.map((one) => Buffer.from(one).toString('base64')), validFrom, validUntil ?? null]),
      )
      .toSorted();
  const logs = (list: readonly TrustLog[]) =>
    list
      .map(({ id, version, origin, baseUrl, publicKey, validFrom, validUntil }) => {
        const key = publicKey.export({ type: 'spki', format: 'der' }).toString('base64');
        return JSON.stringify([
          id.toString('hex'),
          version,
          origin ?? null,
          baseUrl,
          key,
          validFrom,
          validUntil ?? null,
        ]);
      })
      .toSorted();
  const content = [
    authorities(checked.certificateAuthorities),
    authorities(checked.timestampAuthorities),
    logs(checked.ctlogs),
    logs(checked.tlogs),
  ];
  return createHash('sha256').update(JSON.stringify(content)).digest('hex');
}

/** Carries the first problem out of the lists; never leaves this file. */
class Problem extends Error {}

function each<T, R>(
  name: string,
  list: readonly T[],
  read: (one: T, i: number) => { readonly value: R } | { readonly problem: string },
  places?: readonly number[],
): readonly R[] {
  if (list.length > MAX_TRUST_ENTRIES) {
    throw new Problem(`${name}: expected at most ${MAX_TRUST_ENTRIES}, found ${list.length}; remove those of no use`);
  }
  return list.map((one, i) => {
    const result = read(one, i);
    if ('problem' in result) throw new Problem(`${name}[${places?.[i] ?? i}]: ${result.problem}`);
    return result.value;
  });
}
