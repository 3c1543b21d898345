import { existsSync } from 'node:fs';
import { parseArgs } from 'node:util';
import { replaceFile } from '../atomic-file.ts';
import { learn } from '../bootstrap/learn.ts';
import { renderProposal } from '../bootstrap/proposal.ts';
import { plainJson, plainText } from '../plain-text.ts';
import { DEFAULT_CONTAINERD_SOCKET } from './options.ts';

const HELP = `Proposes a bootstrap list from what this node starts with: digests that need no backend.

Usage: portcullis bootstrap learn [OPTIONS]

  --containerd SOCKET  whose images (default ${DEFAULT_CONTAINERD_SOCKET})
  --manifests DIR      static pods; may be given more than once (default: those of kubeadm, k3s and RKE2)
  --image NAME         another image that has to start without a backend, such as those of Temporal and of portcullis;
                       may be given more than once
  --all                every image on the node: trusts that nothing wrong is on it now
  --write FILE         writes the list, into the folder of "portcullis shim --bootstrap"; refuses to replace a file
  --output text|json   (default text)

It takes the digests by which the images came to the node: of the pause image, of the static pods, and of what is named. Nothing
is pulled and nothing is trusted before the list is where the daemon reads it.

Exit code 0: every image was found. 1: one that is wanted is not on the node. 3: containerd could not be asked.`;

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
    const { containerd: socket, manifests, image: images, all } = values;
    const { problems, ...proposal } = await learn({ socket, manifests, images, all });
    if (values.output === 'json') console.log(plainJson({ ...proposal, problems }, 2));
    else if (values.write === undefined) process.stdout.write(renderProposal(proposal));
    if (values.write !== undefined) replaceFile(values.write, renderProposal(proposal), 0o644);
    for (const problem of problems) console.error(`portcullis bootstrap learn: ${plainText(problem)}`);
    for (const name of proposal.missing) {
      console.error(`portcullis bootstrap learn: not on this node under a digest: ${plainText(name)}; pull it first`);
    }
    return proposal.missing.length + problems.length === 0 ? 0 : 1;
  },
};
