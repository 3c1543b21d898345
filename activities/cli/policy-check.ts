import { parseArgs } from 'node:util';
import { plainJson } from '../../workflows/format/plain-text.ts';
import { appliedRevision, trustRevisionOf } from '../authority/applied-policy.ts';
import { EvidenceError } from '../evidence-error.ts';
import { loadPolicyDirectory } from '../policy/load.ts';
import type { Authority, Policy, PolicySet, SignerRule } from '../policy/policy-set.ts';
import { tagWarnings } from '../policy/tag-warnings.ts';
import { trustRootNames } from '../policy/trust-root-names.ts';
import { describePattern } from '../sigstore/requirement/text-pattern.ts';
import { createTrustStore, type TrustStoreOptions } from '../trust/store.ts';
import { formatProblem, inDirectory } from '../yaml/problem.ts';

const HELP = `Validates a directory of policy documents as a worker would load it.

Usage: portcullis policy check DIR [--output text|json]

Prints what was loaded, warnings and the policy revision, or every problem with its file, line and field. A warning is about a
policy that loads and may not do what was meant.

The policy revision is the one that verdicts and workers name. It covers the trust roots that the policies name, so they are read
as a worker reads them, over the network where they come from a TUF repository. Without one of them the revision is unknown.`;

export const policyCheckCommand = createPolicyCheck();

/** Makes the command; `trust` says where trust roots come from, the default suits the command line. */
export function createPolicyCheck(trust: TrustStoreOptions = {}) {
  return { help: HELP, run: async (args: readonly string[]) => await check(args, trust) };
}

async function check(args: readonly string[], trust: TrustStoreOptions): Promise<number> {
  const { values, positionals } = parseArgs({
    args: [...args],
    allowPositionals: true,
    options: { output: { type: 'string', default: 'text' } },
  });
  const [directory] = positionals;
  if (directory === undefined || positionals.length > 1 || !['text', 'json'].includes(values.output)) {
    console.error('portcullis policy check: expected one DIR; see "portcullis policy check --help"');
    return 2;
  }
  const load = await loadPolicyDirectory(directory);
  const problems = load.ok ? [] : load.problems.map((problem) => inDirectory(problem, directory));
  const policies = load.ok ? load.set.policies.map(summarise) : [];
  const warnings = load.ok ? tagWarnings(load.set.policies) : [];
  if (values.output === 'json') {
    const found = load.ok ? await revisionOf(load.set, trust) : undefined;
    const missing = found?.kind === 'unknown' ? [found.problem] : [];
    const { revision, trustRevision } = found?.kind === 'known' ? found : {};
    const all = [...warnings, ...missing];
    console.log(plainJson({ ok: load.ok, revision, trustRevision, policies, warnings: all, problems }, 2));
  } else if (load.ok) {
    for (const policy of policies)
      console.log(`${policy.name} (${policy.file}): ${policy.images.join(', ')}; ${policy.authorities.join(', ')}`);
    if (policies.length === 0) console.log('no policy at all: every pull would be refused with NO_POLICY');
    for (const warning of warnings) console.log(`warning: ${warning}`);
    const found = await revisionOf(load.set, trust);
    console.log(found.kind === 'known' ? `revision ${found.revision}` : `revision unknown: ${found.problem}`);
    if (found.kind === 'known' && found.trustRevision) console.log(`trust revision ${found.trustRevision}`);
  } else {
    for (const problem of problems) console.error(formatProblem(problem));
  }
  return load.ok ? 0 : 1;
}

type Revision =
  /** No trust revision where no policy names a trust root. */
  | { readonly kind: 'known'; readonly revision: string; readonly trustRevision?: string }
  | { readonly kind: 'unknown'; readonly problem: string };

/** The revision that a worker applies once it has read the trust roots; unknown while one of them can't be read here. */
async function revisionOf(set: PolicySet, options: TrustStoreOptions): Promise<Revision> {
  const names = trustRootNames(set);
  const trust = createTrustStore(options);
  try {
    await trust.use(set.trustRoots, names);
    await trust.refresh();
    for (const name of names) trust.find(name);
    const revision = appliedRevision({ policy: { current: () => ({ ok: true, set }) }, trust });
    const trustRevision = trustRevisionOf({ trust }, set);
    return { kind: 'known', revision, ...(trustRevision === '' ? {} : { trustRevision }) };
  } catch (error) {
    if (error instanceof EvidenceError) return { kind: 'unknown', problem: error.message };
    throw error;
  } finally {
    trust.stop();
  }
}

function summarise(policy: Policy): {
  name: string;
  file: string;
  images: readonly string[];
  authorities: readonly string[];
} {
  const authorities = policy.authorities.map(
    (authority) => `${authority.name} ${describeSigner(authority.signer)}${describeIdentity(authority)}`,
  );
  return { name: policy.name, file: policy.file, images: policy.images, authorities };
}

function describeIdentity({ signedAs, signedReference }: Authority): string {
  const others = signedAs.map((one) => (one.kind === 'glob' ? one.glob : `${one.signedPrefix} for ${one.prefix}`));
  const also = others.length === 0 ? '' : `, also signed as ${others.join(' or ')}`;
  return signedReference === 'exact' ? `${also}, with the exact tag` : also;
}

function describeSigner(signer: SignerRule): string {
  switch (signer.kind) {
    case 'key':
      return `${signer.key.algorithm} sha256:${signer.key.keyId}`;
    case 'kms':
      return signer.reference.uri;
    case 'keyless': {
      const who = signer.identities.map(
        ({ subject, issuer }) => `${describePattern(subject)} (${describePattern(issuer)})`,
      );
      return `keyless ${who.join(' or ')}`;
    }
    case 'static':
      return `static ${signer.action}`;
  }
}
