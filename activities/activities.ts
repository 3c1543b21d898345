import type { Activities } from '../workflows/activities.ts';
import { checkKey } from './check-key.ts';
import type { Dependencies } from './dependencies.ts';
import { describePolicy } from './describe-policy.ts';
import { toFailure } from './failure.ts';
import { fetchSignatures } from './fetch-signatures.ts';
import { resolveDescriptor } from './resolve-descriptor.ts';
import { resolvePolicy } from './resolve-policy.ts';
import { signVerdict } from './sign-verdict.ts';
import { verifySignature } from './verify-signature.ts';

/** Implements the workflows' port. Whatever an activity throws leaves here as the one shape of `failure.ts`. */
export function createActivities(dependencies: Dependencies): Activities {
  return {
    resolvePolicy: (request) => answer(resolvePolicy(dependencies, request)),
    fetchSignatures: (request) => answer(fetchSignatures(dependencies, request)),
    checkKey: (request) => answer(checkKey(dependencies, request)),
    verifySignature: (request) => answer(verifySignature(dependencies, request)),
    signVerdict: (request) => answer(signVerdict(dependencies, request)),
    describePolicy: () => answer(describePolicy(dependencies)),
    resolveDescriptor: (request) => answer(resolveDescriptor(dependencies, request)),
  };
}

async function answer<T>(activity: Promise<T>): Promise<T> {
  try {
    return await activity;
  } catch (error) {
    throw toFailure(error);
  }
}
