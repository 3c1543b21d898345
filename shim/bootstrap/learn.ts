import { connectCri } from '../containerd/cri.ts';
import { type ChosenDigest, type Proposal, propose, type WantedImage } from './proposal.ts';
import { MANIFEST_FOLDERS, readStaticPods } from './static-pods.ts';

/** What a proposal is made from. */
export interface LearnOptions {
  /** containerd's, which serves CRI. */
  readonly socket: string;
  /** The image of every pod's sandbox, as containerd's configuration names it; `undefined` when that is not known. */
  readonly sandbox: string | undefined;
  /** Folders of static pods; none for the usual ones. */
  readonly manifests: readonly string[];
  /** Other images that have to start without a backend. */
  readonly images: readonly string[];
  /** Every image that is on the node. */
  readonly all: boolean;
  /** The digests that are meant of names with several. */
  readonly chosen: readonly ChosenDigest[];
}

const NO_SANDBOX =
  "the sandbox image is not known, because containerd's configuration could not be read or names none; name it with --image";

/** Proposes a bootstrap list from what is on this node, and says what could not be read. Rejects when containerd can't be asked. */
export async function learn(options: LearnOptions): Promise<Proposal & { readonly problems: readonly string[] }> {
  const { sandbox, all, chosen } = options;
  const folders = options.manifests.length > 0 ? options.manifests : MANIFEST_FOLDERS;
  const pods = await Promise.all(folders.map(readStaticPods));
  const named = options.images.map((name): WantedImage => ({ name, from: 'named on the command line' }));
  const pause: readonly WantedImage[] =
    sandbox === undefined ? [] : [{ name: sandbox, from: 'the sandbox of every pod', mayBeAbsent: true }];
  const cri = connectCri(options.socket);
  try {
    const wanted = [...pods.flatMap(({ images }) => images), ...named, ...pause];
    const proposal = propose(await cri.listImages(), wanted, { all, chosen });
    const unread = pods.flatMap((one) => one.problems);
    return { ...proposal, problems: sandbox === undefined && !all ? [...unread, NO_SANDBOX] : unread };
  } finally {
    cri.close();
  }
}
