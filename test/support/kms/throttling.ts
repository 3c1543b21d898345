import type { KmsFault } from './server.ts';

const SEED = 7;
const MULTIPLIER = 48_271;
const MODULUS = 2_147_483_647;

/**
 * Nine calls of ten are throttled, by the same throw of dice in every run; a fixed pattern could meet the pattern of the
 * calls.
 */
export function ninetyPercentThrottled(): () => KmsFault | undefined {
  let dice = SEED;
  return () => {
    dice = (dice * MULTIPLIER) % MODULUS;
    return dice % 10 === 0 ? undefined : { kind: 'error', type: 'ThrottlingException' };
  };
}
