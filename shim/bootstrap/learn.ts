import { connectCri } from '../containerd/cri.ts';
import { type Proposal, propose, type WantedImage } from './proposal.ts';
import { MANIFEST_FOLDERS, readStaticPods } from './static-pods.ts';

/** What a proposal is made from, besides pause. */
export interface LearnOptions {
  /** containerd's, which serves CRI. */
  readonly socket: string;
  /** Folders of static pods; none for the usual ones. */
  readonly manifests: readonly string[];
  /** Other images that have to start without a backend. */
  readonly images: readonly string[];
  /** Every image that is on the node. */
  readonly all: boolean;
}

/** Proposes a bootstrap list from what is on this node, and says what could not be read. Rejects when containerd can't be asked. */
export async function learn(options: LearnOptions): Promise<Proposal & { readonly problems: readonly string[] }> {
  const folders = options.manifests.length > 0 ? options.manifests : MANIFEST_FOLDERS;
  const pods = await Promise.all(folders.map(readStaticPods));
  const named = options.images.map((name): WantedImage => ({ name, from: 'named on the command line' }));
  const cri = connectCri(options.socket);
  try {
    const wanted = [...pods.flatMap(({ images }) => images), ...named];
    const proposal = propose(await cri.listImages(), wanted, options.all);
    return { ...proposal, problems: pods.flatMap((one) => one.problems) };
  } finally {
    cri.close();
  }
}
