import type { Bend } from './case.ts';

/** Bends the signature of the envelope in a bundle, as base64. */
export const sig = (change: (sig: string) => string): Bend => ({
  bundle: ({ dsseEnvelope }) => {
    for (const signature of dsseEnvelope?.signatures ?? []) signature.sig = change(signature.sig);
  },
});

/** Bends the payload of the envelope in a bundle, as base64. */
export const payload = (change: (payload: string) => string): Bend => ({
  bundle: ({ dsseEnvelope }) => {
    if (dsseEnvelope !== undefined) dsseEnvelope.payload = change(dsseEnvelope.payload);
  },
});

/** Bends text that stands there as base64. */
export const recode = (base64: string, change: (text: string) => string): string =>
  Buffer.from(change(Buffer.from(base64, 'base64').toString())).toString('base64');
