import { existsSync } from 'node:fs';
import { parseArgs } from 'node:util';
import { plainJson, plainText } from '../../workflows/format/plain-text.ts';
import { learn } from '../bootstrap/learn.ts';
import { type ChosenDigest, describeAmbiguity, parseChoice, renderProposal } from '../bootstrap/proposal.ts';
import { sandboxImageAt } from '../containerd/sandbox-image.ts';
import { replaceFile } from '../host/atomic-file.ts';
import { DEFAULT_CONTAINERD_SOCKET, wrongUsage } from './options.ts';

const HELP = `Proposes a bootstrap list from what this node starts with: digests that need no backend.

Usage: portcullis bootstrap learn [OPTIONS]

  --containerd SOCKET  whose images (default ${DEFAULT_CONTAINERD_SOCKET})
  --manifests DIR      static pods; may be given more than once (default: those of kubeadm, k3s and RKE2)
  --image NAME         another image that has to start without a backend, such as those of Temporal and of portcullis;
                       may be given more than once
  --digest NAME@DIGEST of a name that has several digests on this node, the one that is meant; may be given more than once
  --all                every image on the node: trusts that nothing wrong is on it now
  --write FILE         writes the list, into the folder of "portcullis shim --bootstrap"; refuses to replace a file
  --output text|json   (default text)

It takes the digests by which the images came to the node, under the repository that is wanted: of the sandbox image that containerd's
configuration names, of the static pods, and of what is named. A name with several digests is shown and none of them is taken, because
a tenant can pull another one: say which is meant. Nothing is pulled and nothing is trusted before the list is where the daemon reads it.

Exit code 0: every image was found. 1: one that is wanted is not on the node, or has several digests. 3: containerd could not be asked.`;

const MANY: { readonly type: 'string'; readonly multiple: true; readonly default: string[] } = {
  ...{ type: 'string', multiple: true, default: [] },
};

export const bootstrapLearnCommand = {
  help: HELP,
  async run(args: readonly string[]): Promise<number> {
    const { values } = parseArgs({
      args: [...args],
      options: {
        containerd: { type: 'string', default: DEFAULT_CONTAINERD_SOCKET },
        manifests: MANY,
        image: MANY,
        digest: MANY,
        all: { type: 'boolean', default: false },
        write: { type: 'string' },
        output: { type: 'string', default: 'text' },
      },
    });
    if (values.write !== undefined && (existsSync(values.write) || !values.write.endsWith('.list'))) {
      console.error(
        `portcullis bootstrap learn: --write: expected a new file that ends in .list, found ${values.write}`,
      );
      return 2;
    }
    const chosen = parseChoices(values.digest);
    if (chosen === undefined) return wrongUsage('bootstrap learn', '--digest: expected NAME@sha256:<64 hex digits>');
    const { containerd: socket, manifests, image: images, all } = values;
    const sandbox = await sandboxImageAt(socket);
    const { problems, ...proposal } = await learn({ socket, sandbox, manifests, images, all, chosen });
    if (values.output === 'json') console.log(plainJson({ ...proposal, problems }, 2));
    else if (values.write === undefined) console.log(renderProposal(proposal).replace(/\n$/, ''));
    const isSure = proposal.ambiguous.length === 0;
    if (values.write !== undefined && isSure) replaceFile(values.write, renderProposal(proposal), 0o644);
    for (const problem of problems) console.error(`portcullis bootstrap learn: ${plainText(problem)}`);
    for (const name of proposal.missing) {
      console.error(`portcullis bootstrap learn: not on this node under a digest: ${plainText(name)}; pull it first`);
    }
    for (const name of proposal.absent) {
      console.error(`portcullis bootstrap learn: note: not on this node yet, so not on the list: ${plainText(name)}`);
    }
    for (const one of proposal.ambiguous) {
      console.error(`portcullis bootstrap learn: ${plainText(describeAmbiguity(one))}`);
    }
    if (values.write !== undefined && !isSure) console.error('portcullis bootstrap learn: nothing was written');
    return isSure && proposal.missing.length + problems.length === 0 ? 0 : 1;
  },
};

/** What `--digest` says; `undefined` when one of them is no name with a digest. */
export function parseChoices(texts: readonly string[]): readonly ChosenDigest[] | undefined {
  const chosen = texts.flatMap((text) => parseChoice(text) ?? []);
  return chosen.length === texts.length ? chosen : undefined;
}
