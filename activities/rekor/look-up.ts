import type { TransparencyLog } from '../trust/trust-root.ts';

/** What a look-up that found nothing was: completes a sentence about an entry that is missing. */
export function describeLookUp(logs: readonly TransparencyLog[]): string {
  const [asked, closed] = (['v1', 'v2'] as const).map((version) =>
    [...new Set(logs.filter((log) => log.version === version).map(({ baseUrl }) => baseUrl.host))].join(', '),
  );
  const parts = [
    ...(asked === '' ? [] : [`asked ${asked}, which has none`]),
    ...(closed === ''
      ? []
      : [`did not ask ${closed}, for a Rekor v2 log has no look-up and only a bundle brings its entries`]),
  ];
  return parts.length === 0 ? 'the trust root names no log that could be asked' : parts.join('; ');
}
