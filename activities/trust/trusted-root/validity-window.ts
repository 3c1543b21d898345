import type { TimeRange } from '@sigstore/protobuf-specs';

/** When a key or an authority is believed, ends included. */
export interface ValidityWindow {
  /** Unix time in ms. */
  readonly validFrom: number;
  /** Unix time in ms; `undefined` is open. */
  readonly validUntil: number | undefined;
}

/** Checks a `validFor`: a start it must have (sigstore-conformance `trusted-root` cases), and an end not before it. */
export function readWindow(range: TimeRange | undefined): ValidityWindow | { readonly problem: string } {
  const validFrom = range?.start?.getTime();
  const validUntil = range?.end?.getTime();
  if (validFrom === undefined) {
    return { problem: 'expected validFor.start, found none; add the time from which signatures count' };
  }
  if (Number.isNaN(validFrom) || Number.isNaN(validUntil)) {
    return { problem: 'expected a time like "2026-01-31T12:00:00Z" in validFor, found other text' };
  }
  if (validUntil !== undefined && validUntil < validFrom) {
    return { problem: 'expected validFor.end after validFor.start, found it before; swap them' };
  }
  return { validFrom, validUntil };
}
