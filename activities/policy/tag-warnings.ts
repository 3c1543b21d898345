import { type Glob, globMatches, parseGlob } from '../../workflows/policy/glob.ts';
import { shareRepository } from '../../workflows/policy/glob-language.ts';
import type { Policy } from './policy-set.ts';

/** Warnings of one directory: a person mends the first ones and looks again. */
const MAX_WARNINGS = 20;

/**
 * Finds policies that tell images apart by tag beside a policy that covers the same repository without one. An image that
 * is pulled by digest has no tag, so it has to satisfy both, which is safe and seldom what was meant.
 */
export function tagWarnings(policies: readonly Policy[]): readonly string[] {
  const warnings: string[] = [];
  for (const policy of policies) {
    for (const glob of policy.images) {
      const repository = repositoryOfTagged(glob);
      if (repository === undefined || policy.images.some((own) => globMatches(own, repository))) continue;
      const beside = findBeside(policies, policy, repository);
      if (beside !== undefined) warnings.push(describe(policy, glob, beside));
      if (warnings.length >= MAX_WARNINGS) return warnings;
    }
  }
  return warnings;
}

interface Beside {
  readonly policy: Policy;
  readonly glob: Glob;
}

function findBeside(policies: readonly Policy[], tagged: Policy, repository: Glob): Beside | undefined {
  for (const policy of policies) {
    if (policy === tagged) continue;
    const glob = policy.images.find((one) => shareRepository(repository, withoutEveryTag(one)));
    if (glob !== undefined) return { policy, glob };
  }
  return undefined;
}

/** What a glob has before the tags that it names; `undefined` where it names none, or covers all of them. */
function repositoryOfTagged(glob: Glob): Glob | undefined {
  const [, repository = '', tag = ''] = /^(.+):([^/:]+)$/.exec(glob) ?? [];
  return /[^*]/.test(tag) ? parseGlob(repository) : undefined;
}

function withoutEveryTag(glob: Glob): Glob {
  return parseGlob(glob.replace(/:\*+$/, '')) ?? glob;
}

function describe(tagged: Policy, glob: Glob, { policy, glob: other }: Beside): string {
  const pair = `"${glob}" names tags, and "${other}" of policy "${policy.name}" matches the same repository without a tag`;
  const fix = `end the glob with "*" to cover every tag, or add the repository without a tag to policy "${tagged.name}"`;
  return `${tagged.file}: policy "${tagged.name}": ${pair}; an image that is pulled by digest has no tag and must satisfy both policies; ${fix}`;
}
