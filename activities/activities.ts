import type { Activities, AuthorityReference } from '../workflows/activities.ts';
import { imageName } from './authority/image-name.ts';
import { attemptSignal, orLasting, placeMs } from './border/attempt.ts';
import { type Awaited, inSlot } from './border/attempt-slot.ts';
import { toFailure } from './border/failure.ts';
import {
  readKeyRequest,
  readNameRequest,
  readPolicyRequest,
  readSignaturesRequest,
  readVerdictRequest,
  readVerificationRequest,
} from './border/request.ts';
import { checkKey } from './check-key.ts';
import { checkTransparencyLog } from './check-transparency-log.ts';
import type { Dependencies } from './dependencies.ts';
import { describePolicy } from './describe-policy.ts';
import { fetchSignatures } from './fetch-signatures.ts';
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
      answer((signal) => {
        const asked = readSignaturesRequest(request);
        return inSlot(registryOf(asked.source.repository ?? asked.name), () =>
          fetchSignatures(dependencies, asked, signal, placeMs()),
        );
      }),
    checkKey: (request) =>
      answer((signal) => {
        const asked = readKeyRequest(request);
        return inSlot(keyOf(asked), () => checkKey(dependencies, asked, signal));
      }),
    verifySignature: (request) =>
      answer((signal) => {
        const asked = readVerificationRequest(request);
        return inSlot(registryOf(asked.name), () => verifySignature(dependencies, asked, signal));
      }),
    checkTransparencyLog: (request) =>
      answer((signal) => {
        const asked = readVerificationRequest(request);
        return inSlot(logsOf(asked), () => checkTransparencyLog(dependencies, asked, signal));
      }),
    signVerdict: (request) =>
      answer((signal) => {
        const asked = readVerdictRequest(request);
        return inSlot(registryOf(asked.claim.name), () => signVerdict(dependencies, asked, signal, placeMs()));
      }),
    describePolicy: () => answer(() => describePolicy(dependencies)),
    resolveDescriptor: (request) =>
      answer((signal) => resolveDescriptor(dependencies, readNameRequest(request), signal)),
  };
}

/** The registry of an image, or of its evidence. */
function registryOf(name: string): Awaited {
  const { registry, repository } = imageName(name);
  return { host: registry, part: repository, onTimeout: 'REGISTRY_TIMEOUT' };
}

function keyOf({ policy, authority }: AuthorityReference): Awaited {
  return { host: `the key of ${policy}/${authority}`, part: '', onTimeout: 'KEY_UNAVAILABLE' };
}

function logsOf({ policy, authority }: AuthorityReference): Awaited {
  return { host: `the transparency logs of ${policy}/${authority}`, part: '', onTimeout: 'LOG_TIMEOUT' };
}

async function answer<T>(activity: (signal: AbortSignal) => T | Promise<T>): Promise<T> {
  try {
    return await activity(attemptSignal());
  } catch (error) {
    throw toFailure(orLasting(error));
  }
}
