import type { Activities } from '../workflows/activities.ts';
import { attemptSignal } from './attempt.ts';
import { checkKey } from './check-key.ts';
import { checkTransparencyLog } from './check-transparency-log.ts';
import type { Dependencies } from './dependencies.ts';
import { describePolicy } from './describe-policy.ts';
import { toFailure } from './failure.ts';
import { fetchSignatures } from './fetch-signatures.ts';
import {
  readKeyRequest,
  readNameRequest,
  readPolicyRequest,
  readSignaturesRequest,
  readVerdictRequest,
  readVerificationRequest,
} from './request.ts';
import { resolveDescriptor } from './resolve-descriptor.ts';
import { resolvePolicy } from './resolve-policy.ts';
import { signVerdict } from './sign-verdict.ts';
import { verifySignature } from './verify-signature.ts';

/**
 * Implements the workflows' port, and is the border to Temporal: what comes in is read by `request.ts` and whatever
 * an activity throws leaves as the one shape of `failure.ts`.
 */
export function createActivities(dependencies: Dependencies): Activities {
  return {
    resolvePolicy: (request) => answer(() => resolvePolicy(dependencies, readPolicyRequest(request))),
    fetchSignatures: (request) =>
      answer((signal) => fetchSignatures(dependencies, readSignaturesRequest(request), signal)),
    checkKey: (request) => answer((signal) => checkKey(dependencies, readKeyRequest(request), signal)),
    verifySignature: (request) =>
      answer((signal) => verifySignature(dependencies, readVerificationRequest(request), signal)),
    checkTransparencyLog: (request) =>
      answer((signal) => checkTransparencyLog(dependencies, readVerificationRequest(request), signal)),
    signVerdict: (request) => answer((signal) => signVerdict(dependencies, readVerdictRequest(request), signal)),
    describePolicy: () => answer(() => describePolicy(dependencies)),
    resolveDescriptor: (request) =>
      answer((signal) => resolveDescriptor(dependencies, readNameRequest(request), signal)),
  };
}

async function answer<T>(activity: (signal: AbortSignal) => T | Promise<T>): Promise<T> {
  try {
    return await activity(attemptSignal());
  } catch (error) {
    throw toFailure(error);
  }
}
