import { createHash } from 'node:crypto';
import { EvidenceError } from '../evidence-error.ts';
import type { KnownRoot, RootState } from './known-root.ts';
import { toTrustRoot } from './trust-root.ts';
import type { TrustRootSource } from './trust-root-document.ts';

/** A trust root whose keys stand in its document. */
export function createFixedRoot(name: string, source: Extract<TrustRootSource, { kind: 'keys' }>): KnownRoot {
  const state = read(name, source);
  const content = state.usable?.root.revision ?? state.failure?.problem ?? '';
  return {
    name,
    from: 'its document',
    mayChange: false,
    id: createHash('sha256').update(`keys\0${content}`).digest('hex'),
    state: () => state,
    open: async () => {},
    start: () => {},
    refresh: async () => {},
    stop: () => {},
  };
}

function read(name: string, { root, origins }: Extract<TrustRootSource, { kind: 'keys' }>): RootState {
  try {
    return { usable: { root: toTrustRoot(name, root, origins), expires: undefined }, attempted: true };
  } catch (error) {
    if (!(error instanceof EvidenceError)) throw error;
    return { failure: { kind: 'refused', problem: error.message }, attempted: true };
  }
}
