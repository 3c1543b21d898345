import type { TestContext } from 'node:test';
import { trustedRootFile } from './material.ts';
import { authorityOf, type Parts, policyDocument, problemsOf, requirementDocument } from './policy-directory.ts';

/** An authority with demands beyond its policy, each a document of its own. */
export function authorityWith(t: TestContext, authority: Parts, ...demands: readonly Parts[]) {
  return authorityOf(t, authority, demandFiles(demands));
}

/** What is wrong with an authority and demands beyond its policy, a line each. */
export async function problemsWith(t: TestContext, authority: Parts, ...demands: readonly Parts[]): Promise<string> {
  return (await problemsOf(t, { 'demo.yaml': policyDocument([authority]), ...demandFiles(demands) })).join('\n');
}

/** The files of demands, beside the trust root `ours`. */
export function demandFiles(demands: readonly Parts[]): Readonly<Record<string, string>> {
  const documents = demands.map((spec, i) => [`m${i}.yaml`, requirementDocument(spec, `more-${i}`)] as const);
  return { ...Object.fromEntries(documents), 'trust/ours.json': trustedRootFile() };
}
