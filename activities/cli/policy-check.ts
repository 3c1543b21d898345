import { parseArgs } from 'node:util';
import { loadPolicyDirectory } from '../policy/load.ts';
import { formatProblem } from '../policy/policy-problem.ts';
import type { Policy, SignerRule } from '../policy/policy-set.ts';
import { tagWarnings } from '../policy/tag-warnings.ts';
import { describePattern } from '../sigstore/text-pattern.ts';

const HELP = `Validates a directory of policy documents as a worker would load it.

Usage: portcullis policy check DIR [--output text|json]

Prints what was loaded, warnings and the revision, or every problem with its file, line and field. A warning is about a policy
that loads and may not do what was meant.`;

export const policyCheckCommand = {
  help: HELP,
  async run(args: readonly string[]): Promise<number> {
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
    const policies = load.ok ? load.set.policies.map(summarise) : [];
    const warnings = load.ok ? tagWarnings(load.set.policies) : [];
    if (values.output === 'json') {
      const problems = load.ok ? [] : load.problems;
      console.log(
        JSON.stringify(
          { ok: load.ok, revision: load.ok ? load.set.revision : undefined, policies, warnings, problems },
          undefined,
          2,
        ),
      );
    } else if (load.ok) {
      for (const policy of policies)
        console.log(`${policy.name} (${policy.file}): ${policy.images.join(', ')}; ${policy.authorities.join(', ')}`);
      if (policies.length === 0) console.log('no policy at all: every pull would be refused with NO_POLICY');
      for (const warning of warnings) console.log(`warning: ${warning}`);
      console.log(`revision ${load.set.revision}`);
    } else {
      for (const problem of load.problems) console.error(formatProblem(problem));
    }
    return load.ok ? 0 : 1;
  },
};

function summarise(policy: Policy): {
  name: string;
  file: string;
  images: readonly string[];
  authorities: readonly string[];
} {
  const authorities = policy.authorities.map((authority) => `${authority.name} ${describeSigner(authority.signer)}`);
  return { name: policy.name, file: policy.file, images: policy.images, authorities };
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
