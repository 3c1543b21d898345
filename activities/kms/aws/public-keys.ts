import { EvidenceError } from '../../evidence-error.ts';
import { MAX_MANAGED_KEYS } from '../../limits.ts';
import type { VerificationKey } from '../../sigstore/key/key.ts';
import { createBoundedMap } from '../checked/bounded-map.ts';
import { type AwsKeyMetadata, type AwsPublicKey, readPublicKey, verificationKey } from './answer.ts';
import type { AwsCalls } from './calls.ts';
import type { AwsKey } from './key-uri.ts';

/** A public key that is being fetched before it is known whether it is needed. */
export interface Prefetch {
  /** It could not be had the last time: to ask for the state before it is here would be for nothing. */
  readonly failedBefore: boolean;
  /** With why it did not come, if so; never rejects. */
  done(): Promise<unknown>;
  stop(): void;
}

/** Public keys by the ARN of their key, never by alias: they never change, so each is asked for once. */
export interface AwsPublicKeys {
  /** Begins to fetch it under the name that the policy has, unless what that name meant before is here. */
  prefetch(asked: AwsKey, signal: AbortSignal): Prefetch;
  /** The public key of exactly this key. Throws the KMS_ codes, or why a prefetch failed: nothing is asked for twice. */
  of(metadata: AwsKeyMetadata, prefetched: unknown, signal: AbortSignal): Promise<VerificationKey>;
}

const NOTHING: Prefetch = { failedBefore: false, done: async () => undefined, stop: () => {} };

export function createAwsPublicKeys(calls: AwsCalls): AwsPublicKeys {
  const known = createBoundedMap<AwsPublicKey>(MAX_MANAGED_KEYS);
  /** The ARN behind each name that was asked for; only says what need not be fetched once more. */
  const meant = createBoundedMap<string>(MAX_MANAGED_KEYS);
  const missed = createBoundedMap<true>(MAX_MANAGED_KEYS);
  const fetch = async (asked: AwsKey, signal: AbortSignal): Promise<AwsPublicKey> => {
    const found = readPublicKey(await calls.getPublicKey(asked, signal), asked);
    known.set(nameOf(asked, found.arn), found);
    meant.set(nameOf(asked, asked.keyId), found.arn);
    return found;
  };
  return {
    prefetch(asked, signal) {
      const arn = meant.get(nameOf(asked, asked.keyId));
      if (arn !== undefined && known.get(nameOf(asked, arn)) !== undefined) return NOTHING;
      const name = nameOf(asked, asked.keyId);
      const failedBefore = missed.get(name) === true;
      const controller = new AbortController();
      const work = fetch(asked, AbortSignal.any([signal, controller.signal])).then(
        () => missed.delete(name),
        (error: unknown) => {
          if (error instanceof EvidenceError && error.retryable) missed.set(name, true);
          return error;
        },
      );
      return { failedBefore, done: () => work, stop: () => controller.abort() };
    },
    async of(metadata, prefetched, signal) {
      const { key } = metadata;
      const name = nameOf(key, key.keyId);
      const here = known.get(name);
      if (here === undefined && prefetched !== undefined) throw prefetched;
      const found = here ?? (await fetch(key, signal));
      try {
        return verificationKey(found, metadata);
      } catch (error) {
        known.delete(name); // it or the metadata are wrong, and both are asked for again
        throw error;
      }
    },
  };
}

function nameOf({ endpoint }: AwsKey, arn: string): string {
  return `${endpoint ?? ''}/${arn}`;
}
